"""Personal links: made for a prospect with what is known in place, sent, taken back, and where each stands."""

from collections.abc import Awaitable, Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from services.intake.domain.drafts import CHOOSE, Draft
from services.intake.domain.duplicates import Known
from services.intake.domain.invitations import InvitationForm, NotOpen, UnknownInvitation
from services.intake.domain.submission import MAX_TEXT
from services.intake.handlers import links, prospects
from services.intake.store import drafts, invitations, mail
from services.intake.web.console.mail import STATES
from services.intake.web.console.staff import Sales, database_of, page, see
from services.intake.web.questionnaire.draft import not_this_form, posted
from services.intake.web.questionnaire.wording import headcounts, industries
from shared.access import Principal
from shared.language import gettext_noop
from shared.pages import language_of
from shared.postgres import Connection
from shared.questionnaire import load
from shared.service import Problem, Settings

router = APIRouter(prefix="/invitations")

PAGE = 50
FIELDS = {
    "company_name": ("company", "name"),
    "headcount": ("company", "headcount"),
    "industry": ("company", "industry"),
    "country": ("company", "country"),
    "contact_name": ("contact", "name"),
    "contact_email": ("contact", "email"),
    "source": ("campaign", "source"),
    "medium": ("campaign", "medium"),
    "campaign": ("campaign", "campaign"),
}
GO, SEND, CALL, SEEN = "go", "send", "call", "seen"
SLUG = gettext_noop("Use small letters, digits, dots, dashes and underscores, at most 64 of them.")
NEEDS_ADDRESS = gettext_noop("Write the e-mail address to send the link to, or make the link without sending it.")
LOOK_FIRST = gettext_noop("Look at what is there of this company already, then go on if this is another matter.")


@router.get("/")
async def overview(request: Request, staff: Sales, whose: str = "mine", before: datetime | None = None) -> HTMLResponse:
    """The personal links, latest first, and how far each prospect has come: one's own, or everybody's."""
    if whose not in ("mine", "all"):
        raise Problem(
            404, gettext_noop("There is no such list"), gettext_noop("Go back to the invitations and choose one.")
        )
    async with database_of(request).connection() as connection:
        rows = await invitations.page(
            connection, made_by=staff.id if whose == "mine" else None, before=before, limit=PAGE
        )
        mailed = await mail.invited(connection, [row.id for row in rows])
    return page(
        request,
        "invitations.html",
        staff=staff,
        rows=rows,
        mailed=mailed,
        mail_states=STATES,
        whose=whose,
        total=len(load().questions),
        earlier=rows[-1].begun_at if len(rows) == PAGE else None,
    )


@router.get("/new")
async def begin(request: Request, staff: Sales, call: UUID | None = None) -> HTMLResponse:
    """The form for a new link, with what a call has brought in place."""
    async with database_of(request).connection() as connection:
        taken_down = None if call is None else await _call(connection, call)
    known = {} if taken_down is None else {field: taken_down.entry(field).value for field in FIELDS}
    return _form(request, staff, taken_down, known)


@router.post("/")
async def make(request: Request, staff: Sales) -> Response:
    """Make a personal link, and send it where that was asked for."""
    form = await posted(request)
    if not form.keys() <= {GO, CALL, SEEN, *FIELDS}:
        raise not_this_form()
    by_mail = form.get(GO) == SEND
    async with database_of(request).transaction() as connection:
        taken_down = await _call(connection, _uuid(form[CALL])) if form.get(CALL) else None
        invitation, errors = _read(form, taken_down)
        if by_mail and not form.get("contact_email", "").strip():
            errors["contact_email"] = NEEDS_ADDRESS
        found: list[Known] = []
        if invitation is not None and not errors:
            besides = [taken_down.id] if taken_down else []
            found = await prospects.known_of(
                connection, invitation.company.name, invitation.contact.email, besides=besides
            )
            if {str(one.id) for one in found} - set(form.get(SEEN, "").split()):
                errors["known"] = LOOK_FIRST
            else:
                draft = await prospects.invite(
                    connection, invitation.values, invitation.campaign, staff.id, by_mail=by_mail
                )
                return see(f"invitations/{draft.id}")
    return _form(request, staff, taken_down, form, errors=errors, found=found)


