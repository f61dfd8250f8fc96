"""The lines of a blueprint: changing, dropping and adding one, and which rules' lines people edit most."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from services.recommendation.domain import lines
from services.recommendation.domain.blueprint import Line, Section
from services.recommendation.domain.blueprint_rules import Kind, Says
from services.recommendation.domain.lines import EditRequest, UnknownLine
from services.recommendation.domain.review import MAX_NOTE, OutOfStep, Unfit, readable
from services.recommendation.handlers.case import UnknownCase
from services.recommendation.handlers.lines import blueprint_of, edit_line
from services.recommendation.handlers.playbooks import BLUEPRINTS
from services.recommendation.store import cases
from services.recommendation.store import lines as line_edits
from services.recommendation.web import wording
from services.recommendation.web.callers import AccountManager, Reader, reviewer
from services.recommendation.web.reviews.case import nowhere
from shared.access import Principal
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from shared.service import Problem

SEVERAL = ("responsible", "consulted", "informed", "receivers", "who")
WORDS: TypeAdapter[Says] = TypeAdapter(Says)

router = APIRouter()

Seen = Annotated[int, Form()]


@dataclass(frozen=True)
class Attempt:
    """An edit that did not go through: what was typed, by field, and what to do about it."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    moved_on: str = ""


@router.get("/lines")
async def most_edited(request: Request, staff: Reader) -> HTMLResponse:
    """Which rules' lines people edit most."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        found = await line_edits.most_edited(connection)
    titles = {part.id: part.titles[0].text for part in BLUEPRINTS[PUBLISHED].sections}
    return pages.render(request, "reviews/lines.html", staff=staff, items=found, titles=titles)


@router.get("/{intake_id:uuid}/lines/{section}")
async def new(request: Request, intake_id: UUID, section: str, staff: AccountManager) -> HTMLResponse:
    """The form for a line to add."""
    return await _form(request, intake_id, section, None, staff=staff)


@router.post("/{intake_id:uuid}/lines/{section}")
async def add(request: Request, intake_id: UUID, section: str, staff: AccountManager, seen: Seen) -> Response:
    """Add a line."""
    return await _edit(request, intake_id, EditRequest("add", section, None, seen), staff)


@router.get("/{intake_id:uuid}/lines/{section}/{line}")
async def one(request: Request, intake_id: UUID, section: str, line: str, staff: AccountManager) -> HTMLResponse:
    """The form for a line to change, and what was done to it so far."""
    return await _form(request, intake_id, section, line, staff=staff)


@router.post("/{intake_id:uuid}/lines/{section}/{line}")
async def change(
    request: Request, intake_id: UUID, section: str, line: str, *, staff: AccountManager, seen: Seen
) -> Response:
    """Put other words in the line's place."""
    return await _edit(request, intake_id, EditRequest("change", section, line, seen), staff)


@router.post("/{intake_id:uuid}/lines/{section}/{line}/drop")
async def drop(
    request: Request, intake_id: UUID, section: str, line: str, *, staff: AccountManager, seen: Seen
) -> Response:
    """Take the line out."""
    return await _edit(request, intake_id, EditRequest("drop", section, line, seen), staff)


@router.post("/{intake_id:uuid}/lines/{section}/{line}/undo")
async def undo(
    request: Request, intake_id: UUID, section: str, line: str, *, staff: AccountManager, seen: Seen
) -> Response:
    """Take the last edit back."""
    return await _edit(request, intake_id, EditRequest("undo", section, line, seen), staff)


