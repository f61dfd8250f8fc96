"""The decisions that stand, counted and listed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import get_args
from uuid import UUID

import asyncpg

from services.recommendation.domain.report import Count, Line, Part, Report
from services.recommendation.domain.review import Reviewer
from shared.contracts.recommendation import CommercialForm, Decision, Model
from shared.postgres import Connection

PAGE = 100


@dataclass(frozen=True)
class Asked:
    """Which decisions are meant: those made from a day to a day, both included and in UTC, by one person.

    `model` is the one that was proposed, `reason` a code. None leaves nothing out.
    """

    since: date | None = None
    until: date | None = None
    model: Model | None = None
    reason: str | None = None
    person: UUID | None = None


@dataclass(frozen=True)
class Judged:
    """A decision that stands, beside what was proposed. Company and note are gone after erasure."""

    intake_id: UUID
    revision: int
    version: int
    company: str | None
    proposed_model: Model
    proposed_form: CommercialForm
    decision: Decision
    model: Model
    commercial_form: CommercialForm
    reason_code: str | None
    note: str | None
    by: Reviewer
    second: Reviewer | None
    at: datetime


_ASKED = """
    with ended as (
        select intake_id, review_version as version, bool_or(kind = 'undone') as is_undone,
            bool_or(kind = 'refused') as is_refused, (array_agg(by) filter (where kind = 'confirmed'))[1] as second,
            max(by_name) filter (where kind = 'confirmed') as second_name
        from review_sequel group by intake_id, review_version
    ), made as (
        select review.*, proposal.model as proposed_model, proposal.commercial_form as proposed_form,
            proposal.company, second, second_name,
            coalesce(is_undone, false) as is_undone, coalesce(is_refused, false) as is_refused
        from review join proposal using (intake_id, revision) left join ended using (intake_id, version)
        where ($1::date is null or review.at >= ($1 + time '00:00') at time zone 'UTC')
            and ($2::date is null or review.at < ($2 + 1 + time '00:00') at time zone 'UTC')
            and ($3::text is null or proposal.model = $3) and ($4::text is null or review.reason_code = $4)
            and ($5::uuid is null or review.reviewer = $5)
    ), judged as (
        select * from made
        where decision <> 'return' and not is_undone and not is_refused and (not needs_second or second is not null)
    )
"""


async def counted(connection: Connection, asked: Asked) -> Report:
    """The counts by model, reason, person and month; reasons are those of overrides."""
    rows = await connection.fetch(
        f"""
        {_ASKED}, parted as (
            select *, to_char(at at time zone 'UTC', 'YYYY-MM') as month,
                case when decision = 'override' then reason_code end as reason
            from judged
        )
        select case when grouping(proposed_model) = 0 then 'model' when grouping(reason) = 0 then 'reason'
                when grouping(reviewer) = 0 then 'person' when grouping(month) = 0 then 'month' end as part,
            coalesce(proposed_model, reason, reviewer::text, month) as key, max(reviewer_name) as name,
            count(*) as decided, count(*) filter (where decision = 'override') as overridden,
            count(*) filter (where decision = 'override' and model <> proposed_model) as other_model
        from parted group by grouping sets ((), (proposed_model), (reason), (reviewer), (month))
        order by decided desc, key
        """,  # noqa: S608 - the list is a literal
        *vars(asked).values(),
    )
    ended = await connection.fetchrow(
        f"""
        {_ASKED}
        select count(*) filter (where decision = 'return' and not is_undone) as returned,
            count(*) filter (where is_refused) as refused, count(*) filter (where is_undone) as undone
        from made
        """,  # noqa: S608 - the list is a literal
        *vars(asked).values(),
    )
    assert ended is not None, "a count is one row"
    total = next(row for row in rows if row["part"] is None)
    parts = {part: tuple(_line(row) for row in rows if row["part"] == part and row["key"]) for part in get_args(Part)}
    parts["month"] = tuple(sorted(parts["month"], key=lambda line: line.key, reverse=True))
    return Report(_count(total), parts, ended["returned"], ended["refused"], ended["undone"])


async def judged(connection: Connection, asked: Asked, *, page: int = 1) -> list[Judged]:
    """A page of these decisions, the latest first."""
    rows = await connection.fetch(
        f"{_ASKED} select * from judged order by at desc, intake_id, version limit $6 offset $7",  # noqa: S608 - a literal
        *vars(asked).values(),
        PAGE,
        PAGE * (page - 1),
    )
    return [_judged(row) for row in rows]


async def every(connection: Connection, asked: Asked) -> AsyncIterator[Judged]:
    """All of these decisions, the latest first; within a transaction."""
    async for row in connection.cursor(
        f"{_ASKED} select * from judged order by at desc, intake_id, version",  # noqa: S608 - a literal
        *vars(asked).values(),
    ):
        yield _judged(row)


def _line(row: asyncpg.Record) -> Line:
    return Line(row["key"], row["name"] if row["part"] == "person" else row["key"], _count(row))


def _count(row: asyncpg.Record) -> Count:
    return Count(row["decided"], row["overridden"], row["other_model"])


def _judged(row: asyncpg.Record) -> Judged:
    return Judged(
        intake_id=row["intake_id"],
        revision=row["revision"],
        version=row["version"],
        company=row["company"] and row["company"]["name"],
        proposed_model=row["proposed_model"],
        proposed_form=row["proposed_form"],
        decision=row["decision"],
        model=row["model"],
        commercial_form=row["commercial_form"],
        reason_code=row["reason_code"],
        note=row["note"],
        by=Reviewer(row["reviewer"], row["reviewer_name"]),
        second=None if row["second"] is None else Reviewer(row["second"], row["second_name"]),
        at=row["at"],
    )
