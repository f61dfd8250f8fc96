"""Erasure leaves a tombstone and takes all that was said, kept or answered about an intake."""

from datetime import datetime
from uuid import UUID

from shared import outbox
from shared.contracts.intake import IntakeErased
from shared.kafka import dead_letters
from shared.postgres import Connection


async def erase(connection: Connection, intake_id: UUID, at: datetime) -> bool:
    """Put up the tombstone and clear the plumbing; False if erased before. The caller clears its own tables."""
    is_new = await connection.fetchval(
        "insert into tombstone (intake_id, at) values ($1, $2) on conflict do nothing returning true", intake_id, at
    )
    # a replay holds its letter until it commits, so that what it says is there to be forgotten
    await dead_letters.forget(connection, intake_id)
    await outbox.forget(connection, intake_id, keep=[IntakeErased.topic])
    await connection.execute(
        "delete from idempotency where strpos(route, $1) > 0 or strpos(response, $1) > 0", str(intake_id)
    )
    return bool(is_new)


async def is_erased(connection: Connection, intake_id: UUID) -> bool:
    """True when there is a tombstone: nothing about this intake may be stored again."""
    found: bool = await connection.fetchval("select exists (select from tombstone where intake_id = $1)", intake_id)
    return found
