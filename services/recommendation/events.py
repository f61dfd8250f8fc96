"""What recommendation hears: assessments to draw a proposal from, withdrawals and erasures."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.recommendation.domain.proposal import Proposal, propose
from services.recommendation.domain.review import arriving
from services.recommendation.handlers import booking
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import calls, documents, lines, outcomes, proposals
from services.recommendation.store.proposals import Opening
from shared import audit, erasure, outbox
from shared.access import on_staff_changed
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased, IntakeWithdrawn, StaffChanged
from shared.contracts.recommendation import RecommendationProposed
from shared.kafka import Handlers, batched
from shared.postgres import Connection
from shared.questionnaire import load


@batched
async def on_completed(connection: Connection, events: Sequence[AssessmentCompleted]) -> None:
    """Propose once for each revision; asked again, say again what was said about the intake."""
    now = datetime.now(UTC)
    first = [_opening(event, now) for event in events]
    opened = await proposals.open_cases(connection, first)
    for event, proposal, fact in first:
        if (fact.intake_id, fact.revision) not in opened:
            async with connection.transaction():
                await _propose_again(connection, event, proposal)


def _opening(event: AssessmentCompleted, now: datetime) -> Opening:
    questionnaire = event.submission.questionnaire
    proposal = propose(event.assessment, PLAYBOOKS[questionnaire], load(questionnaire))
    return Opening(event, proposal, _proposed(event, proposal, 1, now))


async def _propose_again(connection: Connection, event: AssessmentCompleted, proposal: Proposal) -> None:
    standing = await proposals.lock_standing(connection, event.intake_id)
    if standing is None or standing.is_erased:
        return
    revision, now = event.submission.revision, datetime.now(UTC)
    state = arriving(revision, standing.revision, is_withdrawn=standing.is_withdrawn)
    if not await proposals.add(connection, event, proposal, state, now):
        await outbox.resay(connection, key=event.intake_id)
    elif state == "withdrawn":
        await proposals.make_current(connection, event.intake_id, revision, standing.version)
    elif state == "proposed":
        fact = _proposed(event, proposal, standing.version + 1, now)
        await proposals.make_current(connection, event.intake_id, revision, fact.version)
        await outcomes.settle(connection, event.intake_id, now, until=now.date())
        await outcomes.settle(connection, event.intake_id, now, kind="discovery")
        await outbox.say(connection, fact)


def _proposed(event: AssessmentCompleted, proposal: Proposal, version: int, at: datetime) -> RecommendationProposed:
    return RecommendationProposed(
        intake_id=event.intake_id,
        version=version,
        time=at,
        revision=event.submission.revision,
        model=proposal.model,
        strength=proposal.strength,
        commercial_form=proposal.commercial_form,
    )


async def on_withdrawn(connection: Connection, event: IntakeWithdrawn) -> None:
    """Take the case off the queue, and cancel the call that stands."""
    await proposals.withdraw(connection, event.intake_id, event.time)
    await booking.call_off(connection, event.intake_id, datetime.now(UTC))


async def on_erased(connection: Connection, event: IntakeErased) -> None:
    """Delete answers, company, notes and what documents say; ids, model, decision, hashes and times stay."""
    await proposals.erase(connection, event.intake_id, event.time)
    await documents.erase(connection, event.intake_id, event.time)
    await calls.erase(connection, event.intake_id)
    await outcomes.erase(connection, event.intake_id, event.time)
    await lines.erase(connection, event.intake_id)
    if await erasure.erase(connection, event.intake_id, event.time):
        await audit.record(connection, "erased", event.intake_id, event.time)


HANDLERS: Handlers = {
    AssessmentCompleted: on_completed,
    IntakeWithdrawn: on_withdrawn,
    IntakeErased: on_erased,
    StaffChanged: on_staff_changed,
}
