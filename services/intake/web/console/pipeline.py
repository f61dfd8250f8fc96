"""The pipeline of the console."""

from datetime import datetime
from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.intake.store import intakes
from services.intake.web.console.staff import Sales
from shared.contracts.recommendation import ProposalState
from shared.kafka import dead_letters
from shared.pages import Pages
from shared.postgres import Database
from shared.service import Problem

router = APIRouter()

PAGE = 100
STATES = ("submitted", "assessed", *get_args(ProposalState))
CHANNELS = {"web": "The website", "console": "A call", "api": "The API", "link": "A personal link"}


@router.get("/")
async def pipeline(request: Request, staff: Sales, state: str = "", before: datetime | None = None) -> HTMLResponse:
    """The intakes, latest first, by state where one is asked for."""
    if state and state not in STATES:
        raise Problem(404, "There is no such state", "Choose one of the states above the pipeline.")
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        rows = await intakes.pipeline(connection, state or None, before, PAGE)
        unusable = await dead_letters.count_open(connection)
    return pages.render(
        request,
        "console/pipeline.html",
        staff=staff,
        rows=rows,
        state=state,
        states=STATES,
        channels=CHANNELS,
        earlier=rows[-1].submitted_at if len(rows) == PAGE else None,
        unusable=unusable,
    )
