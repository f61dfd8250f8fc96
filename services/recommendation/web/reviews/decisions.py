"""What account managers do with a case: take it up or give it away, decide, sign second, and take a decision back."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from services.recommendation import handlers
from services.recommendation.domain.assignment import AssignRequest
from services.recommendation.domain.review import (
    OutOfStep,
    ReviewRequest,
    SignatureRequest,
    UndoRequest,
    Unfit,
)
from services.recommendation.handlers import UnknownCase
from services.recommendation.web.callers import AccountManager, reviewer
from services.recommendation.web.reviews.case import Attempt, Step, back_to, nowhere, show
from services.recommendation.web.reviews.lists import Listed, Listing
from shared.access import Principal
from shared.postgres import Connection, Database

Text = Annotated[str, Form()]
Version = Annotated[int, Form()]
Work = Callable[[Connection, datetime], Awaitable[object]]

router = APIRouter()


@router.post("/{intake_id:uuid}/claim")
async def claim(
    request: Request, intake_id: UUID, staff: AccountManager, listing: Listed, version: Version
) -> Response:
    """Take the review up."""

    async def work(connection: Connection, now: datetime) -> None:
        await handlers.take_up(connection, intake_id, version, reviewer(staff), now)

    return await _take(request, intake_id, staff, listing, work, attempt=Attempt(None))


@router.post("/{intake_id:uuid}/assign")
async def assign(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    listing: Listed,
    *,
    version: Version,
    assignee: Text = "",
    assign_reason: Text = "",
) -> Response:
    """Give the case to a colleague."""
    asked = {"assignee": assignee, "reason": assign_reason, "version": version}

    async def work(connection: Connection, now: datetime) -> object:
        return await handlers.assign(connection, intake_id, AssignRequest.model_validate(asked), reviewer(staff), now)

    typed = {"assignee": assignee, "assign_reason": assign_reason}
    return await _take(request, intake_id, staff, listing, work, attempt=Attempt("assign", typed))


@router.post("/{intake_id:uuid}/approve")
async def approve(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    listing: Listed,
    *,
    version: Version,
    approval_note: Text = "",
) -> Response:
    """Let the proposal stand."""
    asked = {"decision": "approve", "version": version, "note": approval_note}
    attempt = Attempt("approve", {"approval_note": approval_note})
    return await _take(request, intake_id, staff, listing, _reviewing(intake_id, asked, staff), attempt=attempt)


@router.post("/{intake_id:uuid}/override")
async def override(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    listing: Listed,
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
    attempt = Attempt("override", {**chosen, "override_note": override_note})
    return await _take(request, intake_id, staff, listing, _reviewing(intake_id, asked, staff), attempt=attempt)


@router.post("/{intake_id:uuid}/return")
async def send_back(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    listing: Listed,
    *,
    version: Version,
    question: Text = "",
) -> Response:
    """Ask sales something before deciding."""
    asked = {"decision": "return", "version": version, "note": question}
    attempt = Attempt("return", {"question": question})
    return await _take(request, intake_id, staff, listing, _reviewing(intake_id, asked, staff), attempt=attempt)


@router.post("/{intake_id:uuid}/confirm")
async def confirm(
    request: Request, intake_id: UUID, staff: AccountManager, listing: Listed, version: Version
) -> Response:
    """Sign a decision as the second person."""
    asked = {"decision": "confirm", "version": version}
    return await _take(
        request, intake_id, staff, listing, _signing(intake_id, asked, staff), attempt=Attempt("confirm")
    )


@router.post("/{intake_id:uuid}/refuse")
async def refuse(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    listing: Listed,
    *,
    version: Version,
    refusal_note: Text = "",
) -> Response:
    """Refuse, as the second person, to sign."""
    asked = {"decision": "refuse", "version": version, "note": refusal_note}
    attempt = Attempt("refuse", {"refusal_note": refusal_note})
    return await _take(request, intake_id, staff, listing, _signing(intake_id, asked, staff), attempt=attempt)


@router.post("/{intake_id:uuid}/undo")
async def undo(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    listing: Listed,
    *,
    version: Version,
    undo_note: Text = "",
) -> Response:
    """Take the last decision back."""
    asked = {"version": version, "note": undo_note}

    async def work(connection: Connection, now: datetime) -> object:
        return await handlers.undo(connection, intake_id, UndoRequest.model_validate(asked), reviewer(staff), now)

    return await _take(request, intake_id, staff, listing, work, attempt=Attempt("undo", {"undo_note": undo_note}))


FIELDS: dict[Step | None, Mapping[str, str]] = {
    "assign": {"reason": "assign_reason"},
    "approve": {"note": "approval_note", "decision": "approval_note"},
    "override": {"note": "override_note", "decision": "override_note"},
    "return": {"note": "question"},
    "refuse": {"note": "refusal_note", "decision": "refusal_note"},
    "undo": {"note": "undo_note"},
}
"""What a request's field is called on the page, where that differs."""


def _reviewing(intake_id: UUID, asked: Mapping[str, Any], staff: Principal) -> Work:
    async def work(connection: Connection, now: datetime) -> object:
        request = ReviewRequest.model_validate(asked)
        return await handlers.review(connection, intake_id, request, reviewer(staff), now)

    return work


def _signing(intake_id: UUID, asked: Mapping[str, Any], staff: Principal) -> Work:
    async def work(connection: Connection, now: datetime) -> object:
        request = SignatureRequest.model_validate(asked)
        return await handlers.sign(connection, intake_id, request, reviewer(staff), now)

    return work


async def _take(
    request: Request, intake_id: UUID, staff: Principal, listing: Listing, work: Work, *, attempt: Attempt
) -> Response:
    """Take a step and show the case again; what cannot stand is shown beside what was typed."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            await work(connection, datetime.now(UTC))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        return await show(request, intake_id, staff, listing, attempt.moved(str(refusal)), status=409)
    except (Unfit, ValidationError) as refusal:
        unfit = attempt.unfit(_errors(refusal, FIELDS.get(attempt.step, {})))
        return await show(request, intake_id, staff, listing, unfit, status=422)
    return back_to(intake_id, listing)


def _errors(refusal: Unfit | ValidationError, fields: Mapping[str, str]) -> dict[str, str]:
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
    return {fields.get(name, name): message for name, message in found.items()}
