"""Decisions on a case, second signatures, and taking a decision back."""

from datetime import datetime
from uuid import UUID

from services.recommendation.domain import review as rules
from services.recommendation.domain.review import (
    Case,
    Review,
    Reviewer,
    ReviewRequest,
    Sequel,
    SignatureRequest,
    UndoRequest,
)
from services.recommendation.handlers.assignment import assigned
from services.recommendation.handlers.case import locked
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import cases, reviews
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationReviewed
from shared.postgres import Connection


async def review(
    connection: Connection, intake_id: UUID, request: ReviewRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Decide on a case and say so; the case as it stands then.

    A decision that needs a second person is not said before that signs it. Raises UnknownCase, OutOfStep or Unfit.
    """
    case = await locked(connection, intake_id)
    decision = rules.decide(case, request, reviewer, now, PLAYBOOKS[case.questionnaire])
    decided = rules.after(case, decision)
    await reviews.record(connection, intake_id, decision)
    await cases.move(connection, decided)
    if decision.needs_second:
        await outbox.say(connection, assigned(decided, reviewer, now))
    else:
        await outbox.say(connection, _reviewed(decided, decision))
    acted = {
        "version": decision.version,
        "decision": decision.decision,
        "model": decision.model,
        "commercial_form": decision.commercial_form,
        "reason_code": decision.reason_code,
        "needs_second": decision.needs_second,
    }
    await audit.record(connection, "reviewed", intake_id, now, acted, actor=reviewer.id)
    return decided


async def sign(
    connection: Connection, intake_id: UUID, request: SignatureRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Give the second person's word on a decision and say so; the case as it stands then.

    Raises UnknownCase, OutOfStep or Unfit.
    """
    case = await locked(connection, intake_id)
    sequel = rules.sign(case, request, reviewer, now)
    signed = rules.after(case, sequel)
    await reviews.record_sequel(connection, intake_id, sequel)
    await cases.move(connection, signed)
    if sequel.kind == "confirmed" and signed.review is not None:
        await outbox.say(connection, _reviewed(signed, signed.review))
    else:
        await outbox.say(connection, assigned(signed, reviewer, now))
    await _record(connection, intake_id, sequel)
    return signed


async def undo(
    connection: Connection, intake_id: UUID, request: UndoRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Take the last decision back and say so; the case in the hands of who did. Raises UnknownCase or OutOfStep."""
    case = await locked(connection, intake_id)
    sequel = rules.undo(case, request, reviewer, now)
    undone = rules.after(case, sequel)
    await reviews.record_sequel(connection, intake_id, sequel)
    await cases.move(connection, undone)
    await outbox.say(connection, assigned(undone, reviewer, now))
    await _record(connection, intake_id, sequel)
    return undone


async def _record(connection: Connection, intake_id: UUID, sequel: Sequel) -> None:
    acted = {"version": sequel.version, "of_version": sequel.review}
    await audit.record(connection, sequel.kind, intake_id, sequel.at, acted, actor=sequel.by.id)


def _reviewed(case: Case, decision: Review) -> RecommendationReviewed:
    second = decision.second
    return RecommendationReviewed(
        intake_id=case.intake_id,
        version=case.version,
        time=second.at if second else decision.at,
        revision=decision.revision,
        decision=decision.decision,
        by=decision.by.id,
        model=decision.model,
        commercial_form=decision.commercial_form,
        reason_code=decision.reason_code,
        confirmed_by=second.by.id if second else None,
    )
