"""Outgoing mail of the console: what waits, what went out, what did not and why."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.intake.domain.mail import Mail, State, why_dropped
from services.intake.domain.submission import is_email
from services.intake.handlers.messages import Refused, compose
from services.intake.store import mail
from services.intake.web.console.staff import Sales, database_of, page, see
from shared.language import gettext_noop
from shared.postgres import Connection
from shared.service import Problem, Settings

router = APIRouter()

PAGE = 50
KINDS = {
    "resume": gettext_noop("Link to go on later"),
    "invitation": gettext_noop("Invitation"),
    "invitation_reminder": gettext_noop("Reminder of an invitation"),
    "receipt": gettext_noop("Answers have arrived"),
    "document": gettext_noop("Recommendation"),
    "document_reminder": gettext_noop("Reminder of the recommendation"),
    "reply": gettext_noop("Answer to a question"),
    "call_booked": gettext_noop("Call booked"),
    "call_cancelled": gettext_noop("Call cancelled"),
}
STATES: dict[State, str] = {
    "queued": gettext_noop("Waiting"),
    "sent": gettext_noop("Sent"),
    "failed": gettext_noop("Not delivered"),
    "kept": gettext_noop("Kept here"),
    "dropped": gettext_noop("Not needed any more"),
}


@router.get("/mail/")
async def outgoing(
    request: Request, staff: Sales, state: str = "", before: datetime | None = None, after_id: UUID | None = None
) -> HTMLResponse:
    """Outgoing mail, latest first, of one state where one is asked for."""
    chosen = next((known for known in get_args(State) if known == state), None)
    if state and chosen is None:
        raise Problem(
            404, gettext_noop("There is no such state"), gettext_noop("Choose one of the states above the list.")
        )
    from_here = None if before is None or after_id is None else (before, after_id)
    async with database_of(request).connection() as connection:
        rows = await mail.outgoing(connection, chosen, from_here, PAGE)
    return page(
        request,
        "mail.html",
        staff=staff,
        rows=rows,
        state=state,
        states=STATES,
        kinds=KINDS,
        last=rows[-1][0] if len(rows) == PAGE else None,
        can_send=_settings(request).smtp_url is not None,
    )


@router.get("/mail/{mail_id:uuid}")
async def read(request: Request, mail_id: UUID, staff: Sales) -> HTMLResponse:
    """One message as it would go out now; who asked for a link to answers not sent, and that link, are left out."""
    settings = _settings(request)
    async with database_of(request).connection() as connection:
        found = await _found(connection, mail_id)
        addressee = await mail.addressee(connection, found.about)
    is_private, message, dropped = found.kind == "resume", None, why_dropped(found, addressee)
    if addressee is not None and is_email(addressee.email):
        shown = replace(addressee, name="") if is_private else addressee
        try:
            message = compose(found, shown, settings, shows_link=not is_private)
        except Refused as refusal:
            dropped = str(refusal)
    return page(
        request,
        "message.html",
        staff=staff,
        mail=found,
        message=message,
        is_private=is_private,
        is_case=addressee is not None and addressee.state is not None,
        dropped=dropped,
        states=STATES,
        kinds=KINDS,
        can_send=settings.smtp_url is not None,
    )


@router.post("/mail/{mail_id:uuid}/again")
async def send_again(request: Request, mail_id: UUID, staff: Sales) -> RedirectResponse:
    """Send a message once more, that went out, was given up or was kept."""
    async with database_of(request).transaction() as connection:
        await _found(connection, mail_id)
        await mail.send_again(connection, mail_id, datetime.now(UTC))
    return see(f"mail/{mail_id}")


async def _found(connection: Connection, mail_id: UUID) -> Mail:
    found = await mail.find(connection, mail_id)
    if found is None:
        raise Problem(
            404,
            gettext_noop("There is no such message"),
            gettext_noop("What it was about may be erased. Look in the list."),
        )
    return found


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings
