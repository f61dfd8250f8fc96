"""What there is already of a company: its cases, the calls in progress and the invitations that are out."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from services.intake.domain.duplicates import MOST_ALIKE, Known, Reason
from shared.postgres import Connection


async def names(connection: Connection, now: datetime) -> dict[UUID, str]:
    """The company of each case, and of each call and invitation that is still open."""
    rows = await connection.fetch(
        """
        select intake.id, revision.company ->> 'name' as name
        from intake join revision on revision.intake_id = intake.id and revision.revision = intake.revision
        union all
        select draft.id, value from draft join draft_entry on draft_id = draft.id and field = 'company_name'
        where channel <> 'web' and sent_at is null and revoked_at is null and expires_at > $1 and value <> ''
        """,
        now,
    )
    return {row["id"]: row["name"] for row in rows}


async def known(
    connection: Connection,
    alike: Sequence[UUID],
    email: str,
    domain: str,
    *,
    besides: Collection[UUID],
    now: datetime,
) -> list[Known]:
    """Those with these ids, this address or this domain, the same address first; an empty text matches nothing."""
    rows = await connection.fetch(
        """
        with everything as (
            select 'case' as kind, intake.id, revision.company ->> 'name' as company, intake.state,
                coalesce(intake.owner, assignee) as owner, intake.submitted_at as since, email_key, email_domain
            from intake
                left join revision on revision.intake_id = intake.id and revision.revision = intake.revision
            union all
            select case channel when 'console' then 'call' else 'invitation' end, draft.id, company.value,
                case when channel = 'link' and opened_at is null then 'not_opened' else 'in_progress' end,
                made_by, begun_at,
                lower(regexp_replace(email.value, '[+][^@]*@', '@')), lower(split_part(email.value, '@', 2))
            from draft
                left join draft_entry company on company.draft_id = draft.id and company.field = 'company_name'
                left join draft_entry email on email.draft_id = draft.id and email.field = 'contact_email'
            where channel <> 'web' and sent_at is null and revoked_at is null and expires_at > $5
        )
        select everything.*, staff.name as owner_name, everything.id = any($1) as is_alike,
            coalesce(email_key = nullif($2, ''), false) as is_email,
            coalesce(email_domain = nullif($3, ''), false) as is_domain
        from everything left join staff on staff.id = everything.owner
        where (everything.id = any($1) or email_key = nullif($2, '') or email_domain = nullif($3, ''))
            and everything.id <> all($4)
        order by is_email desc, is_alike desc, since desc limit $6
        """,
        list(alike),
        email,
        domain,
        list(besides),
        now,
        MOST_ALIKE,
    )
    return [
        Known(
            kind=row["kind"],
            id=row["id"],
            company=row["company"],
            state=row["state"],
            owner=row["owner_name"],
            since=row["since"],
            reasons=tuple(_reasons(row["is_email"], row["is_domain"], row["is_alike"])),
        )
        for row in rows
    ]


def _reasons(is_email: bool, is_domain: bool, is_alike: bool) -> list[Reason]:
    reasons: list[Reason] = ["email"] if is_email else ["domain"] if is_domain else []
    return [*reasons, "name"] if is_alike else reasons
