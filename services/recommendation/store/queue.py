"""The queue of cases: what waits for a decision, in the order in which it is due, and the lists beside it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from services.recommendation.domain.offer import Kind
from services.recommendation.domain.review import Reviewer
from shared.contracts.assessment import Strength
from shared.contracts.intake import Company
from shared.contracts.recommendation import CommercialForm, Model, ProposalState
from shared.postgres import Connection

PAGE = 100


@dataclass(frozen=True)
class Queued:
    """A case as the queue shows it; `checks` and `unknown` count contradictions and unanswered questions.

    `leaning` is the model that a discovery call leans to, and `waiting_for` who has decided against a veto and needs a
    second person.
    """

    intake_id: UUID
    version: int
    revision: int
    state: ProposalState
    model: Model
    strength: Strength | None
    commercial_form: CommercialForm
    kind: Kind | None
    leaning: Model | None
    vetoes: tuple[str, ...] | None
    conditions: tuple[str, ...] | None
    company: Company | None
    checks: int
    unknown: int
    proposed_at: datetime
    assignee: Reviewer | None
    waiting_for: Reviewer | None


@dataclass(frozen=True)
class Wanted:
    """Which cases a list holds. `company` is part of a name; those that are `newest_first` wait for nobody."""

    states: Collection[ProposalState]
    assignees: Collection[UUID] | None = None
    unassigned: bool = False
    model: Model | None = None
    company: str = ""
    newest_first: bool = False


# What waits for sales comes after what waits for us; within each the longest waiting comes first.
_PLACE = "(state = 'returned'), proposed_at, intake_id"
_LISTED = """
    from proposal join review_case using (intake_id, revision)
    where state = any($1) and ($2::uuid[] is null or assignee = any($2)) and (not $3 or assignee is null)
        and ($4::text is null or model = $4) and ($5 = '' or strpos(lower(company ->> 'name'), lower($5)) > 0)
"""
_BEYOND = f"""
    (
        select {_PLACE} from proposal join review_case using (intake_id, revision) where intake_id = $6
    )
"""  # noqa: S608 - a literal


async def queue(connection: Connection, wanted: Wanted, *, after: UUID | None = None) -> list[Queued]:
    """At most a page of these cases; `after` is the last one of the page before."""
    beyond, order = _ways(wanted)
    rows = await connection.fetch(
        f"""
        select intake_id, version, revision, assignee, assignee_name, state, model, strength, commercial_form,
            company, proposed_at, waiting.reviewer, waiting.reviewer_name,
            proposal ->> 'kind' as kind, proposal -> 'leaning' ->> 'model' as leaning,
            proposal -> 'vetoes' as vetoes, proposal -> 'conditions' as conditions,
            coalesce(jsonb_array_length(assessment -> 'checks'), 0) as checks,
            coalesce(jsonb_array_length(assessment -> 'unknown'), 0) as unknown
        from (
            select intake_id, version, revision, assignee, assignee_name, state, model, strength, commercial_form,
                company, proposed_at, proposal, assessment
            {_LISTED} and ($6::uuid is null or ({_PLACE}) {beyond} {_BEYOND})
            order by {_PLACE.replace(",", f" {order},")} {order} limit $7
        ) page left join lateral (
            select reviewer, reviewer_name from review
            where review.intake_id = page.intake_id and review.revision = page.revision and needs_second
                and not exists (
                    select from review_sequel
                    where review_sequel.intake_id = review.intake_id and review_version = review.version
                )
        ) waiting on true
        order by {_PLACE.replace(",", f" {order},")} {order}
        """,  # noqa: S608 - the parts are literals
        *_arguments(wanted),
        after,
        PAGE,
    )
    return [_queued(row) for row in rows]


async def beside(connection: Connection, wanted: Wanted, intake_id: UUID) -> tuple[UUID | None, UUID | None]:
    """The cases before and after one in a list, whether or not it still is in it."""
    found = [
        await connection.fetchval(
            f"""
            select intake_id {_LISTED} and ({_PLACE}) {beyond} {_BEYOND}
            order by {_PLACE.replace(",", f" {order},")} {order} limit 1
            """,
            *_arguments(wanted),
            intake_id,
        )
        for beyond, order in (_ways(replace(wanted, newest_first=not wanted.newest_first)), _ways(wanted))
    ]
    return found[0], found[1]


def _ways(wanted: Wanted) -> tuple[str, str]:
    """How what comes later in a list compares, and how the list is sorted."""
    return ("<", "desc") if wanted.newest_first else (">", "asc")


def _arguments(wanted: Wanted) -> tuple[object, ...]:
    return (
        list(wanted.states),
        None if wanted.assignees is None else list(wanted.assignees),
        wanted.unassigned,
        wanted.model,
        wanted.company,
    )


def _queued(row: asyncpg.Record) -> Queued:
    return Queued(
        intake_id=row["intake_id"],
        version=row["version"],
        revision=row["revision"],
        state=row["state"],
        model=row["model"],
        strength=row["strength"],
        commercial_form=row["commercial_form"],
        kind=row["kind"],
        leaning=row["leaning"],
        vetoes=None if row["vetoes"] is None else tuple(row["vetoes"]),
        conditions=None if row["conditions"] is None else tuple(row["conditions"]),
        company=None if row["company"] is None else Company.model_validate(row["company"]),
        checks=row["checks"],
        unknown=row["unknown"],
        proposed_at=row["proposed_at"],
        assignee=None if row["assignee"] is None else Reviewer(row["assignee"], row["assignee_name"]),
        waiting_for=None if row["reviewer"] is None else Reviewer(row["reviewer"], row["reviewer_name"]),
    )
