"""Where a client books a call about the document: the free times in the client's own time zone, moving, cancelling."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import parseaddr
from importlib.resources import files
from itertools import groupby
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.recommendation.domain import booking as rules
from services.recommendation.domain.booking import BOOKABLE, ZONES, BookingRequest, NotBookable, TimeGone
from services.recommendation.handlers import booking
from services.recommendation.store import calls
from services.recommendation.store.documents import Behind
from services.recommendation.web.documents import MAX_FORM_BYTES, found, link_address, locked, only_the_client
from services.recommendation.web.refusals import errors_of
from shared.appointment import Appointment, calendar_file, method
from shared.pages import Pages
from shared.postgres import Database
from shared.service import Problem, Settings

DAYS_SHOWN = 5
SCRIPT = (files("services.recommendation.web") / "static" / "zone.js").read_bytes()
SCRIPT_ADDRESS = f"/d/static/zone.js?v={hashlib.sha256(SCRIPT).hexdigest()[:10]}"

router = APIRouter(prefix="/d", max_body_size=MAX_FORM_BYTES, include_in_schema=False)

Text = Annotated[str, Form()]


@router.get("/static/zone.js")
async def script() -> Response:
    """The script that finds out the device's time zone, under an address that changes with it."""
    lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(SCRIPT, media_type="text/javascript", headers=lasting)


@router.get("/{token}/call")
async def choose(request: Request, token: str, zone: str = "", since: date | None = None) -> Response:
    """The times that are free, in a zone of the client's choice."""
    return await _page(request, token, await found(request, token), zone=zone, since=since)


@router.post("/{token}/call")
async def take(
    request: Request,
    token: str,
    *,
    zone: Text = "",
    starts_at: Text = "",
    name: Text = "",
    note: Text = "",
    since: Annotated[date | None, Form()] = None,
) -> Response:
    """Book a time, or move the call that stands to it."""
    await only_the_client(request, token)
    typed = {"zone": zone, "starts_at": starts_at, "name": name, "note": note}
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            behind = await locked(request, connection, token)
            asked = BookingRequest.model_validate(
                {field: value for field, value in typed.items() if value or field == "name"}
            )
            await booking.book(connection, behind, asked)
    except NotBookable as refusal:
        raise _no_call(token) from refusal
    except TimeGone:
        behind = await found(request, token)
        return await _page(request, token, behind, status=409, zone=zone, since=since, typed=typed, is_gone=True)
    except ValidationError as refusal:
        errors = errors_of(refusal)
        if "starts_at" in errors:
            errors["starts_at"] = "Choose a time."
        behind = await found(request, token)
        return await _page(request, token, behind, status=422, zone=zone, since=since, typed=typed, errors=errors)
    return RedirectResponse(f"/d/{token}#call", 303)


@router.post("/{token}/call/cancel")
async def call_off(request: Request, token: str) -> Response:
    """Cancel the call that stands."""
    await only_the_client(request, token)
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        behind = await locked(request, connection, token)
        await booking.call_off(connection, behind.intake_id, now)
    return RedirectResponse(f"/d/{token}#call", 303)


@router.get("/{token}/call.ics")
async def entry(request: Request, token: str) -> Response:
    """The last call as a file for a calendar."""
    behind = await found(request, token)
    assert behind.content is not None
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    async with database.connection() as connection:
        call = await calls.last(connection, behind.intake_id)
        if call is None:
            raise _no_call(token)
        hours = await calls.hours(connection, call.host.id)
    _, sender = parseaddr(settings.mail_from or "")
    address = link_address(request, behind.link)
    appointment = Appointment(
        id=call.id,
        sequence=call.sequence,
        is_cancelled=call.status == "cancelled",
        starts_at=call.starts_at,
        ends_at=call.ends_at,
        zone=call.zone,
        company=behind.content.company,
        address=address,
        organizer=(call.host.name, sender) if sender else None,
        place=hours.place if hours else None,
    )
    return Response(
        calendar_file(appointment, datetime.now(UTC)),
        media_type=f"text/calendar; charset=utf-8; method={method(appointment)}",
        headers={"content-disposition": 'attachment; filename="call.ics"'},
    )


async def _page(
    request: Request,
    token: str,
    behind: Behind,
    *,
    zone: str,
    since: date | None,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    is_gone: bool = False,
) -> Response:
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    now = datetime.now(UTC)
    async with database.connection() as connection:
        standing = await booking.to_come(connection, behind.intake_id, now)
        host = standing.host if standing else behind.host
        hours = await calls.hours(connection, host.id)
        if hours is None or behind.state not in BOOKABLE:
            raise _no_call(token)
        offered = await booking.offered(connection, behind, standing, hours, now)
    shown_in = zone if zone in ZONES else standing.zone if standing else hours.zone
    days = [day for day in _by_day(offered, shown_in) if since is None or day[0] >= since]
    known = standing.name if standing else next((one.name for one in behind.answers), None)
    return pages.render(
        request,
        "documents/call.html",
        status=status,
        token=token,
        content=behind.content,
        host=host,
        standing=standing,
        minutes=rules.length(behind.model).seconds // 60,
        zone=shown_in,
        zones=[(name, name.replace("_", " ")) for name in ZONES],
        days=days[:DAYS_SHOWN],
        since=since,
        later=days[DAYS_SHOWN][0] if len(days) > DAYS_SHOWN else None,
        typed={"name": known or "", "note": (standing.note if standing else None) or "", **(typed or {})},
        errors=errors or {},
        is_gone=is_gone,
        script=SCRIPT_ADDRESS if not zone and standing is None else None,
    )


def _by_day(offered: Sequence[rules.Period], zone: str) -> list[tuple[date, list[datetime]]]:
    """The beginnings of the free times by the day that they fall on in a time zone."""
    beginnings = [period.starts_at for period in offered]
    days = groupby(beginnings, key=lambda moment: moment.astimezone(ZoneInfo(zone)).date())
    return [(day, list(moments)) for day, moments in days]


def _no_call(token: str) -> Problem:
    back = {"label": "Back to the document", "href": f"/d/{token}"}
    return Problem(
        409, "There is no call to book here", "Ask for one on the document's page, in a word to us.", action=back
    )
