"""The pipeline: a board by state, or a table of the same cases."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from services.intake.domain.pipeline import STATES, Age, Asked, Block, Cursor, Filters
from services.intake.store import cases, pipeline
from services.intake.web.console.staff import Sales, database_of, page
from shared.contracts.intake import Channel, Headcount, Industry
from shared.kafka import dead_letters
from shared.language import gettext_noop
from shared.postgres import Connection
from shared.service import Problem

router = APIRouter()

PAGE = 50
COLUMN = 8


class Look(Filters):
    """What is asked of the pipeline, and how it is drawn."""

    view: Literal["board", "table"] = "board"
    after: str = ""


@router.get("/")
async def show(request: Request, staff: Sales, look: Annotated[Look, Query()]) -> HTMLResponse:
    """The cases asked for, on a board or in a table."""
    asked = Asked(look, staff.id, datetime.now(UTC))
    try:
        after = Cursor.read(look.after, look.sort)
    except ValueError as error:
        raise Problem(
            422,
            gettext_noop("That page is not there"),
            gettext_noop("Open the pipeline and go on from its first page."),
        ) from error
    async with database_of(request).connection() as connection:
        states = await pipeline.counts(connection, asked)
        total = sum(count for state, count in states.items() if state in look.states)
        columns, rows, loosened = {}, [], {}
        if not total:
            loosened = await _loosened(connection, asked, sum(states.values()))
        elif look.view == "board":
            columns = await pipeline.board(connection, asked, COLUMN)
        else:
            rows = await pipeline.page(connection, asked, after, PAGE)
        unusable = await dead_letters.count_open(connection)
        views = await pipeline.views(connection, staff.id)
        colleagues = await cases.colleagues(connection, asked.now.date())
    return page(
        request,
        "pipeline.html",
        now=asked.now,
        staff=staff,
        look=look,
        query=look.address(after=""),
        states={state: states[state] for state in STATES if state in states},
        columns=[(state, states[state], columns[state]) for state in STATES if state in columns],
        rows=rows,
        total=total,
        following=rows[-1].cursor(look.sort) if len(rows) == PAGE else None,
        loosened=loosened,
        unusable=unusable,
        views=views,
        colleagues=colleagues,
        choices={
            "state": ("open", *STATES),
            "owner": ("mine", "nobody", *(str(one.id) for one in colleagues)),
            "channel": get_args(Channel),
            "industry": get_args(Industry),
            "headcount": get_args(Headcount),
            "age": get_args(Age),
            "blocked": ("any", *get_args(Block)),
        },
    )


async def _loosened(connection: Connection, asked: Asked, anywhere: int) -> dict[str, int]:
    """Each filter that is set, and how many cases there would be without it: `anywhere` without that of state."""
    found = {}
    for name in asked.filters.set:
        loose = replace(asked, filters=asked.filters.model_copy(update={name: ""}))
        found[name] = anywhere if name == "state" else await pipeline.count(connection, loose)
    return found
