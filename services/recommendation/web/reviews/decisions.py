"""What account managers do with a case: take it up or give it away, decide, sign second, and take a decision back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import ValidationError

from services.recommendation.domain.assignment import AssignRequest
from services.recommendation.domain.review import (
    OutOfStep,
    Reviewer,
    ReviewRequest,
    SignatureRequest,
    UndoRequest,
    Unfit,
)
from services.recommendation.handlers import assignment, decision
from services.recommendation.handlers.case import UnknownCase
from services.recommendation.web.callers import AccountManager, Signer, reviewer
from services.recommendation.web.refusals import errors_of
from services.recommendation.web.reviews.case import Attempt, Step, back_to, nowhere, show
from services.recommendation.web.reviews.lists import Listed, Listing
from shared.access import Principal
from shared.postgres import Connection, Database

Text = Annotated[str, Form()]
Version = Annotated[int, Form()]
Work: TypeAlias = Callable[[Connection, Reviewer, datetime], Awaitable[None]]

router = APIRouter()


@dataclass(frozen=True)
class Here:
    """A case before an account manager, in the list that it was opened from."""

    request: Request
    intake_id: UUID
    staff: Principal
    listing: Listing


def _here(request: Request, intake_id: UUID, staff: AccountManager, listing: Listed) -> Here:
    return Here(request, intake_id, staff, listing)


At = Annotated[Here, Depends(_here)]


@router.post("/{intake_id:uuid}/claim")
async def claim(at: At, version: Version) -> Response:
    """Take the review up."""

    async def work(connection: Connection, by: Reviewer, now: datetime) -> None:
        await assignment.take_up(connection, at.intake_id, version, by, now)

    return await _take(at, Attempt(None), work)


@router.post("/{intake_id:uuid}/assign")
async def assign(at: At, version: Version, assignee: Text = "", assign_reason: Text = "") -> Response:
    """Give the case to a colleague."""
    asked = {"assignee": assignee, "reason": assign_reason, "version": version}

    async def work(connection: Connection, by: Reviewer, now: datetime) -> None:
        await assignment.assign(connection, at.intake_id, AssignRequest.model_validate(asked), by, now)

    return await _take(at, Attempt("assign", {"assignee": assignee, "assign_reason": assign_reason}), work)


@router.post("/{intake_id:uuid}/approve")
async def approve(at: At, version: Version, approval_note: Text = "") -> Response:
    """Let the proposal stand."""
    asked = {"decision": "approve", "version": version, "note": approval_note}
    return await _review(at, Attempt("approve", {"approval_note": approval_note}), asked)


@router.post("/{intake_id:uuid}/override")
async def override(
    at: At,
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
    return await _review(at, Attempt("override", {**chosen, "override_note": override_note}), asked)


@router.post("/{intake_id:uuid}/return")
async def send_back(at: At, version: Version, question: Text = "") -> Response:
    """Ask sales something before deciding."""
    asked = {"decision": "return", "version": version, "note": question}
    return await _review(at, Attempt("return", {"question": question}), asked)


@router.post("/{intake_id:uuid}/confirm")
async def confirm(at: At, _: Signer, version: Version) -> Response:
    """Sign a decision as the second person."""
    return await _sign(at, Attempt("confirm"), {"decision": "confirm", "version": version})


@router.post("/{intake_id:uuid}/refuse")
async def refuse(at: At, _: Signer, version: Version, refusal_note: Text = "") -> Response:
    """Refuse, as the second person, to sign."""
    asked = {"decision": "refuse", "version": version, "note": refusal_note}
    return await _sign(at, Attempt("refuse", {"refusal_note": refusal_note}), asked)


@router.post("/{intake_id:uuid}/undo")
async def undo(at: At, version: Version, undo_note: Text = "") -> Response:
    """Take the last decision back."""
    asked = {"version": version, "note": undo_note}

    async def work(connection: Connection, by: Reviewer, now: datetime) -> None:
        await decision.undo(connection, at.intake_id, UndoRequest.model_validate(asked), by, now)

    return await _take(at, Attempt("undo", {"undo_note": undo_note}), work)


FIELDS: dict[Step | None, Mapping[str, str]] = {
    "assign": {"reason": "assign_reason"},
    "approve": {"note": "approval_note", "decision": "approval_note"},
    "override": {"note": "override_note", "decision": "override_note"},
    "return": {"note": "question"},
    "refuse": {"note": "refusal_note", "decision": "refusal_note"},
    "undo": {"note": "undo_note"},
}
"""What a request's field is called on the page, where that differs."""


async def _review(at: Here, attempt: Attempt, asked: Mapping[str, Any]) -> Response:
    async def work(connection: Connection, by: Reviewer, now: datetime) -> None:
        await decision.review(connection, at.intake_id, ReviewRequest.model_validate(asked), by, now)

    return await _take(at, attempt, work)


async def _sign(at: Here, attempt: Attempt, asked: Mapping[str, Any]) -> Response:
    async def work(connection: Connection, by: Reviewer, now: datetime) -> None:
        await decision.sign(connection, at.intake_id, SignatureRequest.model_validate(asked), by, now)

    return await _take(at, attempt, work)


async def _take(at: Here, attempt: Attempt, work: Work) -> Response:
    """Take a step and show the case again; what cannot stand is shown beside what was typed."""
    database: Database = at.request.app.state.database
    try:
        async with database.transaction() as connection:
            await work(connection, reviewer(at.staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        moved = attempt.moved(str(refusal))
        return await show(at.request, at.intake_id, at.staff, at.listing, moved, status=409)
    except (Unfit, ValidationError) as refusal:
        fields = FIELDS.get(attempt.step, {})
        unfit = attempt.unfit({fields.get(name, name): advice for name, advice in errors_of(refusal).items()})
        return await show(at.request, at.intake_id, at.staff, at.listing, unfit, status=422)
    return back_to(at.intake_id, at.listing)
