"""What is held about a prospect, shown to them and erased on their word."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.intake import handlers
from services.intake.domain.drafts import COMPANY_FIELDS, Draft
from services.intake.domain.retention import kept_until
from services.intake.domain.submission import ConsentForm
from services.intake.store import cases, drafts, intakes, mail, timeline
from shared.contracts.assessment import Assessment
from shared.contracts.intake import Answer, Campaign
from shared.postgres import Connection


class Message(BaseModel):
    """A message to the prospect: its kind, and when it went out, if it did."""

    kind: str
    sent_at: datetime | None


class Happening(BaseModel):
    """Something that happened to the request, without what colleagues have proposed and not released."""

    type: str
    at: datetime


class Held(BaseModel):
    """All that is held about a prospect: `entries` as they were typed, the rest as it stands now.

    After `kept_until` it is erased, unless something happens before. `state` and all that follows from sending are None
    or empty for a draft. Of `notes`, which colleagues wrote for each other, it holds how many there are.
    """

    model_config = ConfigDict(frozen=True)

    kept_until: datetime | None
    state: str | None
    submitted_at: datetime | None
    language: str
    campaign: Campaign | None
    details: dict[str, str]
    questionnaire: str
    answers: dict[str, Answer]
    consent: ConsentForm | None
    assessment: Assessment | None
    entries: dict[str, str]
    notes: int
    messages: list[Message]
    happened: list[Happening]


async def held(connection: Connection, draft: Draft) -> Held:
    """What is held about whoever filled in a draft that is still there."""
    entries = {field: entry.value for field, entry in draft.entries.items() if entry.value}
    known: dict[str, Any] = {
        "kept_until": draft.expires_at,
        "state": None,
        "submitted_at": None,
        "language": draft.language,
        "campaign": draft.campaign,
        "details": {field: entries[field] for field in COMPANY_FIELDS if field in entries},
        "questionnaire": draft.questionnaire.version,
        "answers": draft.given,
        "consent": None,
        "assessment": None,
        "notes": 0,
        "entries": entries,
        "messages": [Message(kind=one.kind, sent_at=one.sent_at) for one in await mail.of(connection, draft.id)],
        "happened": [],
    }
    found = await intakes.status(connection, draft.id) if draft.sent_at else None
    if found is not None:
        current, contact = (
            await intakes.current_revision(connection, draft.id),
            await intakes.contact(connection, draft.id),
        )
        details = {"company_name": current.company.name, **current.company.model_dump(exclude={"name"})}
        if contact is not None:
            details |= {"contact_name": contact.name, "contact_email": contact.email}
        happened = [Happening(type=one["type"], at=one["at"]) for one in await timeline.of(connection, draft.id)]
        known |= {
            "kept_until": kept_until(found.state, max(one.at for one in happened)),
            "state": found.state,
            "submitted_at": found.submitted_at,
            "details": details,
            "questionnaire": current.questionnaire,
            "answers": current.given,
            "consent": await intakes.consent(connection, draft.id),
            "assessment": found.assessment,
            "notes": len(await cases.notes(connection, draft.id)),
            "happened": happened,
        }
    return Held(**known)


async def erase(connection: Connection, draft: Draft) -> None:
    """Erase a draft and, where it was sent, all that came of it, everywhere."""
    if draft.sent_at:
        await handlers.erase(connection, draft.id)
    else:
        await drafts.forget(connection, draft.id)
        await mail.forget(connection, draft.id)
