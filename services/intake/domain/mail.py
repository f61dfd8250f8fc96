"""Mail: what kinds there are, when it is due, and whether it still makes sense."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from services.intake.domain.submission import is_email
from shared.language import ENGLISH

Kind = Literal[
    "resume",
    "invitation",
    "invitation_reminder",
    "receipt",
    "document",
    "document_reminder",
    "reply",
    "call_booked",
    "call_cancelled",
]
State = Literal["queued", "sent", "failed", "kept", "dropped"]

NAMESPACE = UUID("0d9d5f0e-3f0b-4c0e-9a55-6e2b1f4f7c11")
MOST_ATTEMPTS = 12
FIRST_WAIT = timedelta(minutes=1)
REMINDED_BEFORE = timedelta(days=5)

UNSENT = ("resume", "invitation", "invitation_reminder")
OF_A_DOCUMENT = ("document", "document_reminder")
OF_A_CALL = ("call_booked", "call_cancelled")


@dataclass(frozen=True)
class Mail:
    """A message to send. `issue` rises when a colleague sends it once more; `reason` says why it has not gone out."""

    id: UUID
    kind: Kind
    about: UUID
    detail: Mapping[str, Any]
    state: State
    issue: int
    attempts: int
    reason: str | None
    queued_at: datetime
    due_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True)
class Addressee:
    """Whom a message is for: the intake's contact, or the draft's while it is not sent. Unknown texts are empty.

    `state` is the intake's, None for a draft. `expires_at` is the last day to send the draft. `link_id` opens the
    document that was released last, unless `is_link_closed`.
    """

    name: str
    email: str
    company: str
    state: str | None
    expires_at: datetime | None
    link_id: str | None
    is_link_closed: bool = False
    language: str = ENGLISH.tag


def mail_id(kind: Kind, about: UUID, detail: Mapping[str, Any]) -> UUID:
    """The id of a message: the same message queued again has the same one."""
    return uuid5(NAMESPACE, f"{kind}/{about}/{json.dumps(detail, sort_keys=True)}")


def why_dropped(mail: Mail, addressee: Addressee | None) -> str | None:
    """Why a message is not to be sent any more; None where it is."""
    if addressee is None:
        return "What it is about is deleted."
    if not is_email(addressee.email):
        return "There is no address to send it to."
    if addressee.state == "withdrawn" and mail.kind != "call_cancelled":
        return "The request was taken back."
    if mail.kind in UNSENT and addressee.state is not None:
        return "The answers were sent in meanwhile."
    if mail.kind in OF_A_DOCUMENT and mail.detail["link_id"] != addressee.link_id:
        return "A newer link to the document was made."
    if mail.kind in OF_A_DOCUMENT and addressee.is_link_closed:
        return "The link to the document was closed."
    if mail.kind == "document_reminder" and addressee.state != "released":
        return "The document was answered, or its time is over."
    return None


def reminder_due(released_at: datetime, expires_at: datetime) -> datetime:
    """When to remind of a document: some days before its link ends, yet never in the first half of its time."""
    return max(expires_at - REMINDED_BEFORE, released_at + (expires_at - released_at) / 2)
