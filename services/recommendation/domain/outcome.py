"""What becomes of a case after its document, and what somebody has to come back to."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict

from services.recommendation.domain.release import Document
from services.recommendation.domain.review import Case, OutOfStep, Reviewer, Unfit, readable
from shared.contracts.recommendation import DeclineReason, Model, Outcome

Due = Literal["acceptance", "discovery", "first_release", "three_months", "six_months"]

AFTER_ACCEPTANCE = timedelta(days=14)
THREE_MONTHS = timedelta(days=90)
SIX_MONTHS = timedelta(days=180)
SNOOZE = timedelta(days=14)
A_DAY = timedelta(days=1)
"""Somewhere on earth it may be the day before or after."""

STARTS: tuple[Outcome, ...] = ("signed", "rescoped", "renewed")


@dataclass(frozen=True)
class Recorded:
    """What became of a case, as somebody noted it; `version` is the case's after it. The note is gone after erasure."""

    version: int
    number: int
    outcome: Outcome
    model_used: Model | None
    reason_code: DeclineReason | None
    happened_on: date
    note: str | None
    by: Reviewer
    at: datetime


@dataclass(frozen=True)
class FollowUp:
    """What to come back to, and from which day on."""

    intake_id: UUID
    kind: Due
    due_on: date


class OutcomeRequest(BaseModel):
    """What became of a case. `model_used` is what the work really follows, `happened_on` today if it is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    model_used: Model | None = None
    reason_code: DeclineReason | None = None
    happened_on: date | None = None
    first_release_on: date | None = None
    note: Annotated[str, AfterValidator(readable)] | None = None


class NothingReleased(OutOfStep):
    """There is no document that anything could have become of."""


class Ended(OutOfStep):
    """The case was withdrawn."""


def possible(before: Recorded | None) -> tuple[Outcome, ...]:
    """What can become of a case next: signed or lost, and once it is signed what has changed since."""
    if before is None or before.outcome == "lost":
        return ("signed", "lost")
    return ("unchanged", "rescoped", "renewed", "lost")


def record(
    case: Case,
    document: Document | None,
    request: OutcomeRequest,
    *,
    before: Recorded | None,
    by: Reviewer,
    now: datetime,
) -> Recorded:
    """What the request adds to the outcomes so far, of which `before` is the last. Raises OutOfStep or Unfit."""
    if case.state in ("withdrawn", "erased"):
        raise Ended(case, f"This case is {case.state}. Nothing more becomes of it.")
    if document is None:
        raise NothingReleased(case, "Nothing was released to the client yet, so nothing has become of it.")
    day = request.happened_on or now.date()
    if request.outcome not in possible(before):
        signed = request.outcome == "signed"
        advice = (
            "It is signed already. Choose what has become of it since." if signed else "Note first that it was signed."
        )
        raise Unfit("outcome", advice)
    is_lost = request.outcome == "lost"
    if is_lost and request.reason_code is None:
        raise Unfit("reason_code", "Choose the reason that comes nearest.")
    if not is_lost and request.model_used in (None, "discovery_call"):
        raise Unfit("model_used", "Choose the model that the work really follows.")
    if not document.released_at.date() - A_DAY <= day <= now.date() + A_DAY:
        raise Unfit("happened_on", "Give a day since the document was released, today at the latest.")
    if request.first_release_on is not None and request.first_release_on < day:
        raise Unfit("first_release_on", "Give a day after that.")
    return Recorded(
        version=case.version + 1,
        number=document.number,
        outcome=request.outcome,
        model_used=None if is_lost else request.model_used,
        reason_code=request.reason_code if is_lost else None,
        happened_on=day,
        note=request.note,
        by=by,
        at=now,
    )


def to_come_back_to(outcome: Recorded, first_release_on: date | None) -> dict[Due, date]:
    """What an outcome puts on the list, by the day it is due: each start asks anew whether the model fits."""
    if outcome.outcome not in STARTS:
        return {}
    due: dict[Due, date] = {
        "three_months": outcome.happened_on + THREE_MONTHS,
        "six_months": outcome.happened_on + SIX_MONTHS,
    }
    return due if first_release_on is None else {"first_release": first_release_on, **due}
