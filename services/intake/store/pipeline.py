"""The pipeline: cases by what is asked of them, counted, paged by key, and each person's saved views of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.intake.domain.pipeline import EXPIRES_SOON, OPEN, Asked, Block, Cursor, Sort, State
from services.intake.store.intakes import MOST_ASKS
from shared.contracts.intake import Answer, Channel, Company
from shared.postgres import Connection, rows_affected

COLLEAGUE = "a colleague"


@dataclass(frozen=True)
class CaseRow:
    """One case of the pipeline; company and contact are gone after erasure. `company_name` is folded, to sort by."""

    id: UUID
    state: State
    state_since: datetime
    revision: int
    channel: Channel
    submitted_at: datetime
    company: Company | None
    contact_name: str | None
    contact_email: str | None
    owner: UUID | None
    owner_name: str | None
    assignee_name: str | None
    company_name: str
    link_expires_at: datetime | None
    blocks: tuple[Block, ...]

    def cursor(self, sort: Sort) -> Cursor:
        """Where the next page goes on after this case."""
        if sort == "company":
            return Cursor(self.company_name, self.id)
        return Cursor(self.state_since if sort == "waiting" else self.submitted_at, self.id)


@dataclass(frozen=True)
class ExportedCase(CaseRow):
    """A case with what its current revision answered and how that scored."""

    language: str
    questionnaire: str | None
    given: dict[str, Answer]
    verdict: str | None
    strength: str | None
    scores: dict[str, Any] | None
    opened_at: datetime | None
    campaign: dict[str, str] | None


@dataclass(frozen=True)
class SavedView:
    """A person's own way to look at the pipeline."""

    id: UUID
    name: str
    query: str


_ORDERS: dict[Sort, tuple[str, str, str]] = {
    "newest": ("submitted_at", "desc", "timestamptz"),
    "oldest": ("submitted_at", "asc", "timestamptz"),
    "waiting": ("state_since", "asc", "timestamptz"),
    "company": ("company_name", "asc", "text"),
}

_COLUMNS = """
    intake.id, intake.state, intake.state_since, intake.revision, intake.channel, intake.submitted_at, contact_name,
    contact_email, intake.owner, intake.assignee, intake.link_expires_at, revision.company,
    casefold(coalesce(revision.company ->> 'name', '') collate pg_unicode_fast) as company_name,
    array_remove(array[
        case when intake.asked_again >= $2 and intake.ask_again_at is not null then 'stuck' end,
        case when intake.id in (select aggregate_id from dead_letter where dead_letter.state = 'open')
            then 'unreadable' end,
        case intake.state
            when 'proposed' then 'review'
            when 'returned' then 'question'
            when 'approved' then 'release'
            when 'overridden' then 'release'
            when 'expired' then 'expired'
            when 'released' then
                case when intake.asked_at > coalesce(intake.replied_at, '-infinity') then 'asked'
                    when intake.opened_at is null then 'unopened' end
        end,
        case when intake.state = 'released' and intake.link_expires_at < $1::timestamptz then 'expiring' end,
        case when intake.owner is null and intake.state = any($3::text[]) then 'nobody' end
    ], null) as blocks
"""

_NAMED = """
    select found.*, owning.name as owner_name, reviewing.name as assignee_name from found
        left join staff as owning on owning.id = found.owner
        left join staff as reviewing on reviewing.id = found.assignee
"""

_CONDITIONS = {
    "state": "intake.state = any({}::text[])",
    "owner": "intake.owner = {}::uuid",
    "channel": "intake.channel = {}",
    "industry": "revision.company ->> 'industry' = {}",
    "headcount": "revision.company ->> 'headcount' = {}",
    "age": "intake.state_since <= {}::timestamptz",
}

_HOLDS = """
    strpos(casefold(concat_ws(' ', revision.company ->> 'name', contact_name, contact_email, intake.id)
        collate pg_unicode_fast), {}) > 0
"""


def _cases(asked: Asked) -> tuple[str, list[object]]:
    """The query for the cases asked for, and its values: only what is asked for costs anything."""
    filters = asked.filters
    wanted: dict[str, object] = {name: value for name, value in filters.set.items() if name in _CONDITIONS}
    wanted |= {"state": list(filters.states)} if filters.state else {}
    wanted |= {"age": asked.now - timedelta(days=int(filters.age))} if filters.age else {}
    values: list[object] = [asked.now + EXPIRES_SOON, MOST_ASKS, list(OPEN)]
    conditions = ["true"]
    if filters.owner == "nobody":
        conditions.append("intake.owner is null")
        del wanted["owner"]
    elif filters.owner:
        wanted["owner"] = asked.owner
    for name, value in wanted.items():
        values.append(value)
        conditions.append(_CONDITIONS[name].format(f"${len(values)}"))
    for word in filters.words:
        values.append(word)
        conditions.append(_HOLDS.format(f"${len(values)}"))
    query = f"""
        select {_COLUMNS} from intake
            left join revision on revision.intake_id = intake.id and revision.revision = intake.revision
        where {" and ".join(conditions)}
    """  # noqa: S608 - literals
    if filters.blocked == "any":
        query = f"select * from ({query}) as one where cardinality(blocks) > 0"  # noqa: S608 - literals
    elif filters.blocked:
        values.append(filters.blocked)
        query = f"select * from ({query}) as one where ${len(values)} = any(blocks)"  # noqa: S608 - literals
    return query, values


