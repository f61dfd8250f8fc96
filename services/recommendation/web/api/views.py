"""What the JSON API shows: a case, the queue, decisions, and released documents."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.recommendation.domain.alternatives import Alternative
from services.recommendation.domain.assignment import is_overdue
from services.recommendation.domain.offer import Kind
from services.recommendation.domain.outcome import Recorded
from services.recommendation.domain.proposal import AppliedRule, Leaning, Stage
from services.recommendation.domain.review import Case, Ending, Standing
from services.recommendation.store.cases import CaseFile
from services.recommendation.store.queue import Queued
from services.recommendation.web.releases import Shown
from shared.contracts.assessment import Strength, VersionHash
from shared.contracts.intake import Company
from shared.contracts.recommendation import (
    ClientAnswer,
    CommercialForm,
    Decision,
    DeclineReason,
    Model,
    Outcome,
    ProposalState,
)
from shared.promise import answer_due


class View(BaseModel):
    """What is shown, read from an object's attributes."""

    model_config = ConfigDict(from_attributes=True)


class PersonView(View):
    """A member of staff."""

    id: UUID
    name: str


class OutcomeView(View):
    """What became of a case; `version` is the case's after it, `number` the document's."""

    version: int
    number: int
    outcome: Outcome
    model_used: Model | None
    reason_code: DeclineReason | None
    happened_on: date
    note: str | None
    by: PersonView
    at: datetime


class SequelView(View):
    """What became of a decision; `version` is the case's after it."""

    kind: Ending
    by: PersonView
    note: str | None
    at: datetime
    version: int


class ReviewView(View):
    """One decision; `version` is the case's after it.

    It `stands`, or `waits` for a second person's signature, or was `refused` or `undone`.
    """

    decision: Decision
    model: Model | None
    commercial_form: CommercialForm | None
    reason_code: str | None
    note: str | None
    by: PersonView
    at: datetime
    version: int
    revision: int
    standing: Standing
    sequels: tuple[SequelView, ...]


class AssignmentView(View):
    """A case put into somebody's hands; `asked_for` is who was meant, where a deputy got it. `version` is then."""

    assignee: PersonView
    asked_for: PersonView | None
    by: PersonView
    reason: str | None
    at: datetime
    version: int


class EarlierView(View):
    """A revision that another has replaced."""

    revision: int
    state: ProposalState
    model: Model
    commercial_form: CommercialForm
    proposed_at: datetime


class ClientAnswerView(View):
    """What the client answered. After erasure name and note are null."""

    answer: ClientAnswer
    reason_code: DeclineReason | None
    name: str | None
    note: str | None
    at: datetime


class DocumentView(View):
    """A released document: the SHA-256 of what it says, and the client's link while it is open."""

    number: int
    revision: int
    hash: str
    released_by: PersonView
    released_at: datetime
    link: str | None
    expires_at: datetime
    opened: int
    downloaded: int
    answers: tuple[ClientAnswerView, ...]


class CaseView(View):
    """A proposal as the playbook made it, its state, and what people decided.

    `review` is the last decision on the current revision that stands, `waiting` one that needs a second person, and
    `authors` are the colleagues who took answers down and may not approve. `documents` are the released ones, latest
    first, and `what_would_change` holds the smallest sets of other answers under which another model would be proposed.
    After erasure the contents are null.
    """

    intake_id: UUID
    revision: int | None
    version: int
    state: ProposalState
    model: Model | None
    strength: Strength | None
    commercial_form: CommercialForm | None
    second_line: CommercialForm | None
    kind: Kind | None
    leaning: Leaning | None
    deciding_questions: tuple[str, ...] | None
    vetoes: tuple[str, ...] | None
    conditions: tuple[str, ...] | None
    rules: tuple[AppliedRule, ...] | None
    what_would_change: tuple[Alternative, ...] | None
    staging: tuple[Stage, ...] | None
    playbook: VersionHash | None
    company: Company | None
    assessment: dict[str, Any] | None
    submitted_at: datetime | None
    proposed_at: datetime | None
    assignee: PersonView | None
    authors: frozenset[UUID]
    review: ReviewView | None
    waiting: ReviewView | None
    reviews: tuple[ReviewView, ...]
    assignments: tuple[AssignmentView, ...]
    earlier: tuple[EarlierView, ...]
    documents: tuple[DocumentView, ...]
    outcomes: tuple[OutcomeView, ...]


class QueuedView(View):
    """A case in the queue; `checks` and `unknown` count open contradictions and unanswered questions.

    `leaning` is what a discovery call leans to, and `waiting_for` who needs a second person's signature.
    """

    intake_id: UUID
    revision: int
    version: int
    state: ProposalState
    model: Model
    strength: Strength | None
    commercial_form: CommercialForm
    kind: Kind | None
    leaning: Model | None
    vetoes: tuple[str, ...] | None
    conditions: tuple[str, ...] | None
    checks: int
    unknown: int
    company: Company | None
    assignee: PersonView | None
    waiting_for: PersonView | None
    proposed_at: datetime
    due_at: datetime
    overdue: bool
    age_seconds: int


class QueueView(View):
    """At most a page of cases; `next` is what to send as `after` for the following page."""

    items: tuple[QueuedView, ...]
    next: UUID | None


class DecidedView(ReviewView):
    """A decision, and the state it led to."""

    intake_id: UUID
    state: ProposalState


class StandingView(View):
    """Where a case stands after a step."""

    intake_id: UUID
    version: int
    state: ProposalState
    assignee: PersonView | None


class ReleasedView(View):
    """A released document: its number, the SHA-256 of what it says, and the client's link while it is open."""

    intake_id: UUID
    version: int
    state: ProposalState
    document: int
    document_hash: str
    link: str
    expires_at: datetime


PROPOSED = (
    "second_line",
    "kind",
    "leaning",
    "deciding_questions",
    "vetoes",
    "conditions",
    "rules",
    "what_would_change",
    "staging",
    "playbook",
)


def case_view(file: CaseFile, released: Sequence[Shown], recorded: Sequence[Recorded]) -> CaseView:
    """All about a case."""
    proposed = {name: getattr(file.proposal, name, None) for name in PROPOSED}
    return CaseView.model_validate(
        {
            **vars(file),
            **proposed,
            "review": file.review,
            "waiting": file.waiting,
            "documents": list(map(_document, released)),
            "outcomes": recorded,
        }
    )


def _document(one: Shown) -> DocumentView:
    document = {**vars(one.document), **vars(one), "link": one.address, "expires_at": one.link.expires_at}
    return DocumentView.model_validate(document)


def queued_view(item: Queued, now: datetime) -> QueuedView:
    """A case in the queue, with how long it has waited."""
    timing = {
        "due_at": answer_due(item.proposed_at),
        "overdue": is_overdue(item.state, item.proposed_at, now),
        "age_seconds": int((now - item.proposed_at).total_seconds()),
    }
    return QueuedView.model_validate({**vars(item), **timing})


def decided_view(case: Case) -> DecidedView:
    """The decision that was just made, be it one that waits for a second person."""
    decision = ReviewView.model_validate(case.waiting or case.review)
    return DecidedView(**decision.model_dump(), intake_id=case.intake_id, state=case.state)
