"""What intake hears: how submissions scored and what became of them."""

from collections.abc import Sequence
from datetime import timedelta

from services.intake.domain.mail import Kind, reminder_due
from services.intake.store import mail, timeline
from services.intake.store.timeline import Heard
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.recommendation import (
    RecommendationAnswered,
    RecommendationAssigned,
    RecommendationCallBooked,
    RecommendationExpired,
    RecommendationLinkClosed,
    RecommendationOpened,
    RecommendationOutcomeRecorded,
    RecommendationProposed,
    RecommendationReleased,
    RecommendationReplied,
    RecommendationReviewed,
)
from shared.kafka import Handlers, batched
from shared.postgres import Connection

STATE_AFTER = {"approve": "approved", "override": "overridden", "return": "returned"}
STATE_ANSWERED = {"accepted": "accepted", "declined": "declined", "asked": "released"}


@batched
async def on_completed(connection: Connection, events: Sequence[AssessmentCompleted]) -> None:
    """Keep the assessments for the status and result pages."""
    await timeline.keep_assessments(connection, events)


@batched
async def on_proposed(connection: Connection, events: Sequence[RecommendationProposed]) -> None:
    """The submissions have their answer: a proposal waits for review."""
    await timeline.hear(
        connection,
        *(
            Heard(event, {"revision": event.revision, "model": event.model, "strength": event.strength}, "proposed")
            for event in events
        ),
    )


async def on_assigned(connection: Connection, event: RecommendationAssigned) -> None:
    """Somebody has taken the review up."""
    detail = {"revision": event.revision, "assignee": str(event.assignee)}
    await timeline.hear(connection, Heard(event, detail, "in_review", event.assignee))


async def on_reviewed(connection: Connection, event: RecommendationReviewed) -> None:
    """An account manager has decided."""
    detail = {
        "revision": event.revision,
        "decision": event.decision,
        "model": event.model,
        "reason_code": event.reason_code,
        "by": str(event.by),
    }
    await timeline.hear(connection, Heard(event, detail, STATE_AFTER[event.decision]))


async def on_released(connection: Connection, event: RecommendationReleased) -> None:
    """The client has a link to the document, and gets it by mail."""
    detail = {
        "revision": event.revision,
        "document": event.document,
        "document_hash": event.document_hash,
        "model": event.model,
        "link_id": str(event.link_id),
        "expires_at": event.expires_at.isoformat(),
        "by": str(event.by),
    }
    await timeline.hear(connection, Heard(event, detail, event.state))
    await timeline.keep_document(connection, event, event.document, link_expires_at=event.expires_at)
    await timeline.end_closed_link(connection, event.intake_id)
    link = {"link_id": str(event.link_id), "expires_at": event.expires_at.isoformat()}
    await mail.queue(connection, "document", event.intake_id, event.time, link)
    reminded_at = reminder_due(event.time, event.expires_at)
    await mail.queue(connection, "document_reminder", event.intake_id, reminded_at, link)


async def on_opened(connection: Connection, event: RecommendationOpened) -> None:
    """The client has read the document."""
    detail = {"revision": event.revision, "document": event.document}
    await timeline.hear(connection, Heard(event, detail, "released"))
    await timeline.keep_document(connection, event, event.document, opened_at=event.time)


async def on_answered(connection: Connection, event: RecommendationAnswered) -> None:
    """The client has accepted, declined or asked something."""
    detail = {
        "revision": event.revision,
        "document": event.document,
        "answer": event.answer,
        "reason_code": event.reason_code,
    }
    await timeline.hear(connection, Heard(event, detail, STATE_ANSWERED[event.answer]))
    asked_at = event.time if event.answer == "asked" else None
    await timeline.keep_document(connection, event, event.document, opened_at=event.time, asked_at=asked_at)


async def on_replied(connection: Connection, event: RecommendationReplied) -> None:
    """A colleague has answered the client's question."""
    await timeline.note(
        connection, event, {"revision": event.revision, "document": event.document, "by": str(event.by)}
    )
    await timeline.keep_document(connection, event, event.document, replied_at=event.time)
    await mail.queue(connection, "reply", event.intake_id, event.time, {"version": event.version})


async def on_call_booked(connection: Connection, event: RecommendationCallBooked) -> None:
    """A call with the client was booked, moved or cancelled."""
    detail = {
        "revision": event.revision,
        "document": event.document,
        "status": event.status,
        "starts_at": event.starts_at.isoformat(),
        "ends_at": event.ends_at.isoformat(),
        "sequence": event.sequence,
    }
    await timeline.note(connection, event, detail)
    told = {
        "call_id": str(event.call_id),
        "zone": event.zone,
        "minutes": int((event.ends_at - event.starts_at) / timedelta(minutes=1)),
        **{name: detail[name] for name in ("starts_at", "ends_at", "sequence")},
    }
    kind: Kind = "call_booked" if event.status == "booked" else "call_cancelled"
    await mail.queue(connection, kind, event.intake_id, event.time, told)


async def on_expired(connection: Connection, event: RecommendationExpired) -> None:
    """The client's link ran out without a last word."""
    await timeline.hear(connection, Heard(event, {"revision": event.revision, "document": event.document}, "expired"))


async def on_link_closed(connection: Connection, event: RecommendationLinkClosed) -> None:
    """A colleague has closed the client's link."""
    detail = {
        "revision": event.revision,
        "document": event.document,
        "link_id": str(event.link_id),
        "by": str(event.by),
    }
    await timeline.note(connection, event, detail)
    await timeline.end_closed_link(connection, event.intake_id)


async def on_outcome_recorded(connection: Connection, event: RecommendationOutcomeRecorded) -> None:
    """An account manager has noted what became of it."""
    detail = {
        "revision": event.revision,
        "outcome": event.outcome,
        "model": event.model_used,
        "reason_code": event.reason_code,
        "happened_on": event.happened_on.isoformat(),
        "by": str(event.by),
    }
    await timeline.note(connection, event, detail)


HANDLERS: Handlers = {
    AssessmentCompleted: on_completed,
    RecommendationProposed: on_proposed,
    RecommendationAssigned: on_assigned,
    RecommendationReviewed: on_reviewed,
    RecommendationReleased: on_released,
    RecommendationOpened: on_opened,
    RecommendationAnswered: on_answered,
    RecommendationReplied: on_replied,
    RecommendationCallBooked: on_call_booked,
    RecommendationExpired: on_expired,
    RecommendationLinkClosed: on_link_closed,
    RecommendationOutcomeRecorded: on_outcome_recorded,
}
