"""One case of the console."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.intake.domain.submission import complete
from services.intake.store import intakes
from services.intake.web.console.staff import Sales
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Problem

router = APIRouter()

HAPPENINGS = {
    "intake.submitted.v1": "Answers sent in",
    "intake.withdrawn.v1": "Taken back",
    "intake.erased.v1": "Erased on request",
    "assessment.completed.v1": "Scored",
    "recommendation.proposed.v1": "Proposal made",
    "recommendation.assigned.v1": "Review taken up",
    "recommendation.reviewed.v1": "Reviewed",
    "recommendation.released.v1": "Document released",
    "recommendation.opened.v1": "Document opened by the client",
    "recommendation.answered.v1": "Answer from the client",
}


@router.get("/{intake_id:uuid}")
async def case(request: Request, intake_id: UUID, staff: Sales) -> HTMLResponse:
    """One case: who asked, what was answered, how it scored and what has happened."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        found = await intakes.status(connection, intake_id)
        if found is None:
            raise Problem(404, "There is no such case", "Look for it in the pipeline.")
        happened = await intakes.timeline(connection, intake_id)
        contact = await intakes.contact(connection, intake_id)
        revision = None if found.state == "erased" else await intakes.current_revision(connection, intake_id)
    questionnaire = None if revision is None else load(revision.questionnaire)
    return pages.render(
        request,
        "console/case.html",
        staff=staff,
        case=found,
        contact=contact,
        revision=revision,
        questionnaire=questionnaire,
        answers={} if revision is None or questionnaire is None else complete(revision.given, questionnaire),
        happened=[
            {**event, "what": HAPPENINGS.get(event["type"], event["type"]), "at": datetime.fromisoformat(event["at"])}
            for event in happened
        ],
    )
