"""Drafts and what their fields hold."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from services.intake.domain.drafts import COMPANY_FIELDS, KEPT, Draft, Entry
from shared.contracts.intake import Campaign
from shared.postgres import Connection
from shared.questionnaire import load


async def add(connection: Connection, draft: Draft) -> None:
    """Store a draft that has just begun."""
    await connection.execute(
        """
        insert into draft (id, questionnaire, expires_at, language, channel, made_by, campaign)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        draft.id,
        draft.questionnaire.version,
        draft.expires_at,
        draft.language,
        draft.channel,
        draft.made_by,
        None if draft.campaign is None else draft.campaign.model_dump(exclude_none=True),
    )
    await keep(connection, draft.id, draft.entries)


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
        channel=row["channel"],
        made_by=row["made_by"],
        campaign=None if row["campaign"] is None else Campaign.model_validate(row["campaign"]),
        opened_at=row["opened_at"],
        revoked_at=row["revoked_at"],
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


async def drop(connection: Connection, draft_id: UUID, fields: Collection[str]) -> None:
    """Delete what these fields of a draft hold."""
    await connection.execute("delete from draft_entry where draft_id = $1 and field = any($2)", draft_id, list(fields))


async def mark_sent(connection: Connection, draft_id: UUID, at: datetime) -> None:
    """The draft has become an intake; it is kept as it was sent."""
    await connection.execute("update draft set sent_at = $2 where id = $1", draft_id, at)


async def forget(connection: Connection, draft_id: UUID) -> None:
    """Delete a draft and all that was typed into it."""
    await connection.execute("delete from draft where id = $1", draft_id)


async def drop_expired(connection: Connection, now: datetime) -> int:
    """Delete what was never sent in time, with its mail; the number of drafts that are gone.

    Of an invitation the answers go in time; whom it was for stays as long again, to be seen to have run out.
    """
    await connection.execute(
        """
        delete from draft_entry using draft
        where draft.id = draft_id and channel = 'link' and sent_at is null and expires_at < $1 and field <> all($2)
        """,
        now,
        list(COMPANY_FIELDS),
    )
    gone = await connection.fetch(
        """
        delete from draft where sent_at is null
            and expires_at < $1::timestamptz - case when channel = 'link' then $2 else interval '0' end
        returning id
        """,
        now,
        KEPT,
    )
    await connection.execute("delete from mail where about = any($1)", [row["id"] for row in gone])
    return len(gone)