@router.get("/{draft_id:uuid}")
async def invitation(request: Request, draft_id: UUID, staff: Sales) -> HTMLResponse:
    """One personal link: where it leads, where it stands, and what was mailed."""
    settings: Settings = request.app.state.settings
    async with database_of(request).connection() as connection:
        found = await invitations.find(connection, draft_id)
        if found is None:
            raise _unknown()
        draft = await drafts.find(connection, draft_id)
        messages = await mail.of(connection, draft_id)
    return page(
        request,
        "invitation.html",
        staff=staff,
        invitation=found,
        campaign=draft and draft.campaign,
        link=links.personal(settings, draft_id),
        total=len(load().questions),
        mail_states=STATES,
        has_server=settings.smtp_url is not None,
        messages=[message for message in messages if message.kind.startswith("invitation")],
    )


@router.post("/{draft_id:uuid}/remind")
async def remind(request: Request, draft_id: UUID, staff: Sales) -> Response:
    """Send the link, or a reminder of it."""
    async with database_of(request).transaction() as connection:
        found = await invitations.find(connection, draft_id)
        if found is not None and not found.email:
            raise Problem(422, gettext_noop("There is no address to send it to"), gettext_noop("Hand the link over."))
        await _change(prospects.remind(connection, draft_id))
    return see(f"invitations/{draft_id}")


@router.post("/{draft_id:uuid}/revoke")
async def revoke(request: Request, draft_id: UUID, staff: Sales) -> Response:
    """Let the link open nothing any more."""
    async with database_of(request).transaction() as connection:
        await _change(prospects.revoke(connection, draft_id))
    return see(f"invitations/{draft_id}")


async def _change(step: Awaitable[None]) -> None:
    try:
        await step
    except UnknownInvitation as unknown:
        raise _unknown() from unknown
    except NotOpen as refusal:
        raise Problem(409, gettext_noop("This invitation is closed"), str(refusal)) from refusal


def _unknown() -> Problem:
    return Problem(
        404,
        gettext_noop("There is no such invitation"),
        gettext_noop("It may have run out long ago. Look for it in the list of invitations."),
        action={"label": gettext_noop("See the invitations"), "href": "/console/invitations/?whose=all"},
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise not_this_form() from error


async def _call(connection: Connection, call_id: UUID) -> Draft:
    draft = await drafts.find(connection, call_id)
    if draft is None or draft.channel != "console":
        raise Problem(
            404, gettext_noop("There is no such call"), gettext_noop("It may have been discarded. Start from the list.")
        )
    return draft


def _read(form: Mapping[str, str], taken_down: Draft | None) -> tuple[InvitationForm | None, dict[str, str]]:
    """What the form holds, with the call's answers that can still be given; or what to do, by field."""
    content: dict[str, Any] = {"company": {}, "contact": {}, "campaign": {}}
    for field, (part, name) in FIELDS.items():
        if value := form.get(field, "").strip():
            content[part][name] = value
    if not content["campaign"]:
        del content["campaign"]
    if taken_down is not None:
        refused = load().refusals(taken_down.answers)
        content["answers"] = {one: level for one, level in taken_down.answers.items() if one not in refused}
    try:
        return InvitationForm.model_validate(content), {}
    except ValidationError as error:
        names = {place: field for field, place in FIELDS.items()}
        return None, {names[(str(fault["loc"][0]), str(fault["loc"][1]))]: _advice(fault) for fault in error.errors()}


def _advice(fault: Mapping[str, Any]) -> str:
    match fault["type"]:
        case "value_error":
            return str(fault["ctx"]["error"])
        case "string_pattern_mismatch":
            return SLUG
        case _:
            return CHOOSE


def _form(
    request: Request,
    staff: Principal,
    taken_down: Draft | None,
    values: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    found: Collection[Known] = (),
) -> HTMLResponse:
    language = language_of(request)
    return page(
        request,
        "invite.html",
        status=422 if errors else 200,
        staff=staff,
        call=taken_down,
        values={field: values.get(field, "") for field in FIELDS},
        errors=errors or {},
        known=found,
        headcounts=headcounts(language),
        industries=industries(language),
        max_text=MAX_TEXT,
    )
