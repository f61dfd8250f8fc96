"""docker-compose.yml as Compose reads it: anchors merged, variables put in from `.env`."""

import io
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<operator>[-?])(?P<word>[^}]*))?\}")


class Missing(Exception):
    """What Compose says when it refuses to start without a variable."""


def made_secrets() -> dict[str, str]:
    """What a fresh `.env` says, as Compose reads it."""
    made = subprocess.run(
        [sys.executable, ROOT / "deploy" / "make-secrets"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(made.stdout)).items()}


def resolved(variables: Mapping[str, str]) -> dict[str, Any]:
    """The whole file; raises Missing."""
    content: dict[str, Any] = _resolve(yaml.safe_load(FILE.read_text()), variables)
    return content


def _resolve(part: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _resolve(value, variables) for name, value in part.items()}
    if isinstance(part, list):
        return [_resolve(value, variables) for value in part]
    return VARIABLE.sub(lambda found: _value(found, variables), part) if isinstance(part, str) else part


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    given = variables.get(found["name"], "")
    if given or found["operator"] is None:
        return given
    if found["operator"] == "?":
        raise Missing(found["word"])
    return found["word"]
