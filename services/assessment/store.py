"""The SQL of assessment: rubrics and assessments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.assessment.domain.activations import Kind, Signed, Step
from services.assessment.domain.rubric import Rubric
from services.assessment.domain.shadow import Stored
from shared.contracts.assessment import AssessmentCompleted, Reason
from shared.contracts.intake import IntakeSubmitted
from shared.postgres import Connection


@dataclass(frozen=True)
class Known:
    """What is known of a submission before it is scored."""

    is_erased: bool
    fact_id: UUID | None
    rubric: str | None


async def known(connection: Connection, events: Sequence[IntakeSubmitted], at: datetime) -> list[Known]:
    """For each: was its intake erased, which fact was said about the revision already, which rubric is in force."""
    rows = await connection.fetchmany(
        """
        select exists (select from tombstone where intake_id = $1) as is_erased,
            (select fact_id from assessment where intake_id = $1 and revision = $2) as fact_id,
            rubric_in_force($3, $4) as rubric
        """,
        [(event.intake_id, event.submission.revision, event.submission.questionnaire, at) for event in events],
    )
    return [Known(**row) for row in rows]


async def add_assessments(connection: Connection, facts: Iterable[AssessmentCompleted]) -> set[tuple[UUID, int]]:
    """Store assessments and put their facts in the outbox, or nothing at all where that fails.

    Left out are revisions that have one, intakes that were erased, and what was scored under a rubric that is not in
    force at that moment. Returns intake and revision of the others.
    """
    stored = await connection.fetchmany(
        """
        with kept as (
            insert into assessment (intake_id, revision, fact_id, rubric, assessment, completed_at)
            select $1, $2, $3, $4, $5::text::jsonb -> 'assessment', $6
            where $4 = (select version from rubric where hash = rubric_in_force($9, $6))
                and not exists (select from tombstone where intake_id = $1)
            on conflict do nothing returning intake_id, revision, fact_id
        ), said as (
            insert into fact (id, topic, key, version, payload, at) select fact_id, $7, $1, $8, $5::text, $6 from kept
        ), queued as (
            insert into outbox (fact_id) select fact_id from kept
        )
        select intake_id, revision from kept
        """,
        [
            (
                fact.intake_id,
                fact.submission.revision,
                fact.event_id,
                fact.assessment.rubric.version,
                fact.model_dump_json(by_alias=True),
                fact.completed_at,
                fact.topic,
                fact.version,
                fact.submission.questionnaire,
            )
            for fact in facts
        ],
    )
    return {(row["intake_id"], row["revision"]) for row in stored}


async def current_assessment(connection: Connection, intake_id: UUID) -> dict[str, Any] | None:
    """The assessment of an intake's highest revision, or None."""
    found: dict[str, Any] | None = await connection.fetchval(
        "select assessment from assessment where intake_id = $1 order by revision desc limit 1", intake_id
    )
    return found


async def cases(connection: Connection) -> int:
    """How many intakes have an assessment."""
    found: int = await connection.fetchval("select count(distinct intake_id) from assessment")
    return found


async def stored_cases(connection: Connection, after: UUID | None, limit: int) -> list[Stored]:
    """The current revisions of the next intakes in the order of their ids."""
    rows = await connection.fetch(
        """
        select distinct on (intake_id) intake_id, rubric, assessment ->> 'verdict' as verdict,
            assessment ->> 'strength' as strength, assessment -> 'margin' as margin,
            assessment -> 'reasons' as reasons, assessment -> 'answers' as answers,
            assessment -> 'questionnaire' ->> 'version' as questionnaire
        from assessment where $1::uuid is null or intake_id > $1
        order by intake_id, revision desc limit $2
        """,
        after,
        limit,
    )
    return [
        Stored(
            intake_id=row["intake_id"],
            questionnaire=row["questionnaire"],
            rubric=row["rubric"],
            verdict=row["verdict"],
            strength=row["strength"],
            margin=(row["margin"]["low"], row["margin"]["high"]),
            reasons=tuple(Reason(**reason) for reason in row["reasons"]),
            answers={question: answer["level"] for question, answer in row["answers"].items()},
        )
        for row in rows
    ]


async def erase(connection: Connection, intake_id: UUID) -> None:
    """Delete every assessment of an intake, also one that is being stored meanwhile: each holds the answers."""
    await connection.execute("lock table assessment in share row exclusive mode")
    await connection.execute("delete from assessment where intake_id = $1", intake_id)


async def seed_rubric(connection: Connection, rubric: Rubric, content: str, at: datetime) -> None:
    """Put a packaged rubric in force; nothing happens where its version is there already."""
    await connection.execute(
        """
        with added as (
            insert into rubric (version, questionnaire, hash, content) values ($1, $2, $3, $4)
            on conflict do nothing returning version
        )
        insert into activation (kind, rubric, active_from, at) select 'packaged', version, $5, $5 from added
        """,
        rubric.version,
        rubric.questionnaire,
        rubric.hash,
        content,
        at,
    )


async def lock_history(connection: Connection) -> None:
    """Let nobody else take a step until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock(hashtext('assessment rubrics'))")


async def history(connection: Connection, questionnaire: str | None = None) -> list[Step]:
    """All steps, or one questionnaire's, the oldest first."""
    rows = await connection.fetch(
        """
        select id, kind, rubric, questionnaire, hash, active_from, at, undoes, author_name, signer_name, reason
        from activation join rubric on version = rubric
        where $1::text is null or questionnaire = $1 order by id
        """,
        questionnaire,
    )
    return [Step(**row) for row in rows]


async def add_rubric(connection: Connection, rubric: Rubric, content: str) -> None:
    """Keep a rubric; a version that is there already stays as it is."""
    await connection.execute(
        "insert into rubric (version, questionnaire, hash, content) values ($1, $2, $3, $4) on conflict do nothing",
        rubric.version,
        rubric.questionnaire,
        rubric.hash,
        content,
    )


async def add_step(
    connection: Connection,
    kind: Kind,
    rubric: str,
    signed: Signed,
    *,
    active_from: datetime,
    at: datetime,
    undoes: int | None = None,
) -> None:
    """Add a step to the history."""
    await connection.execute(
        """
        insert into activation
            (kind, rubric, active_from, at, undoes, author, author_name, signer, signer_name, reason)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        kind,
        rubric,
        active_from,
        at,
        undoes,
        signed.author.id,
        signed.author.name,
        signed.signer.id,
        signed.signer.name,
        signed.reason,
    )


async def rubric_in_force(connection: Connection, questionnaire: str, at: datetime) -> str | None:
    """The hash of the rubric that scores a questionnaire at a time, or None."""
    found: str | None = await connection.fetchval("select rubric_in_force($1, $2)", questionnaire, at)
    return found


async def rubric_hash(connection: Connection, version: str) -> str | None:
    """The hash of a rubric by its version, or None."""
    found: str | None = await connection.fetchval("select hash from rubric where version = $1", version)
    return found


async def rubric_text(connection: Connection, rubric_hash: str) -> tuple[str, str]:
    """The questionnaire and the YAML of a rubric that is there."""
    row = await connection.fetchrow("select questionnaire, content from rubric where hash = $1", rubric_hash)
    assert row is not None
    return row["questionnaire"], row["content"]
