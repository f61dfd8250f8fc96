"""The personal links that were made for prospects."""

from datetime import datetime
from uuid import UUID

from services.intake.domain.invitations import REMINDED_AFTER, Invitation
from shared.postgres import Connection
from shared.questionnaire import load


async def page(
    connection: Connection, *, made_by: UUID | None, before: datetime | None, limit: int
) -> list[Invitation]:
    """Invitations, latest first, of one colleague or of all."""
    rows = await connection.fetch(
        f"""
        {_INVITATION} and ($2::uuid is null or made_by = $2) and ($3::timestamptz is null or begun_at < $3)
        order by begun_at desc limit $4
        """,
        _questions(),
        made_by,
        before,
        limit,
    )
    return [Invitation(**row) for row in rows]


async def find(connection: Connection, draft_id: UUID) -> Invitation | None:
    """One invitation, or None."""
    row = await connection.fetchrow(f"{_INVITATION} and draft.id = $2", _questions(), draft_id)
    return None if row is None else Invitation(**row)


def _questions() -> list[str]:
    return [question.id for question in load().questions]


_INVITATION = """
    select draft.id, staff.name as maker, coalesce(company.value, '') as company, coalesce(person.value, '') as name,
        coalesce(email.value, '') as email, begun_at, expires_at, mailed_at, reminded_at, opened_at, sent_at,
        revoked_at,
        (select count(*) from draft_entry where draft_id = draft.id and field = any($1) and value <> '') as answered
    from draft
        left join staff on staff.id = made_by
        left join draft_entry company on company.draft_id = draft.id and company.field = 'company_name'
        left join draft_entry person on person.draft_id = draft.id and person.field = 'contact_name'
        left join draft_entry email on email.draft_id = draft.id and email.field = 'contact_email'
    where channel = 'link'
"""


async def mark_mailed(connection: Connection, draft_id: UUID, at: datetime) -> None:
    """The link is on its way by e-mail."""
    await connection.execute("update draft set mailed_at = coalesce(mailed_at, $2) where id = $1", draft_id, at)


async def mark_reminded(connection: Connection, draft_id: UUID, at: datetime) -> None:
    """A reminder is on its way by e-mail."""
    await connection.execute("update draft set reminded_at = $2 where id = $1", draft_id, at)


async def mark_opened(connection: Connection, draft_id: UUID, at: datetime) -> None:
    """The prospect has opened the link; only the first time counts."""
    await connection.execute(
        "update draft set opened_at = $2 where id = $1 and channel = 'link' and opened_at is null", draft_id, at
    )


async def revoke(connection: Connection, draft_id: UUID, at: datetime) -> None:
    """The link opens nothing any more."""
    await connection.execute("update draft set revoked_at = $2 where id = $1", draft_id, at)


async def due_reminders(connection: Connection, now: datetime) -> list[UUID]:
    """Invitations that were mailed some days ago and not sent in, held until the transaction ends; each is due once."""
    rows = await connection.fetch(
        """
        update draft set reminded_at = $1
        where id in (
            select id from draft
            where channel = 'link' and sent_at is null and revoked_at is null and reminded_at is null
                and mailed_at <= $1::timestamptz - $2::interval and expires_at > $1
            limit 500 for update skip locked
        ) returning id
        """,
        now,
        REMINDED_AFTER,
    )
    return [row["id"] for row in rows]
