"""Cases in somebody's hands: taken up, and given away."""

from datetime import datetime
from uuid import UUID

from services.recommendation.domain import review as rules
from services.recommendation.domain.assignment import (
    Assignment,
    AssignRequest,
    UnknownColleague,
    asked_with_reason,
    stand_in,
)
from services.recommendation.domain.review import Case, Reviewer
from services.recommendation.handlers.case import locked
from services.recommendation.store import cases, colleagues
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationAssigned
from shared.postgres import Connection


async def take_up(connection: Connection, intake_id: UUID, version: int, reviewer: Reviewer, now: datetime) -> None:
    """Put a case into a reviewer's hands and say so. Raises UnknownCase, OutOfStep where it moved on, or OwnWork."""
    case = await locked(connection, intake_id)
    taken = rules.take_up(case, version, reviewer)
    if taken is not case:
        await _put(connection, taken, Assignment(taken.version, reviewer, None, reviewer, None, now))


async def assign(
    connection: Connection, intake_id: UUID, request: AssignRequest, by: Reviewer, now: datetime
) -> Assignment:
    """Give a case to a colleague, or to the deputy of one who is away, and say so.

    Raises UnknownCase, OutOfStep or Unfit.
    """
    case = await locked(connection, intake_id)
    reason = asked_with_reason(request)
    asked = await colleague(connection, request.assignee)
    found = stand_in(asked, await colleagues.absences(connection, now.date()))
    taken = rules.take_up(case, request.version, found)
    asked_for = asked if found.id != asked.id else None
    assignment = Assignment(taken.version, found, asked_for, by, reason, now)
    if taken is not case:
        await _put(connection, taken, assignment)
    return assignment


async def colleague(connection: Connection, staff_id: UUID) -> Reviewer:
    """The account manager with this id. Raises UnknownColleague."""
    for one in await colleagues.account_managers(connection):
        if one.id == staff_id:
            return one
    raise UnknownColleague("assignee", "Choose one of the account managers.")


async def _put(connection: Connection, taken: Case, assignment: Assignment) -> None:
    await cases.move(connection, taken)
    await cases.record_assignment(connection, taken.intake_id, assignment)
    await outbox.say(connection, assigned(taken, assignment.by, assignment.at))
    acted = {"version": taken.version, "assignee": assignment.assignee.id}
    await audit.record(connection, "assigned", taken.intake_id, assignment.at, acted, actor=assignment.by.id)


def assigned(case: Case, by: Reviewer, now: datetime) -> RecommendationAssigned:
    """The fact that a case is in somebody's hands, at the case's version."""
    assert case.assignee is not None, "what is in review is in somebody's hands"
    return RecommendationAssigned(
        intake_id=case.intake_id,
        version=case.version,
        time=now,
        revision=case.revision,
        assignee=case.assignee.id,
        by=by.id,
    )
