"""What intake hears: how submissions scored and what became of them."""

from services.intake.store import intakes
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.recommendation import RecommendationAssigned, RecommendationProposed, RecommendationReviewed
from shared.kafka import Handlers
from shared.postgres import Connection

STATE_AFTER = {"approve": "approved", "override": "overridden", "return": "returned"}


async def on_completed(connection: Connection, event: AssessmentCompleted) -> None:
    """Keep the assessment for the status and result pages."""
    detail = {"revision": event.submission.revision, "verdict": event.assessment.verdict}
    await intakes.keep_assessment(connection, event, detail)


async def on_proposed(connection: Connection, event: RecommendationProposed) -> None:
    """The submission has its answer: a proposal waits for review."""
    detail = {"revision": event.revision, "model": event.model, "strength": event.strength}
    await intakes.hear(connection, event, detail, "proposed")


async def on_assigned(connection: Connection, event: RecommendationAssigned) -> None:
    """Somebody has taken the review up."""
    detail = {"revision": event.revision, "assignee": str(event.assignee)}
    await intakes.hear(connection, event, detail, "in_review", event.assignee)


async def on_reviewed(connection: Connection, event: RecommendationReviewed) -> None:
    """An account manager has decided."""
    detail = {
        "revision": event.revision,
        "decision": event.decision,
        "model": event.model,
        "reason_code": event.reason_code,
        "by": str(event.by),
    }
    await intakes.hear(connection, event, detail, STATE_AFTER[event.decision])


HANDLERS: Handlers = {
    AssessmentCompleted: on_completed,
    RecommendationProposed: on_proposed,
    RecommendationAssigned: on_assigned,
    RecommendationReviewed: on_reviewed,
}
