"""What became of a case."""

from datetime import datetime
from uuid import UUID

from services.recommendation.domain.outcome import OutcomeRequest, Recorded, record, to_come_back_to
from services.recommendation.domain.review import Reviewer
from services.recommendation.handlers.case import locked
from services.recommendation.store import cases, documents, outcomes
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationOutcomeRecorded
from shared.postgres import Connection


async def record_outcome(
    connection: Connection, intake_id: UUID, request: OutcomeRequest, reviewer: Reviewer, now: datetime
) -> Recorded:
    """Note what became of a case and say so. Raises UnknownCase, OutOfStep or Unfit.

    It settles what was due until today, and puts on the list when to ask whether the model still fits.
    """
    case = await locked(connection, intake_id)
    before = next(iter(await outcomes.of_case(connection, intake_id)), None)
    document = await documents.latest(connection, intake_id)
    recorded = record(case, document, request, before=before, by=reviewer, now=now)
    until = None if recorded.outcome == "lost" else now.date()
    await outcomes.settle(connection, intake_id, now, by=reviewer.id, until=until)
    await outcomes.settle(connection, intake_id, now, by=reviewer.id, kind="acceptance")
    await outcomes.come_back_to(connection, intake_id, to_come_back_to(recorded, request.first_release_on))
    await outcomes.record(connection, intake_id, recorded)
    await cases.advance(connection, intake_id, case.revision, recorded.version)
    await outbox.say(
        connection,
        RecommendationOutcomeRecorded(
            intake_id=intake_id,
            version=recorded.version,
            time=now,
            revision=case.revision,
            outcome=recorded.outcome,
            model_used=recorded.model_used,
            reason_code=recorded.reason_code,
            happened_on=recorded.happened_on,
            by=reviewer.id,
        ),
    )
    acted = {"version": recorded.version, "outcome": recorded.outcome, "model": recorded.model_used}
    await audit.record(connection, "outcome_recorded", intake_id, now, acted, actor=reviewer.id)
    return recorded
