"""The queue: what waits for a decision, and the lists beside it."""

from typing import get_args
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.recommendation.domain.review import WAITING
from services.recommendation.handlers import PLAYBOOKS
from services.recommendation.store import cases
from services.recommendation.web import wording
from services.recommendation.web.callers import Reader
from shared.contracts.recommendation import ProposalState
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from shared.service import Problem

TABS = ("all", "mine", "unassigned")
STATES: tuple[ProposalState, ...] = tuple(state for state in get_args(ProposalState) if state != "superseded")

router = APIRouter()


@router.get("/")
async def queue(
    request: Request, staff: Reader, tab: str = "all", state: str = "", after: UUID | None = None
) -> HTMLResponse:
    """What waits for a decision, the longest first; or the proposals in one state, the closed ones latest first."""
    if tab not in TABS or state not in ("", *STATES):
        raise Problem(404, "There is no such list", "Go back to the reviews and choose one of the lists there.")
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        items = await cases.queue(
            connection,
            (state,) if state else WAITING,  # type: ignore[arg-type]  # it is one of STATES
            newest_first=bool(state) and state not in WAITING,
            assignee=staff.id if tab == "mine" else None,
            unassigned=tab == "unassigned",
            after=after,
        )
    return pages.render(
        request,
        "reviews/queue.html",
        staff=staff,
        items=items,
        playbook=PLAYBOOKS[PUBLISHED],
        worth_a_look=wording.worth_a_look,
        tab=tab,
        state=state,
        states=STATES,
        after=after,
        following=items[-1].intake_id if len(items) == cases.PAGE else None,
    )
