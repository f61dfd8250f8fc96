"""A case's audit: every act on it, as the chain holds it."""

import json
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.recommendation.store import cases, colleagues
from services.recommendation.web.callers import Reader
from services.recommendation.web.reviews.case import nowhere
from shared import audit
from shared.pages import Pages
from shared.postgres import Database

PEOPLE = ("assignee", "host")

router = APIRouter()


@router.get("/{intake_id:uuid}/audit")
async def acts(request: Request, intake_id: UUID, staff: Reader, before: int | None = None) -> HTMLResponse:
    """Who did what to a case, the latest first."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        if file is None:
            raise nowhere()
        entries = await audit.of(connection, intake_id, before=before)
        told = [(entry, json.loads(entry.detail)) for entry in entries]
        people = {UUID(detail[one]) for _, detail in told for one in PEOPLE if one in detail}
        people |= {entry.actor for entry in entries if entry.actor}
        names = await colleagues.names(connection, people)
    return pages.render(
        request,
        "reviews/audit.html",
        staff=staff,
        case=file,
        entries=told,
        names={str(one): name for one, name in names.items()},
        is_first=before is None,
        following=entries[-1].seq if len(entries) == audit.PAGE else None,
    )
