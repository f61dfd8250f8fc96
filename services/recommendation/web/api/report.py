"""How often reviewers agree with what is proposed."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.recommendation.domain.report import Part, Reading
from services.recommendation.store import report as reports
from services.recommendation.web.api.views import PersonView, View
from services.recommendation.web.callers import AccountManager
from services.recommendation.web.reporting import Wanted
from shared.contracts.recommendation import CommercialForm, Decision, Model
from shared.postgres import Database

router = APIRouter()


class CountView(View):
    """Decisions that stand; `rate` is the share overridden, 0 to 1, and null where nothing is decided.

    `reading` is the rule of thumb: `look` above 5 of 100, `limit` above 10, `few` under 20 decisions.
    """

    decided: int
    agreed: int
    overridden: int
    other_model: int
    rate: float | None
    reading: Reading


class LineView(View):
    """The count for one model, reason, person or month."""

    key: str
    name: str
    count: CountView


class JudgedView(View):
    """A decision beside what was proposed."""

    intake_id: UUID
    revision: int
    version: int
    company: str | None
    proposed_model: Model
    proposed_form: CommercialForm
    decision: Decision
    model: Model
    commercial_form: CommercialForm
    reason_code: str | None
    note: str | None
    by: PersonView
    second: PersonView | None
    at: datetime


class ReportView(View):
    """The counts and a page of the decisions behind them, the latest first; `next` is the following page."""

    total: CountView
    parts: dict[Part, tuple[LineView, ...]]
    returned: int
    refused: int
    undone: int
    decisions: tuple[JudgedView, ...]
    next: int | None


@router.get("/report")
async def report(
    request: Request, caller: AccountManager, wanted: Wanted, page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> ReportView:
    """How often proposals were overridden: by model, reason, person and month. `since` and `until` are days in UTC."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await reports.counted(connection, wanted.asked)
        judged = await reports.judged(connection, wanted.asked, page=page)
    following = page + 1 if len(judged) == reports.PAGE else None
    return ReportView.model_validate({**vars(found), "decisions": judged, "next": following})
