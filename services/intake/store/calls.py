"""The calls that colleagues are taking down."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.postgres import Connection


@dataclass(frozen=True)
class Call:
    """One line of the list of calls; the company is empty where it is not known yet. `answered` counts questions."""

    id: UUID
    maker: str | None
    company: str
    answered: int
    begun_at: datetime
    expires_at: datetime


async def open_calls(
    connection: Connection,
    questions: Collection[str],
    *,
    made_by: UUID | None,
    before: datetime | None,
    limit: int,
    now: datetime,
) -> list[Call]:
    """Calls that were not sent in yet, latest first, of one colleague or of all."""
    rows = await connection.fetch(
        """
        select draft.id, staff.name as maker, coalesce(company.value, '') as company, begun_at, expires_at,
            (select count(*) from draft_entry where draft_id = draft.id and field = any($1) and value <> '') as answered
        from draft
            left join staff on staff.id = made_by
            left join draft_entry company on company.draft_id = draft.id and company.field = 'company_name'
        where channel = 'console' and sent_at is null and expires_at > $5
            and ($2::uuid is null or made_by = $2) and ($3::timestamptz is null or begun_at < $3)
        order by begun_at desc limit $4
        """,
        list(questions),
        made_by,
        before,
        limit,
        now,
    )
    return [Call(**row) for row in rows]
