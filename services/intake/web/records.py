"""A case as programs and spreadsheets read it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from services.intake.domain.submission import complete
from services.intake.store.pipeline import CaseRow, ExportedCase
from shared.contracts.intake import Campaign, Company
from shared.questionnaire import load, versions

NO_SCORES = {axis: {"value": None, "low": None, "high": None} for axis in ("continuity", "execution")}


def summary(case: CaseRow) -> dict[str, Any]:
    """Who asked, where it stands, who has it, and what holds it up; times in ISO 8601."""
    company, expires = case.company, case.link_expires_at
    return {
        "intake_id": str(case.id),
        "revision": case.revision,
        "state": case.state,
        "state_since": case.state_since.isoformat(),
        "submitted_at": case.submitted_at.isoformat(),
        "channel": case.channel,
        "company": None if company is None else company.model_dump(),
        "contact": None if case.contact_email is None else {"name": case.contact_name, "email": case.contact_email},
        "owner": None if case.owner is None else {"id": str(case.owner), "name": case.owner_name},
        "reviewer": case.assignee_name,
        "blocked_by": list(case.blocks),
        "link_expires_at": None if expires is None else expires.isoformat(),
    }


def record(case: ExportedCase) -> dict[str, Any]:
    """The summary with language, verdict, scores, and every question's answer, said or inferred."""
    answers = {} if case.questionnaire is None else complete(case.given, load(case.questionnaire))
    scores = case.scores or NO_SCORES
    return summary(case) | {
        "language": case.language,
        "campaign": case.campaign,
        "opened_at": None if case.opened_at is None else case.opened_at.isoformat(),
        "verdict": case.verdict,
        "strength": case.strength,
        "scores": {axis: {end: scores[axis][end] for end in ends} for axis, ends in NO_SCORES.items()},
        "questionnaire": case.questionnaire,
        "answers": {question: answer.model_dump() for question, answer in answers.items()},
    }


@cache
def columns() -> tuple[str, ...]:
    """The header of the flat form: the same whatever was exported, the questions of every version last."""
    questions = dict.fromkeys(question.id for version in versions() for question in load(version).questions)
    return (
        *("intake_id", "revision", "state", "state_since", "submitted_at", "channel", "language"),
        *(f"campaign_{part}" for part in Campaign.model_fields),
        *(f"company_{part}" for part in Company.model_fields),
        *("contact_name", "contact_email", "owner_id", "owner_name", "reviewer", "blocked_by"),
        *("link_expires_at", "opened_at", "verdict", "strength"),
        *(f"scores_{axis}_{end}" for axis, ends in NO_SCORES.items() for end in ends),
        "questionnaire",
        *(f"answers_{question}_{part}" for question in questions for part in ("level", "confidence")),
    )


def flat(record: dict[str, Any]) -> list[object]:
    """A record's values in the order of the columns."""
    values = dict(_leaves(record))
    return [values.get(column) for column in columns()]


def _leaves(record: dict[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}_")
        else:
            yield f"{path}{name}", " ".join(value) if isinstance(value, list) else value
