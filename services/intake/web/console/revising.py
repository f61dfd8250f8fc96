"""Correcting the answers of a case: what staff change becomes its next revision."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData

from services.intake import handlers
from services.intake.domain.submission import (
    RevisedMeanwhile,
    RevisionClosed,
    UnknownIntake,
    check_revisable,
    complete,
)
from services.intake.store import intakes
from services.intake.store.intakes import StoredRevision
from services.intake.web.console.staff import Sales, database_of, page, see
from shared.access import Principal
from shared.contracts.intake import Answer
from shared.language import gettext_noop
from shared.questionnaire import UNKNOWN, Questionnaire, load
from shared.service import Problem

router = APIRouter()

NOT_KNOWN = Answer(level=UNKNOWN)


@router.get("/{intake_id:uuid}/revise")
async def ask(request: Request, intake_id: UUID, staff: Sales) -> Response:
    """Every question with its present answer, to correct."""
    return await _page(request, staff, intake_id)


@router.post("/{intake_id:uuid}/revise")
async def revise(request: Request, intake_id: UUID, staff: Sales) -> Response:
    """Send the corrected answers in as the next revision."""
    form = await request.form()
    before = await _revisable(request, intake_id)
    questionnaire = load(before.questionnaire)
    answers, errors = _answers(form, questionnaire)
    changed = {
        question: answer for question, answer in answers.items() if answer != before.given.get(question, NOT_KNOWN)
    }
    if not errors and not changed:
        errors = {questionnaire.questions[0].id: gettext_noop("Nothing is changed yet. Change an answer, then send.")}
    if errors:
        return await _page(request, staff, intake_id, status=422, errors=errors, answers=answers)
    seen = str(form.get("seen", ""))
    try:
        async with database_of(request).transaction() as connection:
            await handlers.revise(connection, intake_id, changed, seen=int(seen) if seen.isdecimal() else 0)
    except RevisedMeanwhile as meanwhile:
        errors = {questionnaire.questions[0].id: str(meanwhile)}
        return await _page(request, staff, intake_id, status=409, errors=errors, answers=answers)
    except RevisionClosed as closed:
        raise _too_late(closed) from closed
    return see(f"{intake_id}?done=revised")


def _answers(form: FormData, questionnaire: Questionnaire) -> tuple[dict[str, Answer], dict[str, str]]:
    """What the form answers, and by question what to do where it answers none of the choices."""
    answers, errors = {}, {}
    for question in questionnaire.questions:
        level = str(form.get(question.id, ""))
        if questionnaire.refusals({question.id: level}):
            errors[question.id] = gettext_noop("Choose one of the answers on the page.")
            continue
        is_inferred = level != UNKNOWN and form.get(f"how-{question.id}") == "inferred"
        answers[question.id] = Answer(level=level, confidence="inferred" if is_inferred else "said")
    return answers, errors


async def _revisable(request: Request, intake_id: UUID) -> StoredRevision:
    async with database_of(request).connection() as connection:
        found = await intakes.status(connection, intake_id)
        if found is None:
            raise UnknownIntake
        try:
            check_revisable(found.state)
        except RevisionClosed as closed:
            raise _too_late(closed) from closed
        return await intakes.current_revision(connection, intake_id)


def _too_late(closed: RevisionClosed) -> Problem:
    return Problem(409, gettext_noop("Too late for a change"), str(closed))


async def _page(
    request: Request,
    staff: Principal,
    intake_id: UUID,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    answers: dict[str, Answer] | None = None,
) -> Response:
    current = await _revisable(request, intake_id)
    questionnaire = load(current.questionnaire)
    stored = {question.id: NOT_KNOWN for question in questionnaire.questions} | current.given
    return page(
        request,
        "revise.html",
        status=status,
        staff=staff,
        intake_id=intake_id,
        current=current,
        questionnaire=questionnaire,
        stored=stored,
        given=stored | (answers or {}),
        present=complete(current.given, questionnaire),
        errors=errors or {},
    )