async def counts(connection: Connection, asked: Asked) -> dict[State, int]:
    """How many cases each state has, of those asked for in whatever state."""
    query, values = _cases(replace(asked, filters=asked.filters.model_copy(update={"state": ""})))
    rows = await connection.fetch(
        f"select state, count(*) as count from ({query}) as found group by state",  # noqa: S608 - literals
        *values,
    )
    return {row["state"]: row["count"] for row in rows}


async def count(connection: Connection, asked: Asked) -> int:
    """How many cases are asked for."""
    return sum(number for state, number in (await counts(connection, asked)).items() if state in asked.filters.states)


async def board(connection: Connection, asked: Asked, most: int) -> dict[State, list[CaseRow]]:
    """The cases that have waited longest in each state, at most so many of each."""
    query, values = _cases(asked)
    states, limit = f"${len(values) + 1}", f"${len(values) + 2}"
    rows = await connection.fetch(
        f"""
        with found as (
            select top.* from unnest({states}::text[]) as wanted cross join lateral (
                select * from ({query}) as one where one.state = wanted order by state_since, id limit {limit}
            ) as top
        )
        {_NAMED} order by found.state_since, found.id
        """,  # noqa: S608 - literals
        *values,
        list(asked.filters.states),
        most,
    )
    columns: dict[State, list[CaseRow]] = {}
    for row in rows:
        columns.setdefault(row["state"], []).append(CaseRow(**_case(row)))
    return columns


async def page(connection: Connection, asked: Asked, after: Cursor | None, most: int) -> list[CaseRow]:
    """The cases after a cursor, in the order asked for."""
    query, values = _page(asked, after, most)
    rows = await connection.fetch(f"with found as ({query}) {_NAMED} {_order(asked)}", *values)
    return [CaseRow(**_case(row)) for row in rows]


async def exported(connection: Connection, asked: Asked, after: Cursor | None, most: int) -> list[ExportedCase]:
    """The cases after a cursor with all that is known of them, in the order asked for."""
    query, values = _page(asked, after, most)
    rows = await connection.fetch(
        f"""
        with found as ({query}), named as ({_NAMED})
        select found.*, intake.language, intake.campaign, intake.assessment, intake.opened_at, revision.questionnaire,
            revision.answers
        from named as found join intake on intake.id = found.id
            left join revision on revision.intake_id = found.id and revision.revision = found.revision
        {_order(asked)}
        """,  # noqa: S608 - literals
        *values,
    )
    return [_exported(row) for row in rows]


def _order(asked: Asked) -> str:
    column, direction, _ = _ORDERS[asked.filters.sort]
    return f"order by found.{column} {direction}, found.id {direction}"


def _page(asked: Asked, after: Cursor | None, most: int) -> tuple[str, list[object]]:
    query, values = _cases(asked)
    column, direction, kind = _ORDERS[asked.filters.sort]
    beyond = ""
    if after is not None:
        values += [after.key, after.id]
        sign = "<" if direction == "desc" else ">"
        beyond = f"where ({column}, id) {sign} (${len(values) - 1}::{kind}, ${len(values)}::uuid)"
    values.append(most)
    query = f"select * from ({query}) as found {beyond} {_order(asked)} limit ${len(values)}"  # noqa: S608 - literals
    return query, values


_PLAIN = (
    *("id", "state", "state_since", "revision", "channel", "submitted_at", "contact_name", "contact_email"),
    *("company_name", "owner", "link_expires_at"),
)


def _case(row: asyncpg.Record) -> dict[str, Any]:
    return {name: row[name] for name in _PLAIN} | {
        "company": None if row["company"] is None else Company.model_validate(row["company"]),
        "owner_name": row["owner_name"] or (row["owner"] and COLLEAGUE),
        "assignee_name": row["assignee_name"] or (row["assignee"] and COLLEAGUE),
        "blocks": tuple(row["blocks"]),
    }


def _exported(row: asyncpg.Record) -> ExportedCase:
    assessment = row["assessment"] or {}
    return ExportedCase(
        **_case(row),
        language=row["language"],
        questionnaire=row["questionnaire"],
        given={question: Answer.model_validate(answer) for question, answer in (row["answers"] or {}).items()},
        verdict=assessment.get("verdict"),
        strength=assessment.get("strength"),
        scores=assessment.get("scores"),
        opened_at=row["opened_at"],
        campaign=row["campaign"],
    )


async def views(connection: Connection, person: UUID) -> list[SavedView]:
    """A person's saved views, by name."""
    rows = await connection.fetch("select id, name, query from saved_view where person = $1 order by name", person)
    return [SavedView(**row) for row in rows]


async def save_view(connection: Connection, person: UUID, name: str, query: str, most: int) -> bool:
    """Keep a view under a name, in place of the one of that name; False where the person has so many already."""
    status = await connection.execute(
        """
        insert into saved_view (person, name, query)
        select $1, $2, $3 where (select count(*) from saved_view where person = $1 and name <> $2) < $4
        on conflict (person, name) do update set query = excluded.query
        """,
        person,
        name,
        query,
        most,
    )
    return rows_affected(status) == 1


async def rename_view(connection: Connection, person: UUID, view_id: UUID, name: str) -> bool:
    """Give a view another name; False where another view has it. Somebody else's view stays as it is."""
    status = await connection.execute(
        """
        update saved_view set name = $3 where id = $2 and person = $1
            and not exists (select from saved_view where person = $1 and name = $3 and id <> $2)
        """,
        person,
        view_id,
        name,
    )
    return rows_affected(status) == 1


async def delete_view(connection: Connection, person: UUID, view_id: UUID) -> None:
    """Forget a view; somebody else's stays."""
    await connection.execute("delete from saved_view where id = $2 and person = $1", person, view_id)
