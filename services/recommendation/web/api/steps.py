"""A step on a case: described, taken once, and refused in words that a machine can read."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from services.recommendation.domain.review import OutOfStep, Unfit
from services.recommendation.handlers.case import UnknownCase
from services.recommendation.web.api.views import ReviewView
from shared.access import Principal
from shared.postgres import Connection, Database
from shared.service import Problem, answer_once


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """How a body that is read by hand is described."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


async def once(
    request: Request, caller: Principal, body: bytes, work: Callable[[Connection, datetime], Awaitable[BaseModel]]
) -> Response:
    """A step on a case, taken once for each key; what cannot stand says which field to change."""
    database: Database = request.app.state.database
    try:
        async with _changing(database) as connection:

            async def answer() -> tuple[int, dict[str, Any]]:
                return 200, (await work(connection, datetime.now(UTC))).model_dump(mode="json")

            return await answer_once(request, connection, caller.id, body, answer)
    except Unfit as refusal:
        faults = [{"field": field, "message": message} for field, message in refusal.errors.items()]
        detail = "; ".join(f"{field}: {message}" for field, message in refusal.errors.items())
        raise Problem(422, "This needs something else", detail, errors=faults) from refusal


def unknown(refusal: UnknownCase) -> Problem:
    """The refusal to show what is not there."""
    return Problem(404, "No proposal here", str(refusal))


@asynccontextmanager
async def _changing(database: Database) -> AsyncIterator[Connection]:
    """A transaction on a case; what keeps it from being changed becomes the answer."""
    try:
        async with database.transaction() as connection:
            yield connection
    except UnknownCase as refusal:
        raise unknown(refusal) from refusal
    except OutOfStep as refusal:
        raise _moved_on(refusal) from refusal


def _moved_on(refusal: OutOfStep) -> Problem:
    case = refusal.case
    review = None if case.review is None else ReviewView.model_validate(case.review).model_dump(mode="json")
    return Problem(409, "The case has moved on", str(refusal), state=case.state, version=case.version, review=review)
