"""Going on later: the personal link, sent by mail to whoever asks for it."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from limits import RateLimitItemPerHour
from pydantic import TypeAdapter, ValidationError

from services.intake.domain.drafts import Draft, Entry
from services.intake.domain.submission import Email
from services.intake.handlers import links
from services.intake.store import drafts, mail
from services.intake.web.account.passwords import Attempts, TooManyAttempts, network
from services.intake.web.questionnaire.draft import locked, not_this_form, opened, posted, refuse_if_sent, to
from shared.language import gettext_noop
from shared.pages import Pages
from shared.postgres import Database
from shared.service import Settings

PER_EMAIL = RateLimitItemPerHour(5, namespace="mail to")
PER_CLIENT = RateLimitItemPerHour(30, namespace="mail from")
TOO_OFTEN = gettext_noop("The link was asked for too often. Try again in an hour.")

router = APIRouter()


def requests() -> Attempts:
    """The count of messages that prospects had sent, so that nobody floods a mailbox from here."""
    return Attempts(PER_EMAIL, PER_CLIENT)


@router.get("/q/{token}/later")
async def ask(request: Request, token: str) -> Response:
    """The form for the address, and what became of the last message."""
    draft = await opened(request, token)
    if draft.sent_at:
        return to(token, "status")
    return await _page(request, token, draft)


@router.post("/q/{token}/later")
async def send(request: Request, token: str) -> Response:
    """Send the link to an address, which is also the one to answer."""
    form = await posted(request)
    if not form.keys() <= {"contact_email"}:
        raise not_this_form()
    typed = form.get("contact_email", "")
    draft = await opened(request, token)
    try:
        address = TypeAdapter(Email).validate_python(typed)
        mail_requests: Attempts = request.app.state.mail_requests
        await mail_requests.count(address.lower(), network(request))
    except ValidationError as refusal:
        asked = str(refusal.errors()[0]["ctx"]["error"])
        return await _page(request, token, draft, status=422, typed=typed, errors={"contact_email": asked})
    except TooManyAttempts as wait:
        errors = {"contact_email": TOO_OFTEN}
        return await _page(request, token, draft, status=429, headers=wait.headers, typed=typed, errors=errors)
    now = datetime.now(UTC)
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        draft = await locked(request, connection, token)
        refuse_if_sent(draft)
        held = draft.entry("contact_email")
        if address != held.value:
            await drafts.keep(connection, draft.id, {"contact_email": Entry(address, held.seq + 1)})
        await mail.queue(connection, "resume", draft.id, now, {"asked_at": now.isoformat()})
    return to(token, "later")


async def _page(
    request: Request,
    token: str,
    draft: Draft,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    typed: str | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        last = await mail.last(connection, "resume", draft.id)
    settings: Settings = request.app.state.settings
    pages: Pages = request.app.state.pages
    email = draft.entry("contact_email").value
    return pages.render(
        request,
        "questionnaire/later.html",
        status=status,
        headers=headers,
        token=token,
        address=links.personal(settings, draft.id),
        email=email,
        typed=email if typed is None else typed,
        last=None if errors else last,
        can_send=settings.smtp_url is not None,
        errors=errors or {},
        kept_until=draft.expires_at,
    )
