"""What is stored about a case, and the lock under which it changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recommendation.domain.assignment import Assignment
from services.recommendation.domain.blueprint import Edit
from services.recommendation.domain.proposal import Proposal
from services.recommendation.domain.review import Case, Review, Reviewer, last
from services.recommendation.store import lines, reviews
from shared.contracts.assessment import Strength
from shared.contracts.intake import Channel, Company
from shared.contracts.recommendation import CommercialForm, Model, ProposalState
from shared.postgres import Connection


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
    authors: frozenset[UUID]
    reviews: tuple[Review, ...]
    assignments: tuple[Assignment, ...]
    earlier: tuple[Earlier, ...]
    edits: tuple[Edit, ...]

    @property
    def review(self) -> Review | None:
        """The last decision on the current revision that stands."""
        return last(self.reviews, self.revision, "stands")

    @property
    def waiting(self) -> Review | None:
        """The decision on the current revision that needs a second person, if one does."""
        return last(self.reviews, self.revision, "waits")


async def lock(connection: Connection, intake_id: UUID) -> Case | None:
    """The current proposal, for nobody else to decide on until the transaction ends; None where there is none."""
    # Locked first and read after: a row that was waited for shows its new state, but joined rows would show their old.
    await connection.execute("select from review_case where intake_id = $1 for update", intake_id)
    row = await connection.fetchrow(
        """
        select review_case.*, state, model, commercial_form, questionnaire, assessment -> 'answers' as answers,
            array(select author from proposal where intake_id = $1 and author is not null) as authors
        from review_case join proposal using (intake_id, revision) where intake_id = $1
        """,
        intake_id,
    )
    if row is None:
        return None
    found = await reviews.of_case(connection, intake_id, row["version"])
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
        review=last(found, row["revision"], "stands"),
        waiting=last(found, row["revision"], "waits"),
        authors=frozenset(row["authors"]),
    )


async def move(connection: Connection, case: Case) -> None:
    """Store the state and version that a case has now, and in whose hands it is."""
    await connection.execute(
        """
        with moved as (
            update proposal set state = $5 where intake_id = $1 and revision = $6
        )
        update review_case set version = $2, assignee = $3, assignee_name = $4 where intake_id = $1
        """,
        case.intake_id,
        case.version,
        case.assignee and case.assignee.id,
        case.assignee and case.assignee.name,
        case.state,
        case.revision,
    )


async def advance(
    connection: Connection, intake_id: UUID, revision: int, version: int, state: ProposalState | None = None
) -> None:
    """Raise a case's version, and give that revision's proposal a new state if any."""
    await connection.execute(
        """
        with moved as (
            update proposal set state = $4 where intake_id = $1 and revision = $2 and $4::text is not null
        )
        update review_case set version = $3 where intake_id = $1
        """,
        intake_id,
        revision,
        version,
        state,
    )


async def record_assignment(connection: Connection, intake_id: UUID, assignment: Assignment) -> None:
    """Keep who was given a case, by whom and why."""
    await connection.execute(
        """
        insert into assignment (intake_id, version, assignee, assignee_name, asked_for, asked_for_name, by, by_name,
            reason, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        intake_id,
        assignment.version,
        assignment.assignee.id,
        assignment.assignee.name,
        assignment.asked_for and assignment.asked_for.id,
        assignment.asked_for and assignment.asked_for.name,
        assignment.by.id,
        assignment.by.name,
        assignment.reason,
        assignment.at,
    )


async def read(connection: Connection, intake_id: UUID) -> CaseFile | None:
    """All about a case as it was at its version; None where nothing was proposed and nothing erased."""
    row = await connection.fetchrow(
        """
        select review_case.*, state, model, strength, commercial_form, proposal, assessment, company, channel,
            questionnaire, submitted_at, proposed_at,
            array(select author from proposal where intake_id = $1 and author is not null) as authors
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
        authors=frozenset(row["authors"]),
        reviews=await reviews.of_case(connection, intake_id, row["version"]),
        assignments=await _assignments(connection, intake_id, row["version"]),
        earlier=tuple(Earlier(**one) for one in earlier),
        edits=await lines.of_case(connection, intake_id),
    )


async def _assignments(connection: Connection, intake_id: UUID, version: int) -> tuple[Assignment, ...]:
    rows = await connection.fetch(
        "select * from assignment where intake_id = $1 and version <= $2 order by version desc", intake_id, version
    )
    return tuple(
        Assignment(
            version=row["version"],
            assignee=Reviewer(row["assignee"], row["assignee_name"]),
            asked_for=None if row["asked_for"] is None else Reviewer(row["asked_for"], row["asked_for_name"]),
            by=Reviewer(row["by"], row["by_name"]),
            reason=row["reason"],
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
