"""The pages of account managers: the queue, one case, and the decision on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from services.recommendation import handlers
from services.recommendation.domain.release import OUT
from services.recommendation.domain.review import DECIDED, WAITING, OutOfStep, Reviewer, ReviewRequest, Unfit
from services.recommendation.handlers import PLAYBOOKS, UnknownCase
from services.recommendation.store import cases
from services.recommendation.web import firmness, wording
from services.recommendation.web.releases import shown
from shared.access import Principal, requires
from shared.contracts.assessment import Assessment
from shared.contracts.recommendation import Decision, ProposalState
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED, load
from shared.service import Problem

MAX_FORM_BYTES = 65_536
TABS = ("all", "mine", "unassigned")
STATES: tuple[ProposalState, ...] = tuple(state for state in get_args(ProposalState) if state != "superseded")

router = APIRouter(prefix="/reviews", max_body_size=MAX_FORM_BYTES, include_in_schema=False)

Reader = Annotated[Principal, Depends(requires("sales", "account_manager"))]
AccountManager = Annotated[Principal, Depends(requires("account_manager"))]
Text = Annotated[str, Form()]
Version = Annotated[int, Form()]


@dataclass(frozen=True)
class Attempt:
    """A decision that did not go through: what was typed, by field, and what to do about it."""

    decision: Decision | None
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    moved_on: str = ""


@router.get("/")
async def queue(
    request: Request, staff: Reader, tab: str = "all", state: str = "", after: UUID | None = None
) -> HTMLResponse:
    """What waits for a decision, the longest first; or the proposals in one state, the closed ones latest first."""
    if tab not in TABS or state not in ("", *STATES):
        raise Problem(404, "There is no such list", "Go back to the reviews and choose one of the lists there.")
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        items = await cases.queue(
            connection,
            (state,) if state else WAITING,  # type: ignore[arg-type]  # it is one of STATES
            newest_first=bool(state) and state not in WAITING,
            assignee=staff.id if tab == "mine" else None,
            unassigned=tab == "unassigned",
            after=after,
        )
    return pages.render(
        request,
        "reviews/queue.html",
        staff=staff,
        items=items,
        playbook=PLAYBOOKS[PUBLISHED],
        worth_a_look=wording.worth_a_look,
        tab=tab,
        state=state,
        states=STATES,
        after=after,
        following=items[-1].intake_id if len(items) == cases.PAGE else None,
    )


@router.get("/{intake_id:uuid}")
async def case(request: Request, intake_id: UUID, staff: Reader) -> HTMLResponse:
    """One case: what is proposed, why, and the form to decide."""
    return await _case(request, intake_id, staff)


@router.post("/{intake_id:uuid}/claim")
async def claim(request: Request, intake_id: UUID, staff: AccountManager, version: Version) -> Response:
    """Take the review up."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            await handlers.take_up(connection, intake_id, version, _reviewer(staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise _nowhere() from refusal
    except OutOfStep as refusal:
        return await _case(request, intake_id, staff, Attempt(None, moved_on=str(refusal)), status=409)
    return _back_to(intake_id)


@router.post("/{intake_id:uuid}/approve")
async def approve(
    request: Request, intake_id: UUID, staff: AccountManager, version: Version, approval_note: Text = ""
) -> Response:
    """Let the proposal stand."""
    asked = {"decision": "approve", "version": version, "note": approval_note}
    return await _decide(request, intake_id, staff, asked, {"approval_note": approval_note})


@router.post("/{intake_id:uuid}/override")
async def override(
    request: Request,
    intake_id: UUID,
    staff: AccountManager,
    *,
    version: Version,
    model: Text = "",
    commercial_form: Text = "",
    reason_code: Text = "",
    override_note: Text = "",
) -> Response:
    """Put another model or form in the proposal's place."""
    chosen = {"model": model, "commercial_form": commercial_form, "reason_code": reason_code}
    given = {name: value or None for name, value in chosen.items()}
    asked = {"decision": "override", "version": version, "note": override_note, **given}
    return await _decide(request, intake_id, staff, asked, {**chosen, "override_note": override_note})


