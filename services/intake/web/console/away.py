"""Saying that one is away, and who takes new cases meanwhile."""

from datetime import UTC, date, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake.domain.ownership import Absence
from services.intake.store import cases
from services.intake.web.console.staff import Sales, Text, database_of, page, see
from shared.access import Principal
from shared.language import gettext_noop
from shared.service import Problem

router = APIRouter()


@router.get("/away")
async def show(request: Request, staff: Sales) -> Response:
    """Until when one is away, and who stands in."""
    return await _page(request, staff)


@router.post("/away")
async def go(request: Request, staff: Sales, until: Text = "", deputy: Text = "") -> Response:
    """Be away: new cases go to the deputy until that day is over."""
    today, errors = datetime.now(UTC).date(), {}
    async with database_of(request).transaction() as connection:
        colleagues = {str(one.id): one for one in await cases.colleagues(connection, today)}
        if str(staff.id) not in colleagues:
            raise Problem(
                403, gettext_noop("A key is never away"), gettext_noop("Sign in as a person to say that you are away.")
            )
        try:
            last = date.fromisoformat(until)
        except ValueError:
            last = None
        if last is None or last < today:
            errors["until"] = gettext_noop("Choose today or a later day.")
        if deputy not in colleagues or deputy == str(staff.id):
            errors["deputy"] = gettext_noop("Choose a colleague who takes your new cases.")
        if last is not None and not errors:
            await cases.go_away(connection, staff.id, Absence(last, UUID(deputy)))
    if errors:
        return await _page(request, staff, status=422, errors=errors, until=until, deputy=deputy)
    return see("away?done=away")


@router.post("/away/back")
async def back(request: Request, staff: Sales) -> Response:
    """Take new cases again."""
    async with database_of(request).transaction() as connection:
        await cases.come_back(connection, staff.id)
    return see("away?done=back")


async def _page(
    request: Request,
    staff: Principal,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    until: str = "",
    deputy: str = "",
) -> Response:
    today = datetime.now(UTC).date()
    async with database_of(request).connection() as connection:
        colleagues = await cases.colleagues(connection, today)
    return page(
        request,
        "away.html",
        status=status,
        staff=staff,
        own=next((one for one in colleagues if one.id == staff.id), None),
        colleagues=[one for one in colleagues if one.id != staff.id],
        today=today,
        errors=errors or {},
        until=until,
        deputy=deputy,
        done=request.query_params.get("done", ""),
    )
