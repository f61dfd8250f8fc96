"""What is due: questions without a reply, outcomes to note, and when to ask whether a model still fits."""

from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.recommendation.domain.outcome import SNOOZE, Due
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import outcomes
from services.recommendation.web import wording
from services.recommendation.web.callers import AccountManager
from shared import audit
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED

router = APIRouter()


@router.get("/due/")
async def due(
    request: Request,
    staff: AccountManager,
    *,
    mine: bool = False,
    later: bool = False,
    day: date | None = None,
    case: UUID | None = None,
    kind: Due | Literal["question"] | None = None,
) -> HTMLResponse:
    """What is due, or will be later, the longest due first; `day`, `case` and `kind` are those of the last row seen."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        items = await outcomes.waiting(
            connection,
            datetime.now(UTC).date(),
            host=staff.id if mine else None,
            is_later=later,
            after=(day, case, kind) if day and case and kind else None,
        )
    return pages.render(
        request,
        "reviews/due.html",
        staff=staff,
        items=items,
        playbook=PLAYBOOKS[PUBLISHED],
        due_words=wording.DUE,
        mine=mine,
        later=later,
        is_first=day is None,
        following=items[-1] if len(items) == outcomes.PAGE else None,
    )


@router.post("/{intake_id:uuid}/due/{kind}/done")
async def done(request: Request, intake_id: UUID, kind: Due, staff: AccountManager) -> Response:
    """Take something off the list."""
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        if await outcomes.settle(connection, intake_id, now, by=staff.id, kind=kind):
            await audit.record(connection, "follow_up_done", intake_id, now, {"kind": kind}, actor=staff.id)
    return RedirectResponse("/reviews/due/", 303)


@router.post("/{intake_id:uuid}/due/{kind}/snooze")
async def snooze(request: Request, intake_id: UUID, kind: Due, staff: AccountManager) -> Response:
    """Leave something aside for two weeks."""
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        if await outcomes.snooze(connection, intake_id, kind, until := now.date() + SNOOZE):
            acted = {"kind": kind, "until": until}
            await audit.record(connection, "follow_up_put_off", intake_id, now, acted, actor=staff.id)
    return RedirectResponse("/reviews/due/", 303)
