"""Being away: until when, and who looks after the reviews meanwhile."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, ValidationError

from services.recommendation.domain.assignment import away
from services.recommendation.domain.review import Unfit
from services.recommendation.handlers.assignment import colleague
from services.recommendation.store import colleagues
from services.recommendation.web.callers import AccountManager, reviewer
from shared import audit
from shared.access import Principal
from shared.pages import Pages
from shared.postgres import Database

Text = Annotated[str, Form()]

CHOOSE = {"until": "Choose the last day on which you are away.", "deputy": "Choose who looks after your reviews."}

router = APIRouter()


class AwayRequest(BaseModel):
    """The last day of an absence, and who looks after the reviews until then."""

    model_config = ConfigDict(frozen=True)

    until: date
    deputy: UUID


@router.get("/away")
async def absence(request: Request, staff: AccountManager) -> Response:
    """Whether one is away, and the form to say so."""
    return await _page(request, staff)


@router.post("/away")
async def leave(request: Request, staff: AccountManager, until: Text = "", deputy: Text = "") -> Response:
    """Be away: what would be given to one goes to the deputy, who also sees what waits already."""
    database: Database = request.app.state.database
    typed, now = {"until": until, "deputy": deputy}, datetime.now(UTC)
    try:
        async with database.transaction() as connection:
            asked = AwayRequest.model_validate(typed)
            standing_in = await colleague(connection, asked.deputy)
            absence = away(reviewer(staff), asked.until, standing_in, now.date())
            await colleagues.leave(connection, absence)
            acted = {"until": absence.until, "deputy": absence.deputy.id}
            await audit.record(connection, "absence_noted", staff.id, now, acted, actor=staff.id)
    except ValidationError as refusal:
        fields = {str(fault["loc"][0]) for fault in refusal.errors(include_url=False)}
        errors = {name: words for name, words in CHOOSE.items() if name in fields}
        return await _page(request, staff, typed, errors)
    except Unfit as refusal:
        name = "deputy" if refusal.field == "assignee" else refusal.field
        return await _page(request, staff, typed, {name: str(refusal)})
    return RedirectResponse("/reviews/", 303)


@router.post("/back")
async def come_back(request: Request, staff: AccountManager) -> Response:
    """Be there again."""
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        await colleagues.come_back(connection, staff.id)
        await audit.record(connection, "absence_ended", staff.id, datetime.now(UTC), actor=staff.id)
    return RedirectResponse("/reviews/", 303)


async def _page(
    request: Request, staff: Principal, typed: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    today = datetime.now(UTC).date()
    async with database.connection() as connection:
        managers = await colleagues.account_managers(connection)
        own = (await colleagues.absences(connection, today)).get(staff.id)
    return pages.render(
        request,
        "reviews/away.html",
        status=422 if errors else 200,
        staff=staff,
        today=today,
        own=own,
        managers=[(str(one.id), one.name) for one in managers if one.id != staff.id],
        typed=typed or ({"until": own.until.isoformat(), "deputy": str(own.deputy.id)} if own else {}),
        errors=errors or {},
    )
