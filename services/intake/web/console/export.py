"""Everything the pipeline shows, to take along: as CSV for spreadsheets and as JSON for programs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from services.intake.domain.pipeline import Asked, Filters
from services.intake.store import pipeline
from services.intake.web.console.staff import Sales, database_of
from services.intake.web.records import columns, flat, record
from shared import audit
from shared.postgres import Database
from shared.spreadsheet import BYTE_ORDER_MARK, rows

router = APIRouter()

BATCH = 500


@router.get("/export.{kind}")
async def export(
    request: Request, staff: Sales, kind: Literal["csv", "json"], filters: Annotated[Filters, Query()]
) -> StreamingResponse:
    """The cases asked for with every answer and score, streamed; a spreadsheet knows UTF-8 by the byte order mark."""
    asked = Asked(filters, staff.id, datetime.now(UTC))
    async with database_of(request).transaction() as connection:
        acted = {"kind": kind, "filters": sorted(filters.set)}
        await audit.record(connection, "pipeline_exported", staff.id, asked.now, acted, actor=staff.id)
    batches = _batches(database_of(request), asked)
    return StreamingResponse(
        _as_csv(batches) if kind == "csv" else _as_json(batches),
        media_type="text/csv; charset=utf-8" if kind == "csv" else "application/json",
        headers={"Content-Disposition": f'attachment; filename="pipeline-{asked.now:%Y-%m-%d}.{kind}"'},
    )


async def _batches(database: Database, asked: Asked) -> AsyncIterator[list[dict[str, Any]]]:
    """By key and on a connection for each, so that a slow reader holds none."""
    after = None
    while True:
        async with database.connection() as connection:
            cases = await pipeline.exported(connection, asked, after, BATCH)
        yield [record(case) for case in cases]
        if len(cases) < BATCH:
            return
        after = cases[-1].cursor(asked.filters.sort)


async def _as_csv(batches: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[str]:
    yield BYTE_ORDER_MARK + rows([columns()])
    async for batch in batches:
        yield rows(map(flat, batch))


async def _as_json(batches: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    separator = b"["
    async for batch in batches:
        for one in batch:
            yield separator + orjson.dumps(one)
            separator = b",\n"
    yield b"]" if separator != b"[" else b"[]"