@router.post("/{intake_id:uuid}/return")
async def send_back(
    request: Request, intake_id: UUID, staff: AccountManager, version: Version, question: Text = ""
) -> Response:
    """Ask sales something before deciding."""
    asked = {"decision": "return", "version": version, "note": question}
    return await _decide(request, intake_id, staff, asked, {"question": question})


NOTE_FIELDS: dict[Decision, str] = {"approve": "approval_note", "override": "override_note", "return": "question"}


async def _decide(
    request: Request, intake_id: UUID, staff: Principal, asked: Mapping[str, Any], typed: Mapping[str, str]
) -> Response:
    """Record the decision and show the case again; what cannot stand is shown beside what was typed."""
    decision: Decision = asked["decision"]
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            review = ReviewRequest.model_validate(asked)
            await handlers.review(connection, intake_id, review, _reviewer(staff), datetime.now(UTC))
    except UnknownCase as refusal:
        raise _nowhere() from refusal
    except OutOfStep as refusal:
        attempt = Attempt(decision, typed, moved_on=str(refusal))
        return await _case(request, intake_id, staff, attempt, status=409)
    except (Unfit, ValidationError) as refusal:
        attempt = Attempt(decision, typed, _errors(refusal, NOTE_FIELDS[decision]))
        return await _case(request, intake_id, staff, attempt, status=422)
    return _back_to(intake_id)


def _errors(refusal: Unfit | ValidationError, note_field: str) -> dict[str, str]:
    """What to do about each field of the form."""
    if isinstance(refusal, Unfit):
        found = {refusal.field: str(refusal)}
    else:
        found = {
            str(fault["loc"][0]): fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "value_error"
            else "Choose one from the list."
            for fault in refusal.errors(include_url=False)
        }
    return {note_field if name == "note" else name: message for name, message in found.items()}


async def _case(
    request: Request, intake_id: UUID, staff: Principal, attempt: Attempt | None = None, status: int = 200
) -> HTMLResponse:
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        documents = await shown(request, connection, intake_id)
    if file is None:
        raise _nowhere()
    assessment = None if file.assessment is None else Assessment.model_validate(file.assessment)
    questionnaire = load(file.questionnaire or PUBLISHED)
    playbook = PLAYBOOKS[questionnaire.version]
    attempt = attempt or Attempt(None)
    reasons = {reason.code: reason.text for reason in playbook.override_reasons}
    models = [(model, offer.name) for model, offer in playbook.models.items()]
    forms = list(playbook.forms.items())
    words: dict[str, str] = dict([*models, *forms, *reasons.items()])
    return pages.render(
        request,
        "reviews/case.html",
        status=status,
        staff=staff,
        case=file,
        proposal=file.proposal,
        assessment=assessment,
        questionnaire=questionnaire,
        asks={rule.id: rule.ask for rule in questionnaire.contradictions},
        heading=wording.heading(file),
        leaning=wording.leaning(file),
        why_call=wording.WHY_CALL,
        turning_questions=firmness.of_questions(assessment) if assessment else [],
        turning_dimensions=firmness.of_dimensions(assessment) if assessment else [],
        beliefs=firmness.beliefs(assessment.central_weights) if assessment else [],
        blueprint=handlers.blueprint_of(file),
        columns=wording.COLUMNS,
        risk_levels=wording.RISK_LEVELS,
        playbook=playbook,
        models=models,
        forms=forms,
        reasons=reasons,
        decision=file.review if file.state in (*DECIDED, *OUT, "returned") else None,
        is_waiting=file.state in WAITING,
        may_decide=file.state in WAITING and staff.may("account_manager"),
        documents=documents,
        declined=wording.DECLINED,
        may_release=file.state in DECIDED and staff.may("account_manager"),
        attempt=attempt,
        entered=[words.get(value, value) for value in attempt.typed.values() if value],
    )


def _reviewer(staff: Principal) -> Reviewer:
    return Reviewer(staff.id, staff.name)


def _back_to(intake_id: UUID) -> RedirectResponse:
    return RedirectResponse(f"/reviews/{intake_id}", 303)


def _nowhere() -> Problem:
    return Problem(404, "There is no proposal here", "Check the address, or look for the case in the reviews.")
