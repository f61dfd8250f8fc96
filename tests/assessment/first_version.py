"""The first questionnaire and rubric, whose numbers are published: no questions without points, and no splits."""

from importlib.resources import files

from services.assessment.domain.rubric import parse
from shared.questionnaire import load

QUESTIONNAIRE = load("2026-11")
RUBRIC_TEXT = (files("services.assessment") / "rubrics" / "2026-11.yaml").read_text(encoding="utf-8")
RUBRIC = parse(RUBRIC_TEXT, QUESTIONNAIRE)
