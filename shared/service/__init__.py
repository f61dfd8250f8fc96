"""The frame that each service hangs its rooms into: settings, prefixes, lifespan, health, logging."""

from shared.service.frame import Job, Service, build
from shared.service.http import Problem, answer_once, read_json
from shared.service.prefixes import PREFIXES
from shared.service.settings import DatabaseSettings, Settings

__all__ = ["PREFIXES", "DatabaseSettings", "Job", "Problem", "Service", "Settings", "answer_once", "build", "read_json"]
