"""How often reviewers agree with what is proposed: by model, reason, person and month, and decision by decision."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from services.recommendation.domain.report import FEW, LIMIT, LOOK
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import report as reports
from services.recommendation.store.report import Asked, Judged
from services.recommendation.web.callers import AccountManager
from services.recommendation.web.reporting import BACKWARDS, Typed, Wanted
from shared import audit
from shared.contracts.recommendation import Model
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from shared.spreadsheet import BYTE_ORDER_MARK, rows

BATCH = 500
COLUMNS = (
    "intake_id",
    "company",
    "revision",
    "proposed_model",
    "proposed_form",
    "decision",
    "model",
    "commercial_form",
    "reason_code",
    "note",
    "by",
    "second",
    "at",
)

router = APIRouter()


@router.get("/report")
async def report(
    request: Request, staff: AccountManager, wanted: Typed, page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> HTMLResponse:
    """The counts, and the decisions behind them."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    asked = wanted.asked
    async with database.connection() as connection:
        found = await reports.counted(connection, asked)
        judged = await reports.judged(connection, asked, page=page)
    playbook = PLAYBOOKS[PUBLISHED]
    return pages.render(
        request,
        "reviews/report.html",
        status=422 if wanted.is_backwards else 200,
        staff=staff,
        errors={"until": BACKWARDS} if wanted.is_backwards else {},
        report=found,
        items=judged,
        wanted=wanted,
        page=page,
        has_more=len(judged) == reports.PAGE,
        playbook=playbook,
        reasons={reason.code: reason.text for reason in playbook.override_reasons},
        models=get_args(Model),
        few=FEW,
        look=LOOK,
        limit=LIMIT,
    )


@router.get("/report.csv")
async def export(request: Request, staff: AccountManager, wanted: Wanted) -> StreamingResponse:
    """The decisions as a table for spreadsheets."""
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        acted = {"filters": sorted(name for name, value in vars(wanted).items() if value)}
        await audit.record(connection, "decisions_exported", staff.id, now, acted, actor=staff.id)
    return StreamingResponse(
        _table(database, wanted.asked),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="decisions-{now:%Y-%m-%d}.csv"'},
    )


async def _table(database: Database, asked: Asked) -> AsyncIterator[str]:
    yield BYTE_ORDER_MARK + rows([COLUMNS])
    async with database.transaction() as connection:
        batch: list[tuple[object, ...]] = []
        async for judged in reports.every(connection, asked):
            batch.append(_row(judged))
            if len(batch) == BATCH:
                yield rows(batch)
                batch = []
        yield rows(batch)


def _row(judged: Judged) -> tuple[object, ...]:
    values = {
        **vars(judged),
        "by": judged.by.name,
        "second": judged.second and judged.second.name,
        "at": judged.at.isoformat(),
    }
    return tuple(values[column] for column in COLUMNS)
