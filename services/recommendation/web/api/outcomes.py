"""What became of a case, by machine."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.recommendation.domain.outcome import OutcomeRequest
from services.recommendation.handlers.outcome import record_outcome
from services.recommendation.web.api.steps import body_of, once
from services.recommendation.web.api.views import OutcomeView
from services.recommendation.web.callers import AccountManager, reviewer
from shared.postgres import Connection
from shared.service import read_json

router = APIRouter()


@router.post("/intakes/{intake_id}/outcome", response_model=OutcomeView, openapi_extra=body_of(OutcomeRequest))
async def record(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Note what became of the case: signed or lost, and later whether it is unchanged, re-scoped or renewed.

    `model_used` is what the work really follows; a lost one has a `reason_code` instead.
    """
    asked, body = await read_json(request, OutcomeRequest)

    async def work(connection: Connection, now: datetime) -> BaseModel:
        recorded = await record_outcome(connection, intake_id, asked, reviewer(caller), now)
        return OutcomeView.model_validate(recorded)

    return await once(request, caller, body, work)
