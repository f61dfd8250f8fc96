"""Who did what when, in a chain: the hash of each row covers the row and the hash of the one before it."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared.postgres import Connection

PAGE = 100
BATCH = 1000


@dataclass(frozen=True)
class Entry:
    """One act. `subject` is what it was done to, `actor` who was signed in, if anybody; `detail` is canonical JSON."""

    seq: int
    at: datetime
    actor: UUID | None
    action: str
    subject: UUID
    detail: str
    hash: str

    def hash_after(self, previous: str) -> str:
        """The hash that this row has, put after the row with that one."""
        at, actor, subject = self.at.astimezone(UTC).isoformat(), str(self.actor), str(self.subject)
        content = json.dumps([previous, self.seq, at, actor, self.action, subject, self.detail])
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Chain:
    """What a check has found: how many rows hold, the hash of the last one, and what is wrong with the first other.

    `missing` are the hashes that were asked for and are on no row that holds.
    """

    rows: int
    head: str
    broken: str | None
    missing: frozenset[str]


async def record(
    connection: Connection,
    action: str,
    subject: UUID,
    at: datetime,
    detail: Mapping[str, object] | None = None,
    *,
    actor: UUID | None = None,
) -> None:
    """Add an act to the caller's transaction; `detail` holds ids, numbers and codes, never a person's words.

    Whoever records waits for the others until they have committed, so this comes last in a transaction, and never where
    events stream in.
    """
    await connection.execute("select pg_advisory_xact_lock(hashtext('audit ' || current_schema()))")
    last = await connection.fetchrow(
        """
        select seq, hash from audit union all select 0::bigint, current_schema()::text
        order by seq desc limit 1
        """
    )
    assert last is not None, "before the first row stands the service's name"
    given = {name: value for name, value in (detail or {}).items() if value is not None}
    told = json.dumps(given, sort_keys=True, default=str)
    entry = Entry(last["seq"] + 1, at, actor, action, subject, told, hash="")
    await connection.execute(
        "insert into audit (seq, at, actor, action, subject, detail, hash) values ($1, $2, $3, $4, $5, $6, $7)",
        entry.seq,
        entry.at,
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail,
        entry.hash_after(last["hash"]),
    )


async def of(connection: Connection, subject: UUID, *, before: int | None = None) -> list[Entry]:
    """At most a page of what was done to something, the latest first; `before` is the last row of the page before."""
    rows = await connection.fetch(
        "select * from audit where subject = $1 and ($2::bigint is null or seq < $2) order by seq desc limit $3",
        subject,
        before,
        PAGE,
    )
    return [Entry(**row) for row in rows]


async def verify(connection: Connection, service: str, heads: Collection[str] = ()) -> Chain:
    """Check a service's whole chain, and that these hashes, noted down earlier, are still on it.

    The chain alone cannot tell that its last rows are gone, or that all of it was written anew; a head that is kept
    elsewhere can.
    """
    count, previous, missing = 0, service, set(heads)
    rows = await connection.fetch("select * from audit order by seq limit $1", BATCH)
    while rows:
        for entry in (Entry(**row) for row in rows):
            broken = None
            if entry.seq != count + 1:
                broken = f"row {count + 1} is missing, and row {entry.seq} stands in its place"
            elif entry.hash != entry.hash_after(previous):
                broken = f"row {entry.seq} is not what was written there"
            if broken:
                return Chain(count, previous, broken, frozenset(missing))
            count, previous = entry.seq, entry.hash
            missing.discard(entry.hash)
        rows = await connection.fetch("select * from audit where seq > $1 order by seq limit $2", count, BATCH)
    return Chain(count, previous, None, frozenset(missing))
