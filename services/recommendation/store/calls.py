"""Calls with clients, and the hours that colleagues take them in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.recommendation.domain.booking import Call, Hours, Period, TimeGone
from services.recommendation.domain.review import Reviewer
from shared.contracts.recommendation import ProposalState
from shared.postgres import Connection

PAGE = 50


@dataclass(frozen=True)
class Listed:
    """A call with the company it is with, None after erasure, and the state of its case."""

    call: Call
    company: str | None
    state: ProposalState


async def hours(connection: Connection, host: UUID) -> Hours | None:
    """When somebody takes calls; None where they never said, or whose account has ended."""
    found = await connection.fetchval(
        """
        select hours from call_hours
        where host = $1 and not exists (select from staff where staff.id = host and not active)
        """,
        host,
    )
    return None if found is None else Hours.model_validate(found)


async def keep_hours(connection: Connection, host: UUID, hours: Hours) -> None:
    """Store when somebody takes calls from now on; calls that are booked stay."""
    await connection.execute(
        "insert into call_hours (host, hours) values ($1, $2) on conflict (host) do update set hours = excluded.hours",
        host,
        hours.model_dump(mode="json"),
    )


async def taken(connection: Connection, host: UUID, since: datetime, besides: UUID | None) -> list[Period]:
    """When somebody has calls, besides one that is to be moved."""
    rows = await connection.fetch(
        """
        select starts_at, ends_at from call
        where host = $1 and status = 'booked' and ends_at > $2 and id is distinct from $3
        """,
        host,
        since,
        besides,
    )
    return [Period(**row) for row in rows]


async def keep(connection: Connection, call: Call) -> None:
    """Store a call, new or changed. Raises TimeGone where its host has another at that time."""
    try:
        await connection.execute(
            """
            insert into call (id, intake_id, number, host, host_name, starts_at, ends_at, zone, status, sequence, name,
                note, booked_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            on conflict (id) do update set starts_at = $6, ends_at = $7, zone = $8, status = $9, sequence = $10,
                name = $11, note = $12
            """,
            call.id,
            call.intake_id,
            call.number,
            call.host.id,
            call.host.name,
            call.starts_at,
            call.ends_at,
            call.zone,
            call.status,
            call.sequence,
            call.name,
            call.note,
            call.booked_at,
        )
    except asyncpg.ExclusionViolationError as refusal:
        raise TimeGone from refusal


async def of_case(connection: Connection, intake_id: UUID) -> list[Call]:
    """The calls about a case, the one booked last first."""
    rows = await connection.fetch("select * from call where intake_id = $1 order by booked_at desc, id", intake_id)
    return [_call(row) for row in rows]


async def last(connection: Connection, intake_id: UUID) -> Call | None:
    """The call about a case that was booked last, or None."""
    return next(iter(await of_case(connection, intake_id)), None)


async def find(connection: Connection, call_id: UUID) -> Call | None:
    """One call, or None."""
    row = await connection.fetchrow("select * from call where id = $1", call_id)
    return None if row is None else _call(row)


async def listed(
    connection: Connection, host: UUID | None, now: datetime, *, are_past: bool = False, after: UUID | None = None
) -> list[Listed]:
    """At most a page of calls, of one host or of all: those to come in their order, or the past ones, latest first."""
    rows = await connection.fetch(
        """
        select call.*, company ->> 'name' as company, state
        from call join review_case using (intake_id) join proposal using (intake_id, revision)
        where ($1::uuid is null or host = $1) and (ends_at <= $2) = $3
            and ($4::uuid is null or ($5 * extract(epoch from starts_at), id) > (
                select $5 * extract(epoch from last.starts_at), last.id from call last where last.id = $4
            ))
        order by $5 * extract(epoch from starts_at), id limit $6
        """,
        host,
        now,
        are_past,
        after,
        -1 if are_past else 1,
        PAGE,
    )
    return [Listed(_call(row), row["company"], row["state"]) for row in rows]


async def erase(connection: Connection, intake_id: UUID) -> None:
    """Delete who was to be called and what they wrote, and give back the time; host and times stay."""
    await connection.execute(
        """
        update call set name = null, note = null, status = case when ends_at > now() then 'cancelled' else status end
        where intake_id = $1
        """,
        intake_id,
    )


def _call(row: asyncpg.Record) -> Call:
    return Call(
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        id=row["id"],
        intake_id=row["intake_id"],
        number=row["number"],
        host=Reviewer(row["host"], row["host_name"]),
        zone=row["zone"],
        status=row["status"],
        sequence=row["sequence"],
        name=row["name"],
        note=row["note"],
        booked_at=row["booked_at"],
    )
