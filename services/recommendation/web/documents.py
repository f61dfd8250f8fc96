"""The client's pages: the released document, its file, and the answer to it. The address is all that opens them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.recommendation.domain import release as rules
from services.recommendation.domain.booking import BOOKABLE
from services.recommendation.domain.release import AnswerRequest, Link, NotAnswerable
from services.recommendation.domain.review import Unfit
from services.recommendation.handlers import correspondence
from services.recommendation.store import calls, documents
from services.recommendation.store.documents import Behind
from services.recommendation.web.refusals import errors_of
from services.recommendation.web.wording import DECLINED
from shared import access, audit
from shared.pages import Pages
from shared.postgres import Connection, Database
from shared.service import Problem, Settings

PURPOSE = access.DOCUMENT_LINK
MAX_FORM_BYTES = 65_536

router = APIRouter(prefix="/d", max_body_size=MAX_FORM_BYTES, include_in_schema=False)

Text = Annotated[str, Form()]


def link_address(request: Request, link: Link) -> str:
    """The whole address that opens a link's document."""
    settings: Settings = request.app.state.settings
    return f"{settings.public_url}/d/{access.link_token(settings.link_secret.get_secret_value(), PURPOSE, link.id)}"


@router.get("/{token}")
async def read(request: Request, token: str) -> Response:
    """The document, and the form to answer it."""
    return await _page(request, token, await found(request, token))


@router.post("/{token}/opened")
async def opened(request: Request, token: str) -> Response:
    """Note that somebody reads: said by the page once it is shown, so that a scanner of links says nothing."""
    if await _is_colleague(request):
        return Response(status_code=204)
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        behind = await locked(request, connection, token)
        await correspondence.note_opening(connection, behind, datetime.now(UTC))
    return Response(status_code=204)


@router.post("/{token}/document.pdf")
async def download(request: Request, token: str) -> Response:
    """The document as a file."""
    now = datetime.now(UTC)
    database: Database = request.app.state.database
    is_colleague = await _is_colleague(request)
    async with database.transaction() as connection:
        behind = await locked(request, connection, token)
        number = behind.link.number
        if not is_colleague:
            if not behind.is_read:
                await correspondence.note_opening(connection, behind, now)
            await documents.record_visit(connection, behind.intake_id, number, "downloaded", now)
            await audit.record(connection, "downloaded", behind.intake_id, now, {"document": number})
        file = await documents.pdf(connection, behind.intake_id, number)
    name = f'attachment; filename="recommendation-{number}.pdf"'
    return Response(file, media_type="application/pdf", headers={"content-disposition": name})


@router.post("/{token}/answer")
async def take_answer(
    request: Request, token: str, *, answer: Text = "", reason_code: Text = "", name: Text = "", note: Text = ""
) -> Response:
    """Accept, decline or ask."""
    await only_the_client(request, token)
    typed = {"answer": answer, "reason_code": reason_code, "name": name, "note": note}
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            behind = await locked(request, connection, token)
            asked = AnswerRequest.model_validate({field: value or None for field, value in typed.items()})
            await correspondence.answer(connection, behind, asked)
    except NotAnswerable:
        return await _page(request, token, await found(request, token), status=409, typed=typed, is_late=True)
    except (Unfit, ValidationError) as refusal:
        behind = await found(request, token)
        return await _page(request, token, behind, status=422, typed=typed, errors=errors_of(refusal))
    return RedirectResponse(f"/d/{token}#answer", 303)


async def found(request: Request, token: str) -> Behind:
    """What the token opens. Raises Problem where that is nothing, or nothing any more."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        return _still_open(await documents.behind(connection, _link_id(request, token)))


async def locked(request: Request, connection: Connection, token: str) -> Behind:
    """The same, its case held until the transaction ends."""
    return _still_open(await documents.lock_behind(connection, _link_id(request, token)))


def _link_id(request: Request, token: str) -> UUID:
    settings: Settings = request.app.state.settings
    link_id = access.link_id(settings.link_secret.get_secret_value(), PURPOSE, token)
    if link_id is None:
        raise _no_document()
    return link_id


async def only_the_client(request: Request, token: str) -> None:
    """Raise Problem where a colleague is about to say something in the client's place."""
    if await _is_colleague(request):
        back = {"label": "Back to the document", "href": f"/d/{token}"}
        raise Problem(
            403,
            "Only the client answers here",
            "You are signed in, so nothing was recorded. Answering, booking and cancelling are the client's here.",
            action=back,
        )


async def _is_colleague(request: Request) -> bool:
    """True where somebody who is signed in sends it: whoever of ours tries the link out is not the client."""
    try:
        staff = await access.signed_in(request)
    except access.NotSignedIn:
        return False
    return staff.is_person


def _still_open(behind: Behind | None) -> Behind:
    if behind is None:
        raise _no_document()
    if behind.content is None:
        raise Problem(410, "This document is erased", "It was deleted on request, and nothing of it is left here.")
    if not behind.link.is_open(datetime.now(UTC)):
        raise Problem(
            410,
            "This link opens nothing any more",
            "Links to documents end after some weeks, or when a newer one is sent. "
            "Ask the person who sent it to you for a new one.",
        )
    return behind


def _no_document() -> Problem:
    return Problem(
        404, "This address opens no document", "Part of it may be missing. Copy the whole address from your message."
    )


async def _page(
    request: Request,
    token: str,
    behind: Behind,
    *,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    is_late: bool = False,
) -> Response:
    pages: Pages = request.app.state.pages
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.connection() as connection:
        call = await calls.last(connection, behind.intake_id)
        host = call.host if call is not None and call.is_to_come(now) else behind.host
        hours = await calls.hours(connection, host.id)
    return pages.render(
        request,
        "documents/document.html",
        status=status,
        token=token,
        content=behind.content,
        hash=behind.hash,
        state=behind.state,
        link=behind.link,
        last_word=next((one for one in behind.answers if one.answer != "asked"), None),
        thread=rules.thread(behind.answers, behind.replies),
        call=call,
        is_call_to_come=call is not None and call.is_to_come(now),
        host=host,
        hours=hours,
        may_book=hours is not None and behind.state in BOOKABLE,
        is_discovery=behind.model == "discovery_call",
        reasons=DECLINED,
        typed=typed or {},
        errors=errors or {},
        is_late=is_late,
    )
