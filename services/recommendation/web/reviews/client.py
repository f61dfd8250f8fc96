"""One case and its client: questions and replies, calls, what became of it, and what to come back to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from services.recommendation.domain.outcome import OutcomeRequest, possible
from services.recommendation.domain.review import OutOfStep, Unfit
from services.recommendation.handlers import correspondence
from services.recommendation.handlers.case import UnknownCase
from services.recommendation.handlers.outcome import record_outcome
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import calls, cases, documents
from services.recommendation.web import wording
from services.recommendation.web.callers import AccountManager, Reader, reviewer
from services.recommendation.web.refusals import errors_of
from services.recommendation.web.reviews.case import nowhere
from services.recommendation.web.since import since_release
from shared.access import Principal
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED

router = APIRouter()

Text = Annotated[str, Form()]


@dataclass(frozen=True)
class Attempt:
    """What did not go through: what was typed, by field, and what to do about it."""

    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    moved_on: str = ""


@router.get("/{intake_id:uuid}/client")
async def client(request: Request, intake_id: UUID, staff: Reader) -> HTMLResponse:
    """What has passed since the release, and the forms to reply and to note what became of it."""
    return await _page(request, intake_id, staff)


@router.post("/{intake_id:uuid}/reply")
async def reply(request: Request, intake_id: UUID, staff: AccountManager, reply: Text = "") -> Response:
    """Reply to what the client has asked."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            await correspondence.reply(connection, intake_id, reply, reviewer(staff))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        return await _page(request, intake_id, staff, Attempt({"reply": reply}, moved_on=str(refusal)), status=409)
    except Unfit as refusal:
        attempt = Attempt({"reply": reply}, {refusal.field: str(refusal)})
        return await _page(request, intake_id, staff, attempt, status=422)
    return RedirectResponse(f"/reviews/{intake_id}/client#thread", 303)


@router.post("/{intake_id:uuid}/outcome")
async def note_outcome(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    *,
    outcome: Text = "",
    model_used: Text = "",
    reason_code: Text = "",
    happened_on: Text = "",
    first_release_on: Text = "",
    note: Text = "",
) -> Response:
    """Note what became of the case."""
    typed = {
        "outcome": outcome,
        "model_used": model_used,
        "reason_code": reason_code,
        "happened_on": happened_on,
        "first_release_on": first_release_on,
        "note": note,
    }
    database: Database = request.app.state.database
    try:
        asked = OutcomeRequest.model_validate({name: value for name, value in typed.items() if value})
        async with database.transaction() as connection:
            await record_outcome(connection, intake_id, asked, reviewer(staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        return await _page(request, intake_id, staff, Attempt(typed, moved_on=str(refusal)), status=409)
    except (Unfit, ValidationError) as refusal:
        return await _page(request, intake_id, staff, Attempt(typed, errors_of(refusal)), status=422)
    return RedirectResponse(f"/reviews/{intake_id}/client#outcome", 303)


async def _page(
    request: Request, intake_id: UUID, staff: Principal, attempt: Attempt | None = None, status: int = 200
) -> HTMLResponse:
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        if file is None:
            raise nowhere()
        shelf = await documents.shelf(connection, intake_id)
        since = await since_release(connection, intake_id, shelf)
        hours = await calls.hours(connection, staff.id)
    playbook = PLAYBOOKS[file.questionnaire or PUBLISHED]
    attempt = attempt or Attempt({})
    return pages.render(
        request,
        "reviews/client.html",
        status=status,
        staff=staff,
        case=file,
        since=since,
        zone=hours.zone if hours else None,
        document=shelf[0].document if shelf else None,
        playbook=playbook,
        is_manager=staff.may("account_manager"),
        outcome_words=wording.OUTCOMES,
        choices=[(one, wording.OUTCOMES[one]) for one in possible(since.outcomes[0] if since.outcomes else None)],
        declined=wording.DECLINED,
        due_words=wording.DUE,
        models=[(model, offer.name) for model, offer in playbook.models.items() if model != "discovery_call"],
        today=datetime.now(UTC).date(),
        typed=attempt.typed,
        errors=attempt.errors,
        moved_on=attempt.moved_on,
    )
