"""An account manager's documents: the draft, the release, the client's link, and what was released."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.recommendation.domain.document import Content
from services.recommendation.domain.review import OutOfStep
from services.recommendation.handlers import sharing
from services.recommendation.handlers.case import UnknownCase
from services.recommendation.handlers.lines import blueprint_of
from services.recommendation.store import cases, documents
from services.recommendation.store.cases import CaseFile
from services.recommendation.store.documents import Shelf
from services.recommendation.web import pdf
from services.recommendation.web.callers import AccountManager, Reader, reviewer
from services.recommendation.web.documents import link_address
from shared.pages import Pages
from shared.postgres import Connection, Database
from shared.service import Problem

router = APIRouter(prefix="/reviews", include_in_schema=False)

Version = Annotated[int, Form()]

SHOWN_HERE = {"content-disposition": 'inline; filename="recommendation.pdf"'}


@router.get("/{intake_id:uuid}/draft")
async def draft(request: Request, intake_id: UUID, staff: AccountManager) -> HTMLResponse:
    """What would be released now."""
    pages: Pages = request.app.state.pages
    file, content = await _draft(request, intake_id)
    blueprint = blueprint_of(file)
    sections = blueprint.sections if blueprint else ()
    return pages.render(
        request,
        "documents/draft.html",
        staff=staff,
        content=content,
        written=sum(line.edit is not None for part in sections for line in part.lines),
        dropped=sum(len(part.dropped) for part in sections),
        hash="",
        state="draft",
        address=f"/reviews/{intake_id}",
    )


@router.get("/{intake_id:uuid}/draft.pdf")
async def draft_file(request: Request, intake_id: UUID, staff: AccountManager) -> Response:
    """The same as a file with a watermark."""
    _, content = await _draft(request, intake_id)
    file = await pdf.render_draft(content)
    return Response(file, media_type="application/pdf", headers=SHOWN_HERE)


@router.post("/{intake_id:uuid}/release")
async def release(request: Request, intake_id: UUID, staff: AccountManager, version: Version) -> Response:
    """Freeze the document and open it to the client."""
    async with changing(request, intake_id) as connection:
        await sharing.release(connection, intake_id, version, reviewer(staff), datetime.now(UTC), render=pdf.render)
    return _back_to(intake_id)


@router.post("/{intake_id:uuid}/link")
async def share_again(request: Request, intake_id: UUID, staff: AccountManager) -> Response:
    """Make a new link; the one before it opens nothing any more."""
    async with changing(request, intake_id) as connection:
        await sharing.share_again(connection, intake_id, reviewer(staff), datetime.now(UTC))
    return _back_to(intake_id)


@router.post("/{intake_id:uuid}/link/close")
async def stop_sharing(request: Request, intake_id: UUID, staff: AccountManager) -> Response:
    """Close the client's link."""
    async with changing(request, intake_id) as connection:
        await sharing.stop_sharing(connection, intake_id, reviewer(staff), datetime.now(UTC))
    return _back_to(intake_id)


@router.get("/{intake_id:uuid}/documents/{number}.pdf")
async def released_file(request: Request, intake_id: UUID, number: int, staff: Reader) -> Response:
    """A released document as the client got it."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await documents.pdf(connection, intake_id, number)
    if found is None:
        raise nowhere()
    return Response(found, media_type="application/pdf", headers=SHOWN_HERE)


@dataclass(frozen=True)
class Shown(Shelf):
    """A document with the address that opens it, as long as there is one."""

    address: str | None


async def shown(request: Request, connection: Connection, intake_id: UUID) -> list[Shown]:
    """The documents of a case, latest first."""
    now = datetime.now(UTC)
    return [
        Shown(**vars(one), address=link_address(request, one.link) if one.link.is_open(now) else None)
        for one in await documents.shelf(connection, intake_id)
    ]


def nowhere() -> Problem:
    """The refusal to show what is not there."""
    return Problem(404, "There is no such document", "Check the address, or look for the case in the reviews.")


async def _draft(request: Request, intake_id: UUID) -> tuple[CaseFile, Content]:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        if file is None or file.proposal is None:
            raise nowhere()
        return file, sharing.drawn(file, await documents.next_number(connection, intake_id), datetime.now(UTC))


@asynccontextmanager
async def changing(request: Request, intake_id: UUID) -> AsyncIterator[Connection]:
    """A transaction on a case; what keeps it from being changed is told on a page."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            yield connection
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except OutOfStep as refusal:
        back = {"label": "Back to the case", "href": f"/reviews/{intake_id}"}
        raise Problem(409, "The case has moved on", str(refusal), action=back) from refusal


def _back_to(intake_id: UUID) -> RedirectResponse:
    return RedirectResponse(f"/reviews/{intake_id}#document", 303)
