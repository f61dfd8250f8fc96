"""The published questionnaire and rubric, and answers in the shape in which they arrive."""

from collections.abc import Mapping
from importlib.resources import files

from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from shared.contracts.assessment import Assessment
from shared.contracts.intake import Answer
from shared.questionnaire import PUBLISHED, load

QUESTIONNAIRE = load()
RUBRIC_TEXT = (files("services.assessment") / "rubrics" / f"{PUBLISHED}.yaml").read_text(encoding="utf-8")
RUBRIC = parse(RUBRIC_TEXT, QUESTIONNAIRE)


def said(levels: Mapping[str, str]) -> dict[str, Answer]:
    return {question: Answer(level=level) for question, level in levels.items()}


def assessed(levels: Mapping[str, str]) -> Assessment:
    return assess(said(levels), RUBRIC, QUESTIONNAIRE)
