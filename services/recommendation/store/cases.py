"""What reviewers see of a case and do to it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recommendation.domain.blueprint import Edit
from services.recommendation.domain.proposal import Proposal
from services.recommendation.domain.review import Case, Review, Reviewer
from services.recommendation.store import lines
from shared.contracts.assessment import Strength
from shared.contracts.intake import Channel, Company
from shared.contracts.recommendation import CommercialForm, Model, ProposalState
from shared.postgres import Connection

PAGE = 100


@dataclass(frozen=True)
class Earlier:
    """A revision that is no longer the current one."""

    revision: int
    state: ProposalState
    model: Model
    commercial_form: CommercialForm
    proposed_at: datetime


@dataclass(frozen=True)
class CaseFile:
    """All that is stored about a case. After erasure the contents are None; model and form stay if there were any."""

    intake_id: UUID
    version: int
    revision: int | None
    state: ProposalState
    model: Model | None
    strength: Strength | None
    commercial_form: CommercialForm | None
    questionnaire: str | None
    proposal: Proposal | None
    assessment: dict[str, Any] | None
    company: Company | None
    channel: Channel | None
    submitted_at: datetime | None
    proposed_at: datetime | None
    assignee: Reviewer | None
    reviews: tuple[Review, ...]
    earlier: tuple[Earlier, ...]
    edits: tuple[Edit, ...]

    @property
    def review(self) -> Review | None:
        """The last decision on the current revision."""
        return next((review for review in self.reviews if review.revision == self.revision), None)


@dataclass(frozen=True)
class Queued:
    """A case as the queue shows it; `checks` and `unknown` count contradictions and unanswered questions."""

    intake_id: UUID
    version: int
    revision: int
    state: ProposalState
    model: Model
    strength: Strength | None
    commercial_form: CommercialForm
    proposal: Proposal | None
    company: Company | None
    checks: int
    unknown: int
    proposed_at: datetime
    assignee: Reviewer | None


async def lock(connection: Connection, intake_id: UUID) -> Case | None:
    """The current proposal, for nobody else to decide on until the transaction ends; None where there is none."""
    # Locked first and read after: a row that was waited for shows its new state, but joined rows would show their old.
    await connection.execute("select from review_case where intake_id = $1 for update", intake_id)
    row = await connection.fetchrow(
        """
        select review_case.*, state, model, commercial_form, questionnaire, assessment -> 'answers' as answers
        from review_case join proposal using (intake_id, revision) where intake_id = $1
        """,
        intake_id,
    )
    if row is None:
        return None
    reviews = await _reviews(connection, intake_id, row["version"])
    return Case(
        intake_id=row["intake_id"],
        version=row["version"],
        revision=row["revision"],
        state=row["state"],
        model=row["model"],
        commercial_form=row["commercial_form"],
        questionnaire=row["questionnaire"],
        answers={question: answer["level"] for question, answer in (row["answers"] or {}).items()},
        assignee=_assignee(row),
        review=next((review for review in reviews if review.revision == row["revision"]), None),
    )


async def record_review(connection: Connection, intake_id: UUID, review: Review, state: ProposalState) -> None:
    """Keep a decision, and the state and version it leads to."""
    await connection.execute(
        """
        with decided as (
            insert into review (intake_id, version, revision, decision, reviewer, reviewer_name, model,
                commercial_form, reason_code, note, at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ), moved as (
            update proposal set state = $12 where intake_id = $1 and revision = $3
        )
        update review_case set version = $2 where intake_id = $1
        """,
        intake_id,
        review.version,
        review.revision,
        review.decision,
        review.by.id,
        review.by.name,
        review.model,
        review.commercial_form,
        review.reason_code,
        review.note,
        review.at,
        state,
    )


async def assign(connection: Connection, case: Case, assignee: Reviewer) -> None:
    """Store in whose hands a case is now, with the state and version it has."""
    await connection.execute(
        """
        with moved as (
            update proposal set state = $5 where intake_id = $1 and revision = $6
        )
        update review_case set version = $2, assignee = $3, assignee_name = $4 where intake_id = $1
        """,
        case.intake_id,
        case.version,
        assignee.id,
        assignee.name,
        case.state,
        case.revision,
    )


async def read(connection: Connection, intake_id: UUID) -> CaseFile | None:
    """All about a case as it was at its version; None where nothing was proposed and nothing erased."""
    row = await connection.fetchrow(
        """
        select review_case.*, state, model, strength, commercial_form, proposal, assessment, company, channel,
            questionnaire, submitted_at, proposed_at
        from review_case left join proposal using (intake_id, revision)
        where intake_id = $1 and (revision is not null or erased_at is not null)
        """,
        intake_id,
    )
    if row is None:
        return None
    earlier = await connection.fetch(
        """
        select revision, state, model, commercial_form, proposed_at
        from proposal where intake_id = $1 and revision < $2 order by revision desc
        """,
        intake_id,
        row["revision"],
    )
    return CaseFile(
        intake_id=intake_id,
        version=row["version"],
        revision=row["revision"],
        state=row["state"] or "erased",
        model=row["model"],
        strength=row["strength"],
        commercial_form=row["commercial_form"],
        questionnaire=row["questionnaire"],
        proposal=_proposal(row),
        assessment=row["assessment"],
        company=_company(row),
        channel=row["channel"],
        submitted_at=row["submitted_at"],
        proposed_at=row["proposed_at"],
        assignee=_assignee(row),
        reviews=await _reviews(connection, intake_id, row["version"]),
        earlier=tuple(Earlier(**one) for one in earlier),
        edits=await lines.of_case(connection, intake_id),
    )


async def queue(
    connection: Connection,
    states: Collection[ProposalState],
    *,
    newest_first: bool = False,
    assignee: UUID | None = None,
    unassigned: bool = False,
    after: UUID | None = None,
) -> list[Queued]:
    """At most a page of current proposals in these states, oldest first; `after` is the last one of the page before."""
    rows = await connection.fetch(
        """
        select *,
            coalesce(jsonb_array_length(assessment -> 'checks'), 0) as checks,
            coalesce(jsonb_array_length(assessment -> 'unknown'), 0) as unknown
        from review_case join proposal using (intake_id, revision)
        where state = any($2) and ($3::uuid is null or assignee = $3) and (not $4 or assignee is null)
            and ($5::uuid is null or ($1 * extract(epoch from proposed_at), intake_id) > (
                select $1 * extract(epoch from last.proposed_at), last.intake_id
                from review_case join proposal last using (intake_id, revision) where intake_id = $5
            ))
        order by $1 * extract(epoch from proposed_at), intake_id limit $6
        """,
        -1 if newest_first else 1,
        list(states),
        assignee,
        unassigned,
        after,
        PAGE,
    )
    return [
        Queued(
            intake_id=row["intake_id"],
            version=row["version"],
            revision=row["revision"],
            state=row["state"],
            model=row["model"],
            strength=row["strength"],
            commercial_form=row["commercial_form"],
            proposal=_proposal(row),
            company=_company(row),
            checks=row["checks"],
            unknown=row["unknown"],
            proposed_at=row["proposed_at"],
            assignee=_assignee(row),
        )
        for row in rows
    ]


async def _reviews(connection: Connection, intake_id: UUID, version: int) -> tuple[Review, ...]:
    """The decisions up to a version of the case, last one first."""
    rows = await connection.fetch(
        "select * from review where intake_id = $1 and version <= $2 order by version desc", intake_id, version
    )
    return tuple(
        Review(
            version=row["version"],
            revision=row["revision"],
            decision=row["decision"],
            by=Reviewer(row["reviewer"], row["reviewer_name"]),
            model=row["model"],
            commercial_form=row["commercial_form"],
            reason_code=row["reason_code"],
            note=row["note"],
            at=row["at"],
        )
        for row in rows
    )


def _assignee(row: asyncpg.Record) -> Reviewer | None:
    return None if row["assignee"] is None else Reviewer(row["assignee"], row["assignee_name"])


def _proposal(row: asyncpg.Record) -> Proposal | None:
    return None if row["proposal"] is None else Proposal.model_validate(row["proposal"])


def _company(row: asyncpg.Record) -> Company | None:
    return None if row["company"] is None else Company.model_validate(row["company"])
