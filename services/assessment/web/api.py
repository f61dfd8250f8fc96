"""The JSON API of assessment: previews, stored assessments, and the rubric behind them."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict

from services.assessment import handlers, store
from services.assessment.domain.rubric import as_published
from services.assessment.domain.scoring import UnheardAnswer, assess
from shared import erasure
from shared.access import Principal, requires
from shared.contracts.intake import Answer
from shared.postgres import Connection, Database
from shared.questionnaire import PUBLISHED, load
from shared.service import Problem, read_json

router = APIRouter(prefix="/api/assessment")

Staff = Annotated[Principal, Depends(requires("sales", "account_manager", "rubric_owner"))]


def _answer(given: object) -> object:
    return {"level": given} if isinstance(given, str) else given


class PreviewForm(BaseModel):
    """Any part of the answers: a level key or `unknown` each, or an object with `level` and `confidence`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: dict[str, Annotated[Answer, BeforeValidator(_answer)]]


PREVIEW_BODY = {"required": True, "content": {"application/json": {"schema": PreviewForm.model_json_schema()}}}


@router.post("/preview", openapi_extra={"requestBody": PREVIEW_BODY})
async def preview(request: Request, caller: Staff) -> dict[str, Any]:
    """The assessment of these answers under the rubric in force; nothing is stored."""
    form, _ = await read_json(request, PreviewForm)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rubric = await handlers.rubric(connection, await _in_force(connection))
    try:
        return assess(form.answers, rubric, load(rubric.questionnaire)).model_dump(mode="json", by_alias=True)
    except UnheardAnswer as refusal:
        raise Problem(422, "Some answers are not in the questionnaire", str(refusal)) from refusal


@router.get("/intakes/{intake_id}")
async def read(request: Request, intake_id: UUID, caller: Staff) -> dict[str, Any]:
    """The stored assessment of the current revision."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await store.current_assessment(connection, intake_id)
        if found is None and await erasure.is_erased(connection, intake_id):
            raise Problem(410, "Erased", "This intake was erased on request.")
    if found is None:
        raise Problem(404, "Not assessed", "There is no assessment of this intake yet. Check its id, or ask later.")
    return found


@router.get("/rubrics/current")
async def current(request: Request, caller: Staff) -> dict[str, Any]:
    """The rubric in force for the published questionnaire."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        return await _published(connection, await _in_force(connection))


@router.get("/rubrics/{version}")
async def of_version(request: Request, version: str, caller: Staff) -> dict[str, Any]:
    """One version of the rubric."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        return await _published(connection, await store.rubric_hash(connection, version))


async def _in_force(connection: Connection) -> str:
    rubric_hash = await store.rubric_in_force(connection, PUBLISHED, datetime.now(UTC))
    if rubric_hash is None:
        raise Problem(503, "No rubric in force", f"Publish a rubric for questionnaire {PUBLISHED}.")
    return rubric_hash


async def _published(connection: Connection, rubric_hash: str | None) -> dict[str, Any]:
    if rubric_hash is None:
        raise Problem(404, "There is no such rubric", "Ask for the current one, or check the version.")
    rubric = await handlers.rubric(connection, rubric_hash)
    return as_published(rubric, load(rubric.questionnaire))
