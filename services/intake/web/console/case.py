"""One case of the console: who asked, what was answered, how it scored, and everything that has happened."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake.domain.submission import CaseErased, UnknownIntake, changes, complete, is_revisable
from services.intake.handlers import links
from services.intake.handlers.prospects import known_of
from services.intake.store import cases, intakes, mail, timeline
from services.intake.store.intakes import StoredRevision
from services.intake.store.pipeline import COLLEAGUE
from services.intake.web.console import mail as mail_words
from services.intake.web.console.staff import Sales, database_of, page
from shared.access import Principal
from shared.postgres import Connection
from shared.questionnaire import load
from shared.service import Settings

router = APIRouter()

PEOPLE = ("by", "assignee", "host")


@router.get("/{intake_id:uuid}")
async def show(request: Request, intake_id: UUID, staff: Sales) -> Response:
    """One case."""
    return await case_page(request, staff, intake_id)


@router.get("/{intake_id:uuid}/known")
async def known(request: Request, intake_id: UUID, staff: Sales) -> Response:
    """What else there is of the case's company: a page of its own, since it compares the names of all companies."""
    async with database_of(request).connection() as connection:
        found = await intakes.status(connection, intake_id)
        if found is None:
            raise UnknownIntake
        if found.state == "erased":
            raise CaseErased
        company = (await intakes.current_revision(connection, intake_id)).company
        contact = await intakes.contact(connection, intake_id)
        others = await known_of(connection, company.name, contact.email if contact else "", besides=[intake_id])
    return page(request, "case-known.html", staff=staff, case=found, company=company, known=others)


async def case_page(
    request: Request,
    staff: Principal,
    intake_id: UUID,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    """The page of a case, with what to do by field and what was typed. Raises UnknownIntake."""
    now = datetime.now(UTC)
    async with database_of(request).connection() as connection:
        found = await intakes.status(connection, intake_id)
        if found is None:
            raise UnknownIntake
        revisions = await intakes.revisions(connection, intake_id)
        contact = await intakes.contact(connection, intake_id)
        owner = await cases.owner_of(connection, intake_id)
        colleagues = await cases.colleagues(connection, now.date())
        happened = await _happened(connection, intake_id)
        current = revisions[-1] if revisions else None
        release = await timeline.last_release(connection, intake_id)
        document_mail = await mail.last(connection, "document", intake_id)
    settings: Settings = request.app.state.settings
    questionnaire = None if current is None else load(current.questionnaire)
    return page(
        request,
        "case.html",
        status=status,
        now=now,
        staff=staff,
        case=found,
        contact=contact,
        owner=owner,
        colleagues=colleagues,
        revision=current,
        questionnaire=questionnaire,
        answers={} if current is None or questionnaire is None else complete(current.given, questionnaire),
        history=_history(revisions),
        happened=happened,
        release=release,
        document_address=None if release is None else links.document(settings, release.link_id),
        document_mail=document_mail,
        mail_states=mail_words.STATES,
        is_revisable=is_revisable(found.state),
        errors=errors or {},
        typed=typed or {},
        done=request.query_params.get("done", ""),
    )


async def _happened(connection: Connection, intake_id: UUID) -> list[dict[str, Any]]:
    """Events, changes of hands and notes, in the order they happened; people by their names."""
    events = await timeline.of(connection, intake_id)
    names = await cases.names(connection, {UUID(event[key]) for event in events for key in PEOPLE if event.get(key)})
    told = [{"kind": "event"} | {key: _read(key, value, names) for key, value in event.items()} for event in events]
    told += [
        {"kind": "handover", "at": one.at, "handover": one} for one in await cases.handovers(connection, intake_id)
    ]
    told += [{"kind": "note", "at": one.at, "note": one} for one in await cases.notes(connection, intake_id)]
    return sorted(told, key=lambda one: one["at"])


def _read(key: str, value: Any, names: Mapping[UUID, str]) -> Any:
    if value is None:
        return None
    if key in PEOPLE:
        return names.get(UUID(value), COLLEAGUE)
    return datetime.fromisoformat(value) if key == "at" or key.endswith("_at") else value


def _history(revisions: Sequence[StoredRevision]) -> list[dict[str, Any]]:
    """Each revision but the first, latest first, with what it changed."""
    told = []
    for before, after in pairwise(revisions):
        questionnaire = load(after.questionnaire)
        answers = complete(after.given, questionnaire)
        told.append(
            {"revision": after, "answers": answers, "changes": changes(complete(before.given, questionnaire), answers)}
        )
    return told[::-1]
