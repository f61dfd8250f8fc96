"""Notes about a case: everybody in the console reads them, their author changes them."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake.domain.submission import CaseErased, UnknownIntake
from services.intake.store import cases, intakes
from services.intake.web.console.case import case_page
from services.intake.web.console.staff import Sales, Text, database_of, page, see
from shared.access import Principal
from shared.language import gettext_noop
from shared.service import Problem

router = APIRouter()

MAX_NOTE = 4000
WRITE_IT = gettext_noop("Write the note first.")
SHORTER = gettext_noop("Use at most 4,000 characters.")


@router.post("/{intake_id:uuid}/notes")
async def add(request: Request, intake_id: UUID, staff: Sales, text: Text = "") -> Response:
    """Write a note."""
    text = _lines(text)
    if advice := _advice(text):
        typed = {"text": text}
        return await case_page(request, staff, intake_id, status=422, errors={"text": advice}, typed=typed)
    async with database_of(request).transaction() as connection:
        if await intakes.status(connection, intake_id) is None:
            raise UnknownIntake
        if not await cases.add_note(connection, intake_id, staff.id, text, datetime.now(UTC)):
            raise CaseErased
    return see(f"{intake_id}?done=note")


@router.get("/{intake_id:uuid}/notes/{note_id:uuid}")
async def ask(request: Request, intake_id: UUID, note_id: UUID, staff: Sales) -> Response:
    """The own note, to change or delete."""
    return await _page(request, staff, intake_id, note_id)


@router.post("/{intake_id:uuid}/notes/{note_id:uuid}")
async def edit(request: Request, intake_id: UUID, note_id: UUID, staff: Sales, text: Text = "") -> Response:
    """Change the own note."""
    text = _lines(text)
    if advice := _advice(text):
        return await _page(request, staff, intake_id, note_id, errors={"text": advice}, text=text)
    async with database_of(request).transaction() as connection:
        if not await cases.edit_note(connection, note_id, staff.id, text, datetime.now(UTC)):
            raise _not_yours()
    return see(f"{intake_id}?done=note-edited")


@router.post("/{intake_id:uuid}/notes/{note_id:uuid}/delete")
async def delete(request: Request, intake_id: UUID, note_id: UUID, staff: Sales) -> Response:
    """Delete the own note."""
    async with database_of(request).transaction() as connection:
        if not await cases.delete_note(connection, note_id, staff.id):
            raise _not_yours()
    return see(f"{intake_id}?done=note-deleted")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\0", "").strip()


def _advice(text: str) -> str:
    return WRITE_IT if not text else SHORTER if len(text) > MAX_NOTE else ""


def _not_yours() -> Problem:
    return Problem(
        404,
        gettext_noop("There is no such note of yours"),
        gettext_noop("Only its author changes a note. Open the case to read it."),
    )


async def _page(
    request: Request,
    staff: Principal,
    intake_id: UUID,
    note_id: UUID,
    *,
    errors: dict[str, str] | None = None,
    text: str | None = None,
) -> Response:
    async with database_of(request).connection() as connection:
        notes = await cases.notes(connection, intake_id)
    note = next((one for one in notes if (one.id, one.author) == (note_id, staff.id)), None)
    if note is None:
        raise _not_yours()
    return page(
        request,
        "note.html",
        status=422 if errors else 200,
        staff=staff,
        intake_id=intake_id,
        note=note,
        text=note.text if text is None else text,
        errors=errors or {},
    )
