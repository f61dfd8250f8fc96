"""Cases as they stand, their blueprints, and the queue."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request

from services.recommendation.domain.blueprint import Blueprint
from services.recommendation.domain.review import WAITING
from services.recommendation.handlers.case import UnknownCase
from services.recommendation.handlers.lines import blueprint_of
from services.recommendation.store import cases, outcomes
from services.recommendation.store import queue as queues
from services.recommendation.store.queue import Wanted
from services.recommendation.web.api.steps import unknown
from services.recommendation.web.api.views import CaseView, QueueView, case_view, queued_view
from services.recommendation.web.callers import Reader
from services.recommendation.web.releases import shown
from shared.contracts.recommendation import Model, ProposalState
from shared.postgres import Database
from shared.service import Problem

router = APIRouter()


@router.get("/intakes/{intake_id}")
async def read(request: Request, intake_id: UUID, caller: Reader) -> CaseView:
    """The proposal for the current revision, its review and its state."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        released = await shown(request, connection, intake_id)
        recorded = await outcomes.of_case(connection, intake_id)
    if file is None:
        raise unknown(UnknownCase())
    return case_view(file, released, recorded)


@router.get("/intakes/{intake_id}/blueprint")
async def blueprint(request: Request, intake_id: UUID, caller: Reader) -> Blueprint:
    """How the work would be set up: people, responsibilities, handoffs, meetings, terms, steps and risks.

    Worked out from what is stored, each line with the rule and the answers behind it. A discovery call has an agenda
    instead. 404 where there is none, as after erasure.
    """
    database: Database = request.app.state.database
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    if file is None:
        raise unknown(UnknownCase())
    found = blueprint_of(file)
    if found is None:
        raise Problem(404, "There is no blueprint", "What the client sent was erased, and its blueprint with it.")
    return found


@router.get("/reviews")
async def queue(
    request: Request,
    caller: Reader,
    *,
    state: ProposalState | None = None,
    model: Model | None = None,
    company: str = "",
    after: UUID | None = None,
) -> QueueView:
    """The cases in a state, or all that wait for a decision; the longest waiting first, those with sales last.

    `company` finds a part of a name.
    """
    database: Database = request.app.state.database
    wanted = Wanted(WAITING if state is None else (state,), model=model, company=company)
    async with database.connection() as connection:
        found = await queues.queue(connection, wanted, after=after)
    now = datetime.now(UTC)
    return QueueView(
        items=tuple(queued_view(item, now) for item in found),
        next=found[-1].intake_id if len(found) == queues.PAGE else None,
    )
