"""What arrives for an intake: proposals by revision, withdrawal and erasure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.recommendation.domain.proposal import Proposal
from services.recommendation.domain.similar import fingerprint
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.recommendation import ProposalState, RecommendationProposed
from shared.postgres import Connection


@dataclass(frozen=True)
class Standing:
    """How far an intake has come: its version, its current revision if it has one, and whether it was ended."""

    version: int
    revision: int | None
    is_withdrawn: bool
    is_erased: bool


class Opening(NamedTuple):
    """The assessment that may open a case, the proposal drawn from it, and the fact that is said then."""

    event: AssessmentCompleted
    proposal: Proposal
    fact: RecommendationProposed


async def open_cases(connection: Connection, openings: Iterable[Opening]) -> set[tuple[UUID, int]]:
    """Open the cases of new intakes, each with its first proposal and the fact of it: all of them, or none.

    Returns intake and revision of those opened; the intakes of the others are known.
    """
    opened = await connection.fetchmany(
        """
        with opened as (
            insert into review_case (intake_id, version, revision)
            select $1, $2, $3 where not exists (select from tombstone where intake_id = $1)
            on conflict do nothing returning intake_id, revision
        ), proposed as (
            insert into proposal (intake_id, revision, state, model, strength, commercial_form, proposal, assessment,
                company, questionnaire, channel, submitted_at, author, fingerprint, proposed_at)
            select $1, $3, 'proposed', $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9::text::jsonb, $10, $11, $12,
                $13, $14, $15
            from opened
        ), said as (
            insert into fact (id, topic, key, version, payload, at) select $16, $17, $1, $2, $18, $15 from opened
        ), waiting as (
            insert into outbox (fact_id) select $16 from opened
        )
        select intake_id, revision from opened
        """,
        [
            (
                fact.intake_id,
                fact.version,
                fact.revision,
                *_contents(event, proposal),
                fact.time,
                fact.event_id,
                fact.topic,
                fact.model_dump_json(by_alias=True),
            )
            for event, proposal, fact in openings
        ],
    )
    return {(row["intake_id"], row["revision"]) for row in opened}


async def add(
    connection: Connection, event: AssessmentCompleted, proposal: Proposal, state: ProposalState, at: datetime
) -> bool:
    """Store the proposal of one more revision; False where that revision has one."""
    added: bool | None = await connection.fetchval(
        """
        insert into proposal (intake_id, revision, state, model, strength, commercial_form, proposal, assessment,
            company, questionnaire, channel, submitted_at, author, fingerprint, proposed_at)
        values ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9::text::jsonb, $10, $11, $12, $13, $14, $15)
        on conflict do nothing returning true
        """,
        event.intake_id,
        event.submission.revision,
        state,
        *_contents(event, proposal),
        at,
    )
    return bool(added)


def _contents(event: AssessmentCompleted, proposal: Proposal) -> tuple[object, ...]:
    submission = event.submission
    levels = {question: answer.level for question, answer in event.assessment.answers.items()}
    return (
        proposal.model,
        proposal.strength,
        proposal.commercial_form,
        proposal.model_dump_json(by_alias=True),
        event.assessment.model_dump_json(by_alias=True),
        submission.company.model_dump_json(),
        submission.questionnaire,
        submission.channel,
        submission.submitted_at,
        submission.author,
        fingerprint(levels, submission.company),
    )


async def lock_standing(connection: Connection, intake_id: UUID) -> Standing | None:
    """How far an intake has come, for nobody else to change until the transaction ends; None where it is unknown."""
    row = await connection.fetchrow(
        """
        select version, revision, withdrawn_at is not null as is_withdrawn, erased_at is not null as is_erased
        from review_case where intake_id = $1 for update
        """,
        intake_id,
    )
    return None if row is None else Standing(**row)


async def make_current(connection: Connection, intake_id: UUID, revision: int, version: int) -> None:
    """Put a revision in the place of the earlier ones."""
    await connection.execute(
        """
        with former as (
            update proposal set state = 'superseded' where intake_id = $1 and revision < $2
        )
        update review_case set revision = $2, version = $3 where intake_id = $1
        """,
        intake_id,
        revision,
        version,
    )


async def withdraw(connection: Connection, intake_id: UUID, at: datetime) -> None:
    """End an intake at its prospect's wish, be its proposal here or still to come; what was stored stays readable."""
    await connection.execute(
        """
        insert into review_case (intake_id, withdrawn_at)
        select $1, $2 where not exists (select from tombstone where intake_id = $1)
        on conflict (intake_id) do update set withdrawn_at = coalesce(review_case.withdrawn_at, excluded.withdrawn_at)
        """,
        intake_id,
        at,
    )
    await connection.execute(
        """
        update proposal set state = 'withdrawn'
        from review_case where review_case.intake_id = $1 and proposal.intake_id = $1
            and proposal.revision = review_case.revision and proposal.state <> 'erased'
        """,
        intake_id,
    )


async def erase(connection: Connection, intake_id: UUID, at: datetime) -> None:
    """Empty every proposal and note of an intake; a case stays, so that one on its way finds it erased."""
    await connection.execute(
        """
        insert into review_case (intake_id, erased_at) values ($1, $2)
        on conflict (intake_id) do update set erased_at = coalesce(review_case.erased_at, excluded.erased_at)
        """,
        intake_id,
        at,
    )
    await connection.execute(
        """
        with notes as (
            update review set note = null where intake_id = $1
        ), words as (
            update review_sequel set note = null where intake_id = $1
        ), reasons as (
            update assignment set reason = null where intake_id = $1
        )
        update proposal set state = 'erased', proposal = null, assessment = null, company = null, fingerprint = null
        where intake_id = $1
        """,
        intake_id,
    )
