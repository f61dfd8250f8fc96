"""In whose hands a case is: given to a colleague, or to the deputy of one who is away."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict

from services.recommendation.domain.review import Reviewer, Unfit, readable
from shared.contracts.recommendation import ProposalState
from shared.promise import answer_due

LONGEST_AWAY = timedelta(days=366)

OURS: tuple[ProposalState, ...] = ("proposed", "in_review")
"""The states in which a case waits for an account manager, and not for sales or the client."""


@dataclass(frozen=True)
class Assignment:
    """A case put into somebody's hands. `asked_for` is who was meant, where a deputy got it instead."""

    version: int
    assignee: Reviewer
    asked_for: Reviewer | None
    by: Reviewer
    reason: str | None
    at: datetime


@dataclass(frozen=True)
class Absence:
    """A colleague who is away up to and with a day, and who looks after the reviews until then."""

    of: Reviewer
    until: date
    deputy: Reviewer


class AssignRequest(BaseModel):
    """A case for a colleague, with the reason, on the version that was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    assignee: UUID
    reason: Annotated[str, AfterValidator(readable)] | None = None
    version: int


class UnknownColleague(Unfit):
    """No account manager has this id."""


class NobodyThere(Unfit):
    """The colleague is away, and so is everybody who looks after their reviews."""


def asked_with_reason(request: AssignRequest) -> str:
    """Why a colleague gets a case. Raises Unfit where nothing is said."""
    if request.reason is None:
        raise Unfit("reason", "Say in a few words why it goes to them.")
    return request.reason


def stand_in(asked: Reviewer, absences: Mapping[UUID, Absence]) -> Reviewer:
    """Who gets what somebody was asked to do, by the absences of today. Raises NobodyThere."""
    found, passed = asked, {asked.id}
    while found.id in absences:
        found = absences[found.id].deputy
        if found.id in passed:
            raise NobodyThere("assignee", f"{asked.name} is away, and so are the deputies. Choose somebody else.")
        passed.add(found.id)
    return found


def covered_by(deputy: UUID, absences: Mapping[UUID, Absence]) -> list[Absence]:
    """The absences in which this colleague is the one to turn to."""
    found = []
    for absence in absences.values():
        with suppress(NobodyThere):
            if stand_in(absence.of, absences).id == deputy:
                found.append(absence)
    return found


def away(of: Reviewer, until: date, deputy: Reviewer, today: date) -> Absence:
    """An absence from today on. Raises Unfit."""
    if not today <= until <= today + LONGEST_AWAY:
        raise Unfit("until", "Choose a day from today on, within a year.")
    if deputy.id == of.id:
        raise Unfit("deputy", "Choose somebody else to look after your reviews.")
    return Absence(of, until, deputy)


def is_overdue(state: ProposalState, proposed_at: datetime, now: datetime) -> bool:
    """Whether an account manager should have decided by now."""
    return state in OURS and answer_due(proposed_at) < now