async def _edit(request: Request, intake_id: UUID, asked: EditRequest, staff: Principal) -> Response:
    """Keep the edit and show the case; what cannot stand is shown beside what was typed."""
    database: Database = request.app.state.database
    typed: dict[str, str] = {}
    try:
        if asked.action in ("add", "change"):
            part = await _section(request, intake_id, asked.section)
            form = await request.form()
            typed = {name: str(form.get(name, "")) for _, name in wording.FIELDS[part.kind]}
            asked = EditRequest(asked.action, asked.section, asked.line, asked.seen, _words(part.kind, typed))
        async with database.transaction() as connection:
            await edit_line(connection, intake_id, asked, reviewer(staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise nowhere() from refusal
    except UnknownLine as refusal:
        raise _no_line(intake_id) from refusal
    except OutOfStep as refusal:
        attempt = Attempt(typed, moved_on=str(refusal))
        return await _form(request, intake_id, asked.section, asked.line, staff=staff, attempt=attempt, status=409)
    except (Unfit, ValidationError) as refusal:
        attempt = Attempt(typed, _errors(refusal, typed))
        return await _form(request, intake_id, asked.section, asked.line, staff=staff, attempt=attempt, status=422)
    return RedirectResponse(f"/reviews/{intake_id}#part-{asked.section}", 303)


async def _section(request: Request, intake_id: UUID, section: str) -> Section:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    blueprint = None if file is None else blueprint_of(file)
    if blueprint is None:
        raise UnknownCase
    return lines.of_section(blueprint, section)


def _words(kind: Kind, typed: Mapping[str, str]) -> Says:
    """What somebody typed as a line of this kind; raises Unfit or ValidationError."""
    fields: dict[str, Any] = {}
    for name, text in typed.items():
        try:
            tidied = [" ".join(one.split()) for one in (readable(text) or "").splitlines()]
        except ValueError as refusal:
            raise Unfit(name, str(refusal)) from refusal
        fields[name] = [one for one in tidied if one] if name in SEVERAL else " ".join(tidied).strip()
    return WORDS.validate_python({"kind": kind, **fields})


def _typed(says: Says) -> dict[str, str]:
    """A line's words as they stand in the form."""
    words = says.model_dump()
    return {name: "\n".join(words[name]) if name in SEVERAL else words[name] for _, name in wording.FIELDS[says.kind]}


def _errors(refusal: Unfit | ValidationError, typed: Mapping[str, str]) -> dict[str, str]:
    """What to do about each field of the form."""
    if isinstance(refusal, Unfit):
        return {refusal.field if refusal.field in typed else next(iter(typed), refusal.field): str(refusal)}
    return {
        str(fault["loc"][1]): "Choose one from the list."
        if fault["type"] == "literal_error"
        else "Write something here."
        for fault in refusal.errors(include_url=False)
    }


async def _form(
    request: Request,
    intake_id: UUID,
    section: str,
    line: str | None,
    *,
    staff: Principal,
    attempt: Attempt | None = None,
    status: int = 200,
) -> HTMLResponse:
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    blueprint = None if file is None else blueprint_of(file)
    if file is None or blueprint is None or file.revision is None:
        raise nowhere()
    present: Line | None = None
    try:
        part = lines.of_section(blueprint, section)
        present = lines.of_line(blueprint, section, line) if line else None
    except UnknownLine as refusal:
        raise _no_line(intake_id) from refusal
    past = lines.history(file.edits, file.revision, section, present) if present else []
    attempt = attempt or Attempt()
    return pages.render(
        request,
        "reviews/line.html",
        status=status,
        staff=staff,
        case=file,
        part=part,
        line=present,
        is_dropped=present in part.dropped,
        past=past,
        seen=(past[-1].version if past else 0) if present else file.version,
        fields=wording.FIELDS[part.kind],
        choices=wording.CHOICES,
        several=SEVERAL,
        edited=wording.EDITED,
        limit=MAX_NOTE,
        typed=attempt.typed or (_typed(present.says) if present else {}),
        errors=attempt.errors,
        moved_on=attempt.moved_on,
        may_edit=lines.may_edit(file.state, file.authors, staff.id),
    )


def _no_line(intake_id: UUID) -> Problem:
    back = {"label": "Back to the case", "href": f"/reviews/{intake_id}"}
    return Problem(
        404, "There is no such line", "The blueprint has changed since. Look at the case again.", action=back
    )
