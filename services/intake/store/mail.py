"""Outgoing mail: what is to be sent when, and what became of it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.intake.domain.mail import FIRST_WAIT, Addressee, Kind, Mail, State, mail_id
from services.intake.store import timeline
from shared.postgres import Connection, rows_affected


async def queue(
    connection: Connection, kind: Kind, about: UUID, due_at: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """Have a message sent at a time. `about` is a draft or an intake, `detail` holds ids, codes and ISO times alone.

    The same kind about the same thing with the same detail is one message, however often it is queued. Nothing is
    queued about what was erased.
    """
    detail = detail or {}
    await connection.execute(
        """
        insert into mail (id, kind, about, detail, due_at)
        select $1, $2, $3, $4, $5 where not exists (select from tombstone where intake_id = $3)
        on conflict do nothing
        """,
        mail_id(kind, about, detail),
        kind,
        about,
        detail,
        due_at,
    )


async def claim(connection: Connection, now: datetime) -> Mail | None:
    """One message that is due, put off at once by what would be waited after a failure, or None.

    So nobody else takes it meanwhile, and a process that ends before it notes the outcome leaves it to be tried again.
    """
    row = await connection.fetchrow(
        """
        update mail set attempts = attempts + 1, due_at = $1 + $2::interval * power(2, attempts)
        where id = (
            select id from mail where state = 'queued' and due_at <= $1
            order by due_at limit 1 for update skip locked
        ) returning *
        """,
        now,
        FIRST_WAIT,
    )
    return None if row is None else _mail(row)


async def settle(
    connection: Connection, mail: Mail, state: State, reason: str | None = None, sent_at: datetime | None = None
) -> None:
    """Note what became of an attempt, unless a colleague has asked for another since."""
    await connection.execute(
        "update mail set state = $3, reason = $4, sent_at = $5 where id = $1 and issue = $2 and state = 'queued'",
        mail.id,
        mail.issue,
        state,
        reason,
        sent_at,
    )


async def keep_due(connection: Connection, now: datetime) -> int:
    """Keep what is due for reading, where nothing can be sent; the number of messages."""
    status = await connection.execute("update mail set state = 'kept' where state = 'queued' and due_at <= $1", now)
    return rows_affected(status)


async def send_again(connection: Connection, mail_id: UUID, now: datetime) -> bool:
    """Put a message that is not waiting back into the queue, as a new issue; False where there is none."""
    status = await connection.execute(
        """
        update mail set state = 'queued', issue = issue + 1, attempts = 0, reason = null, sent_at = null, due_at = $2
        where id = $1 and state <> 'queued'
        """,
        mail_id,
        now,
    )
    return rows_affected(status) == 1


async def find(connection: Connection, mail_id: UUID) -> Mail | None:
    """A message, or None."""
    row = await connection.fetchrow("select * from mail where id = $1", mail_id)
    return None if row is None else _mail(row)


async def last(connection: Connection, kind: Kind, about: UUID) -> Mail | None:
    """The message of a kind that was queued last, or None."""
    row = await connection.fetchrow(
        "select * from mail where kind = $1 and about = $2 order by queued_at desc limit 1", kind, about
    )
    return None if row is None else _mail(row)


async def invited(connection: Connection, drafts: Collection[UUID]) -> dict[UUID, Mail]:
    """For each draft whose personal link was mailed, the invitation or reminder that was queued last."""
    rows = await connection.fetch(
        """
        select distinct on (about) * from mail
        where about = any($1) and kind in ('invitation', 'invitation_reminder') order by about, queued_at desc
        """,
        list(drafts),
    )
    return {row["about"]: _mail(row) for row in rows}


async def outgoing(
    connection: Connection, state: State | None, before: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[Mail, str | None]]:
    """Messages with the company each is about, None for an unsent draft; latest first, before a time and id."""
    rows = await connection.fetch(
        """
        select mail.*, revision.company ->> 'name' as company
        from mail
            left join intake on intake.id = mail.about
            left join revision on revision.intake_id = intake.id and revision.revision = intake.revision
        where ($1::text is null or mail.state = $1)
            and ($2::timestamptz is null or (mail.queued_at, mail.id) < ($2, $3::uuid))
        order by mail.queued_at desc, mail.id desc limit $4
        """,
        state,
        *(before or (None, None)),
        limit,
    )
    return [(_mail(row), row["company"]) for row in rows]


async def of(connection: Connection, about: UUID) -> list[Mail]:
    """All mail about a draft or an intake, oldest first."""
    rows = await connection.fetch("select * from mail where about = $1 order by queued_at", about)
    return [_mail(row) for row in rows]


async def addressee(connection: Connection, about: UUID) -> Addressee | None:
    """Whom a message about this is for; None where it is deleted."""
    row = await connection.fetchrow(
        """
        select contact_name as name, contact_email as email, revision.company ->> 'name' as company, state,
            (select expires_at from draft where draft.id = intake.id) as expires_at, intake.language
        from intake join revision on revision.intake_id = intake.id and revision.revision = intake.revision
        where intake.id = $1
        union all
        select name.value, email.value, company.value, null, expires_at, draft.language
        from draft
            left join draft_entry name on name.draft_id = draft.id and name.field = 'contact_name'
            left join draft_entry email on email.draft_id = draft.id and email.field = 'contact_email'
            left join draft_entry company on company.draft_id = draft.id and company.field = 'company_name'
        where draft.id = $1 and sent_at is null and revoked_at is null
        """,
        about,
    )
    if row is None:
        return None
    known = {field: row[field] or "" for field in ("name", "email", "company")}
    release = await timeline.last_release(connection, about)
    return Addressee(
        **known,
        state=row["state"],
        expires_at=row["expires_at"],
        link_id=None if release is None else str(release.link_id),
        is_link_closed=release is not None and release.closed_at is not None,
        language=row["language"],
    )


async def forget(connection: Connection, about: UUID) -> None:
    """Delete all mail about a draft or an intake."""
    await connection.execute("delete from mail where about = $1", about)


def _mail(row: asyncpg.Record) -> Mail:
    return Mail(
        id=row["id"],
        kind=row["kind"],
        about=row["about"],
        detail=row["detail"],
        state=row["state"],
        issue=row["issue"],
        attempts=row["attempts"],
        reason=row["reason"],
        queued_at=row["queued_at"],
        due_at=row["due_at"],
        sent_at=row["sent_at"],
    )
