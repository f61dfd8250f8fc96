"""What assessment hears: submissions to score, and erasures."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from services.assessment import handlers, store
from services.assessment.domain.scoring import assess
from shared import erasure, outbox
from shared.access import on_staff_changed
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased, IntakeSubmitted, StaffChanged
from shared.kafka import Handlers, batched
from shared.postgres import Connection
from shared.questionnaire import load


class NoRubric(Exception):
    """No rubric is in force for a questionnaire."""


@batched
async def on_submitted(connection: Connection, events: Sequence[IntakeSubmitted]) -> None:
    """Score each revision once; asked again, say the stored answer again."""
    now = datetime.now(UTC)
    again, scored = [], []
    for event, known in zip(events, await store.known(connection, events, now), strict=True):
        if known.fact_id is not None:
            again.append(known.fact_id)
        elif not known.is_erased:
            scored.append(await _score(connection, event, known.rubric, now))
    if again:
        await outbox.say_again(connection, again)
    if scored:
        await store.add_assessments(connection, scored)


async def _score(
    connection: Connection, event: IntakeSubmitted, rubric_hash: str | None, now: datetime
) -> AssessmentCompleted:
    submission = event.submission
    if rubric_hash is None:
        raise NoRubric(f"No rubric is in force for questionnaire {submission.questionnaire}.")
    rubric = await handlers.rubric(connection, rubric_hash)
    assessment = assess(submission.answers, rubric, load(submission.questionnaire))
    await asyncio.sleep(0)  # others on the loop have their turn between two of many
    return AssessmentCompleted(
        intake_id=event.intake_id,
        version=submission.revision,
        time=now,
        submission=submission,
        assessment=assessment.model_copy(update={"intake_id": event.intake_id, "revision": submission.revision}),
        completed_at=now,
    )


async def on_erased(connection: Connection, event: IntakeErased) -> None:
    """Delete what was scored, for good."""
    await erasure.erase(connection, event.intake_id, event.time)
    await store.erase(connection, event.intake_id)


HANDLERS: Handlers = {
    IntakeSubmitted: on_submitted,
    IntakeErased: on_erased,
    StaffChanged: on_staff_changed,
}
