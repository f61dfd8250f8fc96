"""What recommendation says: a proposal, its review, and what became of it."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.assessment import Strength
from shared.contracts.base import IntakeEvent

Model = Literal["dedicated_team", "project_based", "hybrid", "discovery_call"]
CommercialForm = Literal[
    "fixed_price", "milestones", "capped_time_and_materials", "time_and_materials", "monthly_team", "retainer"
]
Decision = Literal["approve", "override", "return"]
ClientAnswer = Literal["accepted", "declined", "asked"]
DeclineReason = Literal[
    "price", "timing", "way_of_working", "own_people", "another_partner", "no_longer_needed", "other"
]
CallStatus = Literal["booked", "cancelled"]
Outcome = Literal["signed", "lost", "unchanged", "rescoped", "renewed"]
ProposalState = Literal[
    "proposed",
    "in_review",
    "returned",
    "approved",
    "overridden",
    "released",
    "accepted",
    "declined",
    "expired",
    "superseded",
    "withdrawn",
    "erased",
]


class RecommendationEvent(IntakeEvent):
    """A fact about the proposal of one revision. `version` counts per intake across revisions."""

    revision: int


class RecommendationProposed(RecommendationEvent):
    """A proposal stands and waits for review."""

    topic: ClassVar[str] = "recommendation.proposed.v1"
    partitions: ClassVar[int] = 6

    model: Model
    strength: Strength | None
    commercial_form: CommercialForm


class RecommendationAssigned(RecommendationEvent):
    """Somebody took the review up, or was given it."""

    topic: ClassVar[str] = "recommendation.assigned.v1"

    assignee: UUID
    by: UUID


class RecommendationReviewed(RecommendationEvent):
    """An account manager decided. Model and form are the human's; the note stays where it was typed.

    `confirmed_by` is the second person, where the decision needed one.
    """

    topic: ClassVar[str] = "recommendation.reviewed.v1"

    decision: Decision
    by: UUID
    model: Model | None
    commercial_form: CommercialForm | None
    reason_code: str | None
    confirmed_by: UUID | None = None


class RecommendationReleased(RecommendationEvent):
    """A document was opened to the client, or opened again by a new link.

    `document` counts the documents of the intake, and its hash is the SHA-256 of what it says. The link's address is
    derived from its id. A client who had accepted it still has.
    """

    topic: ClassVar[str] = "recommendation.released.v1"

    by: UUID
    model: Model
    commercial_form: CommercialForm
    document: int
    document_hash: str
    link_id: UUID
    expires_at: datetime
    state: Literal["released", "accepted"] = "released"


class RecommendationOpened(RecommendationEvent):
    """The client read a document for the first time."""

    topic: ClassVar[str] = "recommendation.opened.v1"

    document: int


class RecommendationAnswered(RecommendationEvent):
    """The client accepted a document, declined it, or asked about it. The words stay where they were typed."""

    topic: ClassVar[str] = "recommendation.answered.v1"

    document: int
    answer: ClientAnswer
    reason_code: DeclineReason | None


class RecommendationExpired(RecommendationEvent):
    """The client's link ran out before the client had the last word. A new link opens the document again."""

    topic: ClassVar[str] = "recommendation.expired.v1"

    document: int


class RecommendationLinkClosed(RecommendationEvent):
    """The client's link to a document was closed before its time. A new link opens the document again."""

    topic: ClassVar[str] = "recommendation.link-closed.v1"

    document: int
    link_id: UUID
    by: UUID


class RecommendationReplied(RecommendationEvent):
    """A colleague answered what the client asked. The words stay where they were typed, and are read by the link."""

    topic: ClassVar[str] = "recommendation.replied.v1"

    document: int
    by: UUID


class RecommendationCallBooked(RecommendationEvent):
    """A call about a document was booked, moved or cancelled.

    `sequence` rises with each change of one call. `zone` is the client's time zone by its IANA name, and `by` is null
    where the client did it.
    """

    topic: ClassVar[str] = "recommendation.call-booked.v1"

    document: int
    call_id: UUID
    host: UUID
    starts_at: datetime
    ends_at: datetime
    zone: str
    status: CallStatus
    sequence: int
    by: UUID | None


class RecommendationOutcomeRecorded(RecommendationEvent):
    """What became of the case after its document: one of several over time. `model_used` is null where it was lost."""

    topic: ClassVar[str] = "recommendation.outcome-recorded.v1"

    outcome: Outcome
    model_used: Model | None
    reason_code: DeclineReason | None
    happened_on: date
    by: UUID
