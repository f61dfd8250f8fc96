"""The SQL of assessment: rubrics and assessments."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.assessment.domain.rubric import Rubric
from shared.contracts.assessment import AssessmentCompleted
from shared.postgres import Connection


@dataclass(frozen=True)
class Known:
    """What is known of a submission before it is scored."""

    is_erased: bool
    fact_id: UUID | None
    rubric: str | None


async def known(connection: Connection, intake_id: UUID, revision: int, questionnaire: str) -> Known:
    """Whether an intake was erased, the fact already said about a revision, and the hash of the rubric in force."""
    row = await connection.fetchrow(
        """
        select exists (select from tombstone where intake_id = $1) as is_erased,
            (select fact_id from assessment where intake_id = $1 and revision = $2) as fact_id,
            (select hash from rubric where questionnaire = $3 and active_from <= now()
             order by active_from desc limit 1) as rubric
        """,
        intake_id,
        revision,
        questionnaire,
    )
    assert row is not None
    return Known(row["is_erased"], row["fact_id"], row["rubric"])


async def add_assessment(connection: Connection, fact: AssessmentCompleted) -> None:
    """Store an assessment and put its fact in the outbox."""
    await connection.execute(
        """
        with kept as (
            insert into assessment (intake_id, revision, fact_id, rubric, assessment, completed_at)
            values ($1, $2, $3, $4, $5::text::jsonb, $6)
        ), said as (
            insert into fact (id, topic, key, version, payload, at) values ($3, $7, $1, $8, $9, $6)
        )
        insert into outbox (fact_id) values ($3)
        """,
        fact.intake_id,
        fact.submission.revision,
        fact.event_id,
        fact.assessment.rubric.version,
        fact.assessment.model_dump_json(by_alias=True),
        fact.completed_at,
        fact.topic,
        fact.version,
        fact.model_dump_json(by_alias=True),
    )


async def current_assessment(connection: Connection, intake_id: UUID) -> dict[str, Any] | None:
    """The assessment of an intake's highest revision, or None."""
    found: dict[str, Any] | None = await connection.fetchval(
        "select assessment from assessment where intake_id = $1 order by revision desc limit 1", intake_id
    )
    return found


async def erase(connection: Connection, intake_id: UUID) -> None:
    """Delete every assessment of an intake: each holds the answers."""
    await connection.execute("delete from assessment where intake_id = $1", intake_id)


async def publish_rubric(connection: Connection, rubric: Rubric, content: str) -> None:
    """Put a rubric in force from now on; a version that is there already stays as it is."""
    await connection.execute(
        "insert into rubric (version, questionnaire, hash, content) values ($1, $2, $3, $4) on conflict do nothing",
        rubric.version,
        rubric.questionnaire,
        rubric.hash,
        content,
    )


async def rubric_in_force(connection: Connection, questionnaire: str) -> str | None:
    """The hash of the rubric that scores a questionnaire now, or None."""
    found: str | None = await connection.fetchval(
        """
        select hash from rubric where questionnaire = $1 and active_from <= now()
        order by active_from desc limit 1
        """,
        questionnaire,
    )
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
