"""Drafts and what their fields hold."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.intake.domain.drafts import Draft, Entry
from shared.postgres import Connection, rows_affected
from shared.questionnaire import load


async def add(connection: Connection, draft: Draft) -> None:
    """Store a draft that has just begun."""
    await connection.execute(
        "insert into draft (id, questionnaire, expires_at, language) values ($1, $2, $3, $4)",
        draft.id,
        draft.questionnaire.version,
        draft.expires_at,
        draft.language,
    )


async def find(connection: Connection, draft_id: UUID) -> Draft | None:
    """A draft as it stands, or None."""
    return await _draft(connection, draft_id, "")


async def lock(connection: Connection, draft_id: UUID) -> Draft | None:
    """A draft, held until the transaction ends, or None."""
    return await _draft(connection, draft_id, "for update")


async def _draft(connection: Connection, draft_id: UUID, locking: str) -> Draft | None:
    row = await connection.fetchrow(
        f"select * from draft where id = $1 {locking}",  # noqa: S608 - the locking clause is one of two literals
        draft_id,
    )
    if row is None:
        return None
    entries = await connection.fetch("select field, value, seq from draft_entry where draft_id = $1", draft_id)
    return Draft(
        id=row["id"],
        questionnaire=load(row["questionnaire"]),
        expires_at=row["expires_at"],
        sent_at=row["sent_at"],
        language=row["language"],
        entries={entry["field"]: Entry(entry["value"], entry["seq"]) for entry in entries},
    )


async def keep(connection: Connection, draft_id: UUID, entries: Mapping[str, Entry]) -> None:
    """Store each entry whose seq is higher than the stored one; the others change nothing."""
    await connection.execute(
        """
        insert into draft_entry (draft_id, field, value, seq)
        select $1, field, value, seq from unnest($2::text[], $3::text[], $4::int[]) as given (field, value, seq)
        on conflict (draft_id, field) do update set value = excluded.value, seq = excluded.seq
        where draft_entry.seq < excluded.seq
        """,
        draft_id,
        list(entries),
        [entry.value for entry in entries.values()],
        [entry.seq for entry in entries.values()],
    )


async def mark_sent(connection: Connection, draft_id: UUID, at: datetime) -> None:
    """The draft has become an intake; it is kept as it was sent."""
    await connection.execute("update draft set sent_at = $2 where id = $1", draft_id, at)


async def forget(connection: Connection, draft_id: UUID) -> None:
    """Delete a draft and all that was typed into it."""
    await connection.execute("delete from draft where id = $1", draft_id)


async def drop_expired(connection: Connection, now: datetime) -> int:
    """Delete what was never sent in time; the number of drafts that are gone."""
    return rows_affected(await connection.execute("delete from draft where sent_at is null and expires_at < $1", now))
