"""What recommendation says: a proposal, its review, and what became of it."""

from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.assessment import Strength
from shared.contracts.base import IntakeEvent

Model = Literal["dedicated_team", "project_based", "hybrid", "discovery_call"]
CommercialForm = Literal[
    "fixed_price", "milestones", "capped_time_and_materials", "time_and_materials", "monthly_team", "retainer"
]
Decision = Literal["approve", "override", "return"]
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
    """An account manager decided. Model and form are the human's; the note stays where it was typed."""

    topic: ClassVar[str] = "recommendation.reviewed.v1"

    decision: Decision
    by: UUID
    model: Model | None
    commercial_form: CommercialForm | None
    reason_code: str | None
