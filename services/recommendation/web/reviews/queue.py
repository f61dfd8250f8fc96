"""The queue: what waits for a decision, and the lists beside it."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.recommendation.domain.assignment import covered_by, is_overdue
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import colleagues
from services.recommendation.store import queue as queues
from services.recommendation.web import wording
from services.recommendation.web.callers import Reader
from services.recommendation.web.reviews.lists import STATES, Listed
from shared.pages import Pages
from shared.postgres import Database
from shared.promise import WORKING_DAYS, answer_due
from shared.questionnaire import PUBLISHED

router = APIRouter()


@router.get("/")
async def queue(request: Request, staff: Reader, listing: Listed, after: UUID | None = None) -> HTMLResponse:
    """What waits for a decision, the longest first; or the proposals in one state, the closed ones latest first."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    now = datetime.now(UTC)
    async with database.connection() as connection:
        absences = await colleagues.absences(connection, now.date())
        items = await queues.queue(connection, listing.wanted(staff, absences), after=after)
    return pages.render(
        request,
        "reviews/queue.html",
        staff=staff,
        now=now,
        items=items,
        overdue={item.intake_id for item in items if is_overdue(item.state, item.proposed_at, now)},
        due=answer_due,
        working_days=WORKING_DAYS,
        covered=covered_by(staff.id, absences),
        own_absence=absences.get(staff.id),
        playbook=PLAYBOOKS[PUBLISHED],
        worth_a_look=wording.worth_a_look,
        listing=listing,
        states=STATES,
        after=after,
        following=items[-1].intake_id if len(items) == queues.PAGE else None,
    )
