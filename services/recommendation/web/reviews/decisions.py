"""What account managers do with a case: take the review up, approve, override, or return it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from services.recommendation import handlers
from services.recommendation.domain.review import OutOfStep, ReviewRequest, Unfit
from services.recommendation.handlers import UnknownCase
from services.recommendation.web.callers import AccountManager, reviewer
from services.recommendation.web.reviews.case import Attempt, back_to, nowhere, show
from shared.access import Principal
from shared.contracts.recommendation import Decision
from shared.postgres import Database

Text = Annotated[str, Form()]
Version = Annotated[int, Form()]

router = APIRouter()


@router.post("/{intake_id:uuid}/claim")
async def claim(request: Request, intake_id: UUID, staff: AccountManager, version: Version) -> Response:
    """Take the review up."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            await handlers.take_up(connection, intake_id, version, reviewer(staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        return await show(request, intake_id, staff, Attempt(None, moved_on=str(refusal)), status=409)
    return back_to(intake_id)


@router.post("/{intake_id:uuid}/approve")
async def approve(
    request: Request, intake_id: UUID, staff: AccountManager, version: Version, approval_note: Text = ""
) -> Response:
    """Let the proposal stand."""
    asked = {"decision": "approve", "version": version, "note": approval_note}
    return await _decide(request, intake_id, staff, asked, {"approval_note": approval_note})


@router.post("/{intake_id:uuid}/override")
async def override(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    *,
    version: Version,
    model: Text = "",
    commercial_form: Text = "",
    reason_code: Text = "",
    override_note: Text = "",
) -> Response:
    """Put another model or form in the proposal's place."""
    chosen = {"model": model, "commercial_form": commercial_form, "reason_code": reason_code}
    given = {name: value or None for name, value in chosen.items()}
    asked = {"decision": "override", "version": version, "note": override_note, **given}
    return await _decide(request, intake_id, staff, asked, {**chosen, "override_note": override_note})


@router.post("/{intake_id:uuid}/return")
async def send_back(
    request: Request, intake_id: UUID, staff: AccountManager, version: Version, question: Text = ""
) -> Response:
    """Ask sales something before deciding."""
    asked = {"decision": "return", "version": version, "note": question}
    return await _decide(request, intake_id, staff, asked, {"question": question})


NOTE_FIELDS: dict[Decision, str] = {"approve": "approval_note", "override": "override_note", "return": "question"}


async def _decide(
    request: Request, intake_id: UUID, staff: Principal, asked: Mapping[str, Any], typed: Mapping[str, str]
) -> Response:
    """Record the decision and show the case again; what cannot stand is shown beside what was typed."""
    decision: Decision = asked["decision"]
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            review = ReviewRequest.model_validate(asked)
            await handlers.review(connection, intake_id, review, reviewer(staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        attempt = Attempt(decision, typed, moved_on=str(refusal))
        return await show(request, intake_id, staff, attempt, status=409)
    except (Unfit, ValidationError) as refusal:
        attempt = Attempt(decision, typed, _errors(refusal, NOTE_FIELDS[decision]))
        return await show(request, intake_id, staff, attempt, status=422)
    return back_to(intake_id)


def _errors(refusal: Unfit | ValidationError, note_field: str) -> dict[str, str]:
    """What to do about each field of the form."""
    if isinstance(refusal, Unfit):
        found = {refusal.field: str(refusal)}
    else:
        found = {
            str(fault["loc"][0]): fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "value_error"
            else "Choose one from the list."
            for fault in refusal.errors(include_url=False)
        }
    return {note_field if name == "note" else name: message for name, message in found.items()}
