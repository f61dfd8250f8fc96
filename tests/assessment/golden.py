"""Whole assessments, kept as files; `python -m tests.assessment.golden` writes them anew after a meant change."""

import hashlib
from pathlib import Path

from shared.questionnaire import UNKNOWN
from tests.assessment.archetypes import (
    ARCHETYPES,
    FIRST_PIECE_THEN_CONTINUING_WORK,
    MIDDLE_OF_EVERYTHING,
    SAAS_SCALE_UP,
    SETTLED_PART_BESIDE_A_CHANGING_ONE,
    START_UP_MVP,
    Answers,
)
from tests.assessment.published import assessed

FOLDER = Path(__file__).parent / "golden"
NOTES_OF_A_CALL = ("aim", "horizon", "deadline", "requirements", "change_rate", "after_release", "priority_owner")

CASES: dict[str, Answers] = {
    **ARCHETYPES,
    "SaaS scale-up, price rule mandatory": SAAS_SCALE_UP | {"price_rule": "mandatory"},
    "SaaS scale-up, aim unknown": SAAS_SCALE_UP | {"aim": UNKNOWN},
    "start-up MVP, three answers unknown": START_UP_MVP | dict.fromkeys(("aim", "funding", "operator"), UNKNOWN),
    "start-up MVP, notes of a call": {question: START_UP_MVP[question] for question in NOTES_OF_A_CALL},
    "middle of everything, regulation unknown": MIDDLE_OF_EVERYTHING | {"regulation": UNKNOWN},
    "first piece, then continuing work, phases unknown": FIRST_PIECE_THEN_CONTINUING_WORK | {"phases": UNKNOWN},
    "settled part beside a changing one, parts and aim unknown": SETTLED_PART_BESIDE_A_CHANGING_ONE
    | dict.fromkeys(("parts", "aim"), UNKNOWN),
    "nothing known": {},
}


def file_of(name: str) -> Path:
    return FOLDER / f"{name.replace(',', '').replace(' ', '-').lower()}.json"


def written(name: str) -> str:
    return assessed(CASES[name]).model_dump_json(by_alias=True, indent=1) + "\n"


def digest() -> str:
    """SHA-256 over all of them."""
    return hashlib.sha256("".join(map(written, CASES)).encode()).hexdigest()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        file_of(case).write_text(written(case), encoding="utf-8")
