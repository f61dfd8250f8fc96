"""Decisions by machine: review, second signature, undoing, and giving a case to a colleague."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.recommendation.domain.assignment import AssignRequest
from services.recommendation.domain.review import ReviewRequest, SignatureRequest, UndoRequest
from services.recommendation.handlers import assignment, decision
from services.recommendation.web.api.steps import body_of, once
from services.recommendation.web.api.views import AssignmentView, DecidedView, StandingView, decided_view
from services.recommendation.web.callers import AccountManager, Signer, reviewer
from shared.postgres import Connection
from shared.service import read_json

router = APIRouter()


@router.post("/intakes/{intake_id}/review", response_model=DecidedView, openapi_extra=body_of(ReviewRequest))
async def review(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Approve, override or return the proposal that the caller saw at `version`.

    An override of a veto waits in review until a second person signs it.
    """
    asked, body = await read_json(request, ReviewRequest)

    async def work(connection: Connection, now: datetime) -> BaseModel:
        return decided_view(await decision.review(connection, intake_id, asked, reviewer(caller), now))

    return await once(request, caller, body, work)


@router.post("/intakes/{intake_id}/signature", response_model=StandingView, openapi_extra=body_of(SignatureRequest))
async def sign(request: Request, intake_id: UUID, caller: Signer) -> Response:
    """Confirm or refuse, as the second person, the decision that waits for one. An API key is no person."""
    asked, body = await read_json(request, SignatureRequest)

    async def work(connection: Connection, now: datetime) -> BaseModel:
        return StandingView.model_validate(await decision.sign(connection, intake_id, asked, reviewer(caller), now))

    return await once(request, caller, body, work)


@router.post("/intakes/{intake_id}/undo", response_model=StandingView, openapi_extra=body_of(UndoRequest))
async def undo(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Take the last decision back, as long as its document is not released."""
    asked, body = await read_json(request, UndoRequest)

    async def work(connection: Connection, now: datetime) -> BaseModel:
        return StandingView.model_validate(await decision.undo(connection, intake_id, asked, reviewer(caller), now))

    return await once(request, caller, body, work)


@router.post("/intakes/{intake_id}/assignment", response_model=AssignmentView, openapi_extra=body_of(AssignRequest))
async def assign(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Give a case to a colleague, with the reason; the deputy gets it where the colleague is away."""
    asked, body = await read_json(request, AssignRequest)

    async def work(connection: Connection, now: datetime) -> BaseModel:
        given = await assignment.assign(connection, intake_id, asked, reviewer(caller), now)
        return AssignmentView.model_validate(given)

    return await once(request, caller, body, work)
