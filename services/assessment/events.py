"""What assessment hears: submissions to score, and erasures."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from services.assessment import handlers, store
from services.assessment.domain.rubric import Rubric
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
    """Score each revision once, under the rubric in force; asked again, say the stored answer again.

    One that comes alone is nearly always new: it is scored under the rubric of the last one, and stored if that holds.
    """
    if len(events) == 1:
        (event,) = events
        events = await _score_and_store(connection, [(event, handlers.last_rubric(event.submission.questionnaire))])
    while events:
        again, new = [], []
        for event, known in zip(events, await store.known(connection, events, datetime.now(UTC)), strict=True):
            if known.fact_id is not None:
                again.append(known.fact_id)
            elif not known.is_erased:
                new.append((event, await _rubric(connection, event, known.rubric)))
        if again:
            await outbox.say_again(connection, again)
        events = await _score_and_store(connection, new)


async def _score_and_store(
    connection: Connection, new: Sequence[tuple[IntakeSubmitted, Rubric | None]]
) -> list[IntakeSubmitted]:
    """Score events and store what still is new and under the rubric in force; returns the others."""
    scored: list[AssessmentCompleted] = []
    for event, rubric in new:
        if scored:
            await asyncio.sleep(0)  # others on the loop have their turn between two of many
        if rubric is not None:
            scored.append(_score(event, rubric))
    stored = await store.add_assessments(connection, scored) if scored else set()
    return [event for event, _ in new if (event.intake_id, event.submission.revision) not in stored]


async def _rubric(connection: Connection, event: IntakeSubmitted, rubric_hash: str | None) -> Rubric:
    if rubric_hash is None:
        raise NoRubric(f"No rubric is in force for questionnaire {event.submission.questionnaire}.")
    return await handlers.rubric(connection, rubric_hash)


def _score(event: IntakeSubmitted, rubric: Rubric) -> AssessmentCompleted:
    submission, now = event.submission, datetime.now(UTC)
    assessment = assess(submission.answers, rubric, load(submission.questionnaire))
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
    await store.erase(connection, event.intake_id)
    await erasure.erase(connection, event.intake_id, event.time)


HANDLERS: Handlers = {
    IntakeSubmitted: on_submitted,
    IntakeErased: on_erased,
    StaffChanged: on_staff_changed,
}
