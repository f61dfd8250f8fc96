"""What assessment hears: submissions to score, and erasures."""

from datetime import UTC, datetime

from services.assessment import handlers, store
from services.assessment.domain.scoring import assess
from shared import erasure, outbox
from shared.access import on_staff_changed
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased, IntakeSubmitted, StaffChanged
from shared.kafka import Handlers
from shared.postgres import Connection
from shared.questionnaire import load


class NoRubric(Exception):
    """No rubric is in force for a questionnaire."""


async def on_submitted(connection: Connection, event: IntakeSubmitted) -> None:
    """Score a revision once; asked again, say the stored answer again."""
    submission = event.submission
    now = datetime.now(UTC)
    known = await store.known(connection, event.intake_id, submission.revision, submission.questionnaire, now)
    if known.is_erased:
        return
    if known.fact_id is not None:
        await outbox.say_again(connection, [known.fact_id])
        return
    if known.rubric is None:
        raise NoRubric(f"No rubric is in force for questionnaire {submission.questionnaire}.")
    rubric = await handlers.rubric(connection, known.rubric)
    assessment = assess(submission.answers, rubric, load(submission.questionnaire))
    fact = AssessmentCompleted(
        intake_id=event.intake_id,
        version=submission.revision,
        time=now,
        submission=submission,
        assessment=assessment.model_copy(update={"intake_id": event.intake_id, "revision": submission.revision}),
        completed_at=now,
    )
    await store.add_assessment(connection, fact)


async def on_erased(connection: Connection, event: IntakeErased) -> None:
    """Delete what was scored, for good."""
    await erasure.erase(connection, event.intake_id, event.time)
    await store.erase(connection, event.intake_id)


HANDLERS: Handlers = {
    IntakeSubmitted: on_submitted,
    IntakeErased: on_erased,
    StaffChanged: on_staff_changed,
}
