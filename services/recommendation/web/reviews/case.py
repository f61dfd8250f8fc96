"""One case: what is proposed, why, and the form to decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.recommendation import handlers
from services.recommendation.domain.lines import EDITABLE
from services.recommendation.domain.release import OUT
from services.recommendation.domain.review import DECIDED, WAITING
from services.recommendation.handlers import PLAYBOOKS
from services.recommendation.store import cases
from services.recommendation.web import firmness, wording
from services.recommendation.web.callers import Reader
from services.recommendation.web.releases import shown
from shared.access import Principal
from shared.contracts.assessment import Assessment
from shared.contracts.recommendation import Decision
from shared.pages import Pages
from shared.postgres import Database
from shared.questionnaire import PUBLISHED, load
from shared.service import Problem

router = APIRouter()


@dataclass(frozen=True)
class Attempt:
    """A decision that did not go through: what was typed, by field, and what to do about it."""

    decision: Decision | None
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    moved_on: str = ""


@router.get("/{intake_id:uuid}")
async def case(request: Request, intake_id: UUID, staff: Reader) -> HTMLResponse:
    """One case: what is proposed, why, and the form to decide."""
    return await show(request, intake_id, staff)


async def show(
    request: Request, intake_id: UUID, staff: Principal, attempt: Attempt | None = None, status: int = 200
) -> HTMLResponse:
    """The page of a case, with what did not go through beside what was typed."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        documents = await shown(request, connection, intake_id)
    if file is None:
        raise nowhere()
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
        fields=wording.FIELDS,
        choices=wording.CHOICES,
        edited=wording.EDITED,
        may_edit=file.state in EDITABLE and staff.may("account_manager"),
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


def back_to(intake_id: UUID) -> RedirectResponse:
    """See the case as it is now."""
    return RedirectResponse(f"/reviews/{intake_id}", 303)


def nowhere() -> Problem:
    """The refusal to show a case that is not there."""
    return Problem(404, "There is no proposal here", "Check the address, or look for the case in the reviews.")
