"""Intakes: what was submitted, where it stands, and what still waits for an answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.intake.domain.submission import ConsentForm, ContactForm
from services.intake.store import timeline
from shared.contracts.assessment import Assessment
from shared.contracts.intake import Answer, Campaign, Channel, Company, IntakeErased, IntakeSubmitted, IntakeWithdrawn
from shared.postgres import Connection

MOST_ASKS = 10


@dataclass(frozen=True)
class IntakeStatus:
    """Where an intake stands, as far as intake has heard."""

    intake_id: UUID
    state: str
    revision: int
    version: int
    channel: Channel
    language: str
    submitted_at: datetime
    campaign: Campaign | None
    assessment: Assessment | None
    assignee_name: str | None
    is_stuck: bool


@dataclass(frozen=True)
class StoredRevision:
    """The answers of one revision as they were given."""

    number: int
    submitted_at: datetime
    questionnaire: str
    given: dict[str, Answer]
    company: Company


async def accept(
    connection: Connection,
    fact: IntakeSubmitted,
    *,
    given: dict[str, Answer],
    contact: ContactForm | None,
    consent: ConsentForm,
    caller: UUID,
    route: str,
    key: str | None,
    body_hash: bytes,
    response: str,
) -> bool:
    """Take in a first revision with its fact, in one statement that commits itself.

    False where the caller's key was used before: nothing is written then, and a concurrent first use is waited for.
    """
    submission = fact.submission
    accepted: bool = await connection.fetchval(
        """
        with answer as (
            insert into idempotency (caller, route, key, body_hash, status, response)
            select $1, $2, $3, $4, 202, $5 where $3::text is not null
            on conflict do nothing returning true
        ), first as (
            select true where $3::text is null or exists (select from answer)
        ), new as (
            insert into intake (id, channel, language, contact_name, contact_email, consent, revision, version,
                                submitted_at, state_since, ask_again_at, campaign)
            select $6, $7, $8, $9, $10, $11, $12, $13, $14::timestamptz, $14, $14::timestamptz + interval '1 minute',
                $22
            from first
            returning id
        ), answers as (
            insert into revision (intake_id, revision, fact_id, questionnaire, answers, company, submitted_at)
            select id, $12, $15, $16, $17, $18, $14 from new
        ), said as (
            insert into fact (id, topic, key, version, payload, at) select $15, $19, id, $13, $20, $14 from new
        ), queued as (
            insert into outbox (fact_id) select $15 from new
        ), noted as (
            insert into timeline (event_id, intake_id, topic, at, detail) select $15, id, $19, $14, $21 from new
        )
        select exists (select from first)
        """,
        caller,
        route,
        key,
        body_hash,
        response,
        fact.intake_id,
        submission.channel,
        submission.language,
        contact and contact.name,
        contact and contact.email,
        consent.model_dump(),
        submission.revision,
        fact.version,
        fact.time,
        fact.event_id,
        submission.questionnaire,
        _as_json(given),
        submission.company.model_dump(),
        fact.topic,
        fact.model_dump_json(),
        {"revision": submission.revision},
        submission.campaign and submission.campaign.model_dump(exclude_none=True),
    )
    return accepted


async def add_revision(connection: Connection, fact: IntakeSubmitted, given: dict[str, Answer]) -> None:
    """Store a further revision and make it the current one; the caller says the fact and holds the intake's lock."""
    submission = fact.submission
    await connection.execute(
        """
        with answers as (
            insert into revision (intake_id, revision, fact_id, questionnaire, answers, company, submitted_at)
            values ($1, $2, $3, $4, $5, $6, $7::timestamptz)
        )
        update intake set revision = $2, version = $8, state = 'submitted', state_since = $7, assessment = null,
            asked_again = 0, ask_again_at = $7::timestamptz + interval '1 minute' where id = $1
        """,
        fact.intake_id,
        submission.revision,
        fact.event_id,
        submission.questionnaire,
        _as_json(given),
        submission.company.model_dump(),
        fact.time,
        fact.version,
    )
    await timeline.note(connection, fact, {"revision": submission.revision})


async def lock(connection: Connection, intake_id: UUID) -> IntakeStatus | None:
    """An intake, held until the transaction ends, or None."""
    return await _status(connection, intake_id, "for update of intake")


async def status(connection: Connection, intake_id: UUID) -> IntakeStatus | None:
    """Where an intake stands, or None where there is none."""
    return await _status(connection, intake_id, "")


async def _status(connection: Connection, intake_id: UUID, locking: str) -> IntakeStatus | None:
    row = await connection.fetchrow(
        f"""
        select intake.*, coalesce(staff.name, case when assignee is not null then 'a colleague' end) as assignee_name,
            asked_again >= $2 and ask_again_at is not null as is_stuck
        from intake left join staff on staff.id = intake.assignee where intake.id = $1 {locking}
        """,  # noqa: S608 - the locking clause is one of two literals
        intake_id,
        MOST_ASKS,
    )
    return None if row is None else _intake_status(row)


