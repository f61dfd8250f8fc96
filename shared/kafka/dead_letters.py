"""What arrived and could not be used: kept as it arrived, listed, handled once more, or laid aside by a person."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shared.postgres import Connection, rows_affected

MAX_DETAIL = 500

State = Literal["open", "replayed", "discarded"]


@dataclass(frozen=True)
class Arrival:
    """A record as Kafka delivered it. Header values are text with undecodable bytes escaped."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: dict[str, str]
    value: bytes | None

    @property
    def event_id(self) -> UUID | None:
        """The CloudEvents id, where there is a readable one."""
        return _uuid(self.headers.get("ce_id"))

    @property
    def aggregate_id(self) -> UUID | None:
        """What the record is about, from its key or its subject, so that erasure finds it."""
        key = None if self.key is None else self.key.decode("utf-8", "replace")
        return _uuid(key) or _uuid(self.headers.get("ce_subject"))

    @property
    def identity(self) -> str:
        """The event id, else the hash of the bytes: a record that comes again is the same dead letter."""
        if self.event_id is not None:
            return str(self.event_id)
        content = b"\0".join((self.topic.encode(), self.key or b"", self.value or b""))
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class DeadLetter:
    """A stored arrival, why it was refused, and what became of it."""

    id: UUID
    arrival: Arrival
    reason: str
    detail: str
    fingerprint: str
    attempts: int
    state: State
    first_at: datetime
    last_at: datetime


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _storable(text: str) -> str:
    """Postgres takes every character but NUL."""
    return text.replace("\0", "\\0")


async def bury(connection: Connection, arrival: Arrival, reason: str, detail: str) -> None:
    """Keep a record that cannot be used; one that comes again counts another attempt and is open again.

    A record about an erased intake is not kept.
    """
    fingerprint = hashlib.sha256(f"{arrival.topic}|{reason}|{detail}".encode()).hexdigest()[:12]
    await connection.execute(
        """
        insert into dead_letter
            (identity, topic, partition, "offset", key, headers, value, aggregate_id, reason, detail, fingerprint)
        select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
        where not exists (select from tombstone where intake_id = $8)
        on conflict (identity) do update set attempts = dead_letter.attempts + 1, last_at = now(),
            state = case when dead_letter.state = 'discarded' then 'discarded' else 'open' end,
            reason = excluded.reason, detail = excluded.detail, fingerprint = excluded.fingerprint
        """,
        arrival.identity,
        arrival.topic,
        arrival.partition,
        arrival.offset,
        arrival.key,
        {_storable(name): _storable(value) for name, value in arrival.headers.items()},
        arrival.value,
        arrival.aggregate_id,
        reason,
        _storable(detail)[:MAX_DETAIL],
        fingerprint,
    )


async def find(
    connection: Connection, *, state: State | None = "open", fingerprint: str | None = None
) -> list[DeadLetter]:
    """The dead letters, oldest first, optionally only one state or one kind of failure."""
    rows = await connection.fetch(
        """
        select * from dead_letter
        where ($1::text is null or state = $1) and ($2::text is null or fingerprint = $2) order by id
        """,
        state,
        fingerprint,
    )
    return [_dead_letter(row) for row in rows]


async def lock(connection: Connection, letter_id: UUID) -> DeadLetter | None:
    """One dead letter, held until the transaction ends, or None."""
    row = await connection.fetchrow("select * from dead_letter where id = $1 for update", letter_id)
    return None if row is None else _dead_letter(row)


async def settle(connection: Connection, letter_id: UUID, state: State, by: str) -> None:
    """Note what became of a dead letter and who decided it."""
    await connection.execute(
        "update dead_letter set state = $2, settled_by = $3, last_at = now() where id = $1", letter_id, state, by
    )


async def forget(connection: Connection, aggregate_id: UUID) -> int:
    """Delete what was kept about one aggregate, also what is being kept meanwhile, and return how many there were.

    A record whose key and subject cannot be read is known by the id in its value.
    """
    await connection.execute("lock table dead_letter in share row exclusive mode")
    status = await connection.execute(
        "delete from dead_letter where aggregate_id = $1 or position(convert_to($1::text, 'UTF8') in value) > 0",
        aggregate_id,
    )
    return rows_affected(status)


async def count_open(connection: Connection) -> int:
    """How many wait for a person."""
    count: int = await connection.fetchval("select count(*) from dead_letter where state = 'open'")
    return count


def _dead_letter(row: asyncpg.Record) -> DeadLetter:
    arrived = {name: row[name] for name in ("topic", "partition", "offset", "key", "headers", "value")}
    kept = ("id", "reason", "detail", "fingerprint", "attempts", "state", "first_at", "last_at")
    return DeadLetter(arrival=Arrival(**arrived), **{name: row[name] for name in kept})
