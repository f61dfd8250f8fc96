"""What became of cases, and what is to be come back to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import asyncpg

from services.recommendation.domain.outcome import Due, FollowUp, Recorded
from services.recommendation.domain.review import Reviewer
from shared.contracts.recommendation import Model, ProposalState
from shared.postgres import Connection, rows_affected

PAGE = 50

OPEN = """
    select intake_id, kind, due_on from follow_up where done_at is null
    union all
    select intake_id, 'question', (max(asked.at) at time zone 'UTC')::date
    from document_answer asked
    where answer = 'asked' and version > (
        select coalesce(max(version), 0) from document_reply reply where reply.intake_id = asked.intake_id
    )
    group by intake_id
"""


@dataclass(frozen=True)
class Waiting:
    """Something about a case and its document that waits for its host, who has it in hand or released it.

    A question is due from the day it was asked.
    """

    intake_id: UUID
    kind: Due | Literal["question"]
    due_on: date
    company: str | None
    state: ProposalState
    model: Model
    host: Reviewer


async def record(connection: Connection, intake_id: UUID, outcome: Recorded) -> None:
    """Keep what became of a case."""
    await connection.execute(
        """
        insert into outcome (intake_id, version, number, outcome, model_used, reason_code, happened_on, note,
            recorded_by, recorded_by_name, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        intake_id,
        outcome.version,
        outcome.number,
        outcome.outcome,
        outcome.model_used,
        outcome.reason_code,
        outcome.happened_on,
        outcome.note,
        outcome.by.id,
        outcome.by.name,
        outcome.at,
    )


async def of_case(connection: Connection, intake_id: UUID) -> list[Recorded]:
    """What became of a case, the last first."""
    rows = await connection.fetch("select * from outcome where intake_id = $1 order by version desc", intake_id)
    return [
        Recorded(
            version=row["version"],
            number=row["number"],
            outcome=row["outcome"],
            model_used=row["model_used"],
            reason_code=row["reason_code"],
            happened_on=row["happened_on"],
            note=row["note"],
            by=Reviewer(row["recorded_by"], row["recorded_by_name"]),
            at=row["at"],
        )
        for row in rows
    ]


async def come_back_to(connection: Connection, intake_id: UUID, due: Mapping[Due, date]) -> None:
    """Put things on the list, each in the place of the last of its kind."""
    await connection.executemany(
        """
        insert into follow_up (intake_id, kind, due_on) values ($1, $2, $3)
        on conflict (intake_id, kind) do update set due_on = excluded.due_on, done_at = null, done_by = null
        """,
        [(intake_id, kind, day) for kind, day in due.items()],
    )


async def settle(
    connection: Connection,
    intake_id: UUID,
    at: datetime,
    *,
    by: UUID | None = None,
    kind: Due | None = None,
    until: date | None = None,
) -> bool:
    """Take what is open off the list: all of it, one kind, or what is due until a day; True where there was any."""
    status = await connection.execute(
        """
        update follow_up set done_at = $2, done_by = $3
        where intake_id = $1 and done_at is null and ($4::text is null or kind = $4)
            and ($5::date is null or due_on <= $5)
        """,
        intake_id,
        at,
        by,
        kind,
        until,
    )
    return rows_affected(status) > 0


async def snooze(connection: Connection, intake_id: UUID, kind: Due, until: date) -> bool:
    """Leave something aside until a day; False where it is not on the list."""
    status = await connection.execute(
        "update follow_up set due_on = $3 where intake_id = $1 and kind = $2 and done_at is null",
        intake_id,
        kind,
        until,
    )
    return rows_affected(status) > 0


async def open_of_case(connection: Connection, intake_id: UUID) -> list[FollowUp]:
    """What is still to be come back to about a case, the next first."""
    rows = await connection.fetch(
        "select intake_id, kind, due_on from follow_up where intake_id = $1 and done_at is null order by due_on, kind",
        intake_id,
    )
    return [FollowUp(**row) for row in rows]


async def waiting(
    connection: Connection,
    today: date,
    *,
    host: UUID | None = None,
    is_later: bool = False,
    after: tuple[date, UUID, str] | None = None,
) -> list[Waiting]:
    """At most a page of what is due, or will be later, longest due first; `after` is the last on the page before."""
    rows = await connection.fetch(
        f"""
        select intake_id, kind, due_on, company ->> 'name' as company, state, released.model,
            coalesce(assignee, released_by) as host, coalesce(assignee_name, released_by_name) as host_name
        from ({OPEN}) waits
            join review_case using (intake_id)
            join proposal using (intake_id, revision)
            cross join lateral (
                select released_by, released_by_name, model from document last
                where last.intake_id = waits.intake_id order by number desc limit 1
            ) released
        where (due_on > $1) = $2 and ($3::uuid is null or coalesce(assignee, released_by) = $3)
            and state not in ('withdrawn', 'erased') and (kind <> 'question' or state in ('released', 'expired'))
            and ($4::date is null or (due_on, intake_id, kind) > ($4, $5::uuid, $6::text))
        order by due_on, intake_id, kind limit $7
        """,  # noqa: S608 - the statement within is a literal
        today,
        is_later,
        host,
        *(after or (None, None, None)),
        PAGE,
    )
    return [_waiting(row) for row in rows]


async def erase(connection: Connection, intake_id: UUID, at: datetime) -> None:
    """Delete what was written about an outcome and take the case off the list; codes and times stay."""
    await connection.execute("update outcome set note = null where intake_id = $1", intake_id)
    await settle(connection, intake_id, at)


def _waiting(row: asyncpg.Record) -> Waiting:
    return Waiting(
        intake_id=row["intake_id"],
        kind=row["kind"],
        due_on=row["due_on"],
        company=row["company"],
        state=row["state"],
        model=row["model"],
        host=Reviewer(row["host"], row["host_name"]),
    )