def _intake_status(row: asyncpg.Record) -> IntakeStatus:
    return IntakeStatus(
        intake_id=row["id"],
        state=row["state"],
        revision=row["revision"],
        version=row["version"],
        channel=row["channel"],
        language=row["language"],
        submitted_at=row["submitted_at"],
        campaign=None if row["campaign"] is None else Campaign.model_validate(row["campaign"]),
        assessment=None if row["assessment"] is None else Assessment.model_validate(row["assessment"]),
        assignee_name=row["assignee_name"],
        is_stuck=row["is_stuck"],
    )


async def current_revision(connection: Connection, intake_id: UUID) -> StoredRevision:
    """What was given in the current revision of an intake that has not been erased."""
    row = await connection.fetchrow(
        """
        select revision.* from revision join intake on intake.id = revision.intake_id
            and intake.revision = revision.revision where intake.id = $1
        """,
        intake_id,
    )
    assert row is not None
    return _revision(row)


async def revisions(connection: Connection, intake_id: UUID) -> list[StoredRevision]:
    """Everything that was ever given, the first revision first; nothing after erasure."""
    rows = await connection.fetch("select * from revision where intake_id = $1 order by revision", intake_id)
    return [_revision(row) for row in rows]


def _revision(row: asyncpg.Record) -> StoredRevision:
    return StoredRevision(
        number=row["revision"],
        submitted_at=row["submitted_at"],
        questionnaire=row["questionnaire"],
        given={question: Answer.model_validate(answer) for question, answer in row["answers"].items()},
        company=Company.model_validate(row["company"]),
    )


async def contact(connection: Connection, intake_id: UUID) -> ContactForm | None:
    """Whom to answer, or None where that was erased."""
    row = await connection.fetchrow("select contact_name, contact_email from intake where id = $1", intake_id)
    if row is None or row["contact_email"] is None:
        return None
    return ContactForm(name=row["contact_name"], email=row["contact_email"])


async def consent(connection: Connection, intake_id: UUID) -> ConsentForm | None:
    """What the contact has agreed to, or None where that was erased."""
    stored = await connection.fetchval("select consent from intake where id = $1", intake_id)
    return None if stored is None else ConsentForm.model_validate(stored)


async def withdraw(connection: Connection, fact: IntakeWithdrawn) -> None:
    """Mark an intake as taken back; nothing is awaited any more."""
    await connection.execute(
        "update intake set state = 'withdrawn', state_since = $3, version = $2, ask_again_at = null where id = $1",
        fact.intake_id,
        fact.version,
        fact.time,
    )
    await timeline.note(connection, fact, {})


async def erase(connection: Connection, fact: IntakeErased) -> None:
    """Delete who asked, what was answered and what was written about it; ids, versions and times stay."""
    for forget in (
        "delete from revision where intake_id = $1",
        "delete from note where intake_id = $1",
        "update ownership set reason = null where intake_id = $1",
    ):
        await connection.execute(forget, fact.intake_id)
    await connection.execute(
        """
        update intake set state = 'erased', state_since = $3, version = $2, contact_name = null, contact_email = null,
            consent = null, campaign = null, assessment = null, ask_again_at = null where id = $1
        """,
        fact.intake_id,
        fact.version,
        fact.time,
    )
    await timeline.note(connection, fact, {})


async def forgotten(connection: Connection, now: datetime, kept: timedelta) -> list[UUID]:
    """Intakes to which nothing has happened for so long, and which the client has not accepted; the oldest few."""
    rows = await connection.fetch(
        """
        select id from intake where state not in ('accepted', 'erased') and state_since < $1::timestamptz - $2::interval
            and not exists (select from timeline where intake_id = intake.id and at >= $1::timestamptz - $2::interval)
        order by state_since limit 100
        """,
        now,
        kept,
    )
    return [row["id"] for row in rows]


async def ask_again(connection: Connection, now: datetime) -> list[UUID]:
    """Facts of current revisions that have had no answer and are due to be said again, later each time, ten times."""
    rows = await connection.fetch(
        """
        with due as (
            select id from intake where ask_again_at <= $1 and asked_again < $2
            order by ask_again_at limit 500 for update skip locked
        ), asked as (
            update intake set asked_again = asked_again + 1,
                ask_again_at = $1::timestamptz + interval '1 minute' * power(2, asked_again)
            from due where intake.id = due.id returning intake.id, revision
        )
        select fact_id from asked join revision on revision.intake_id = asked.id and revision.revision = asked.revision
        """,
        now,
        MOST_ASKS,
    )
    return [row["fact_id"] for row in rows]


def _as_json(given: dict[str, Answer]) -> dict[str, Any]:
    return {question: answer.model_dump() for question, answer in given.items()}
