"""An account manager's calls with clients, and the hours that they can be booked in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from services.recommendation.domain.booking import WEEKDAYS, ZONES, Hours, NotBookable
from services.recommendation.handlers import booking
from services.recommendation.store import calls
from services.recommendation.web.callers import AccountManager
from services.recommendation.web.refusals import errors_of
from shared import audit
from shared.access import Principal
from shared.pages import Pages
from shared.postgres import Database
from shared.service import Problem

FIELDS = ("zone", *WEEKDAYS, "days_off", "place")

router = APIRouter()


@router.get("/calls/")
async def listed(
    request: Request, staff: AccountManager, *, everybody: bool = False, past: bool = False, after: UUID | None = None
) -> HTMLResponse:
    """One's own calls, or everybody's: those to come, the next first, or the past ones."""
    now = datetime.now(UTC)
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        hours = await calls.hours(connection, staff.id)
        items = await calls.listed(connection, None if everybody else staff.id, now, are_past=past, after=after)
    return pages.render(
        request,
        "reviews/calls.html",
        staff=staff,
        hours=hours,
        zone=hours.zone if hours else "UTC",
        items=items,
        everybody=everybody,
        past=past,
        after=after,
        following=items[-1].call.id if len(items) == calls.PAGE else None,
        now=now,
    )


@router.post("/calls/{call_id:uuid}/cancel")
async def cancel(request: Request, call_id: UUID, staff: AccountManager) -> Response:
    """Cancel a call and have the client told."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            await booking.cancel(connection, call_id, staff.id, datetime.now(UTC))
    except NotBookable as refusal:
        back = {"label": "See the calls", "href": "/reviews/calls/"}
        raise Problem(
            409, "There is no such call to come", "It is over, or was cancelled already.", action=back
        ) from refusal
    return RedirectResponse("/reviews/calls/", 303)


@router.get("/calls/hours")
async def hours(request: Request, staff: AccountManager) -> HTMLResponse:
    """The form for the hours that one takes calls in."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await calls.hours(connection, staff.id)
    typed = {name: _typed(found, name) for name in FIELDS} if found else {}
    return _form(request, staff, typed, is_new=found is None)


@router.post("/calls/hours")
async def keep_hours(request: Request, staff: AccountManager) -> Response:
    """Take calls in these hours from now on."""
    form = await request.form()
    typed = {name: str(form.get(name, "")) for name in FIELDS}
    try:
        offered = Hours.model_validate({name: value for name, value in typed.items() if value or name == "zone"})
    except ValidationError as refusal:
        return _form(request, staff, typed, errors=errors_of(refusal), status=422)
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        await calls.keep_hours(connection, staff.id, offered)
        await audit.record(connection, "call_hours_kept", staff.id, datetime.now(UTC), actor=staff.id)
    return RedirectResponse("/reviews/calls/", 303)


def _typed(hours: Hours, name: str) -> str:
    value = getattr(hours, name)
    if isinstance(value, tuple):
        return ("\n" if name == "days_off" else ", ").join(map(str, value))
    return value or ""


def _form(
    request: Request,
    staff: Principal,
    typed: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    is_new: bool = False,
    status: int = 200,
) -> HTMLResponse:
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        "reviews/hours.html",
        status=status,
        staff=staff,
        typed=typed,
        errors=errors or {},
        is_new=is_new,
        weekdays=WEEKDAYS,
        zones=[(name, name.replace("_", " ")) for name in ZONES],
    )
