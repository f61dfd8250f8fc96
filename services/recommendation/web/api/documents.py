"""Releasing a document, and reading it."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from services.recommendation.handlers import sharing
from services.recommendation.store import documents
from services.recommendation.web import pdf
from services.recommendation.web.api.steps import body_of, once
from services.recommendation.web.api.views import ReleasedView
from services.recommendation.web.callers import AccountManager, Reader, reviewer
from services.recommendation.web.documents import link_address
from shared.postgres import Connection, Database
from shared.service import Problem, read_json

router = APIRouter()


class ReleaseRequest(BaseModel):
    """Release the document of the case as the caller saw it at `version`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int


@router.post("/intakes/{intake_id}/release", response_model=ReleasedView, openapi_extra=body_of(ReleaseRequest))
async def release(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Freeze the document of an approved or overridden proposal and make the client's link."""
    asked, body = await read_json(request, ReleaseRequest)

    async def work(connection: Connection, now: datetime) -> BaseModel:
        released = await sharing.release(connection, intake_id, asked.version, reviewer(caller), now, render=pdf.render)
        return ReleasedView(
            intake_id=intake_id,
            version=released.version,
            state="released",
            document=released.document.number,
            document_hash=released.document.hash,
            link=link_address(request, released.link),
            expires_at=released.link.expires_at,
        )

    return await once(request, caller, body, work)


@router.get(
    "/intakes/{intake_id}/document.pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The file as it was released."}},
)
async def document(request: Request, intake_id: UUID, caller: Reader) -> Response:
    """The last document that was released."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        last = await documents.latest(connection, intake_id)
        file = None if last is None else await documents.pdf(connection, intake_id, last.number)
    if last is None:
        raise Problem(404, "No document here", "Nothing was released for this intake yet.")
    if file is None:
        raise Problem(410, "The document is erased", "It was deleted on request.")
    return Response(file, media_type="application/pdf")
