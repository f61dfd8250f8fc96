"""One case: what is proposed, why, and the form to decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Self, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.recommendation.domain.assignment import Absence, is_overdue
from services.recommendation.domain.lines import may_edit
from services.recommendation.domain.offer import forbidden, vetoes_on
from services.recommendation.domain.playbook import Playbook, Veto
from services.recommendation.domain.release import OUT, SHAREABLE
from services.recommendation.domain.review import DECIDED, WAITING, Reviewer, Sequel
from services.recommendation.handlers.lines import blueprint_of
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import cases, colleagues, similar
from services.recommendation.store import queue as queues
from services.recommendation.store.cases import CaseFile
from services.recommendation.web import firmness, wording
from services.recommendation.web.callers import Reader
from services.recommendation.web.releases import shown
from services.recommendation.web.reviews.history import history, lately
from services.recommendation.web.reviews.lists import Listed, Listing
from services.recommendation.web.since import since_release
from shared.access import Principal
from shared.contracts.assessment import Assessment
from shared.pages import Pages
from shared.postgres import Database
from shared.promise import answer_due
from shared.questionnaire import PUBLISHED, load
from shared.service import Problem

Step: TypeAlias = Literal["approve", "override", "return", "assign", "confirm", "refuse", "undo"]

router = APIRouter()


@dataclass(frozen=True)
class Attempt:
    """A step that did not go through: what was typed, by field, and what to do about it."""

    step: Step | None
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    moved_on: str = ""

    def moved(self, why: str) -> Self:
        """The case had changed meanwhile."""
        return replace(self, moved_on=why)

    def unfit(self, errors: Mapping[str, str]) -> Self:
        """Fields need something else."""
        return replace(self, errors=errors)


@router.get("/{intake_id:uuid}")
async def case(request: Request, intake_id: UUID, staff: Reader, listing: Listed) -> HTMLResponse:
    """One case: what is proposed, why, and the form to decide."""
    return await show(request, intake_id, staff, listing)


async def show(
    request: Request,
    intake_id: UUID,
    staff: Principal,
    listing: Listing,
    attempt: Attempt | None = None,
    *,
    status: int = 200,
) -> HTMLResponse:
    """The page of a case within its list, with what did not go through beside what was typed."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    now = datetime.now(UTC)
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        documents = await shown(request, connection, intake_id)
        absences = await colleagues.absences(connection, now.date())
        previous, following = await queues.beside(connection, listing.wanted(staff, absences), intake_id)
        managers = await colleagues.account_managers(connection)
        alike = [] if file is None else await similar.nearest_to(connection, file)
        since = await since_release(connection, intake_id, documents)
    if file is None:
        raise nowhere()
    assessment = None if file.assessment is None else Assessment.model_validate(file.assessment)
    questionnaire = load(file.questionnaire or PUBLISHED)
    playbook = PLAYBOOKS[questionnaire.version]
    attempt = attempt or Attempt(None)
    may = _steps(file, staff)
    reasons = {reason.code: reason.text for reason in playbook.override_reasons}
    models = [(model, offer.name) for model, offer in playbook.models.items()]
    forms = list(playbook.forms.items())
    choices = [(str(one.id), _called(one, absences)) for one in managers if one.id not in file.authors]
    words: dict[str, str] = dict([*models, *forms, *reasons.items(), *choices])
    return pages.render(
        request,
        "reviews/case.html",
        status=status,
        staff=staff,
        now=now,
        listing=listing,
        previous=previous,
        following=following,
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
        blueprint=blueprint_of(file),
        similar=alike,
        columns=wording.COLUMNS,
        fields=wording.FIELDS,
        choices=wording.CHOICES,
        edited=wording.EDITED,
        may_edit=may_edit(file.state, file.authors, staff.id) and staff.may("account_manager"),
        playbook=playbook,
        models=models,
        forms=forms,
        reasons=reasons,
        decision=file.review if file.state in (*DECIDED, *OUT, "returned") else None,
        refused=_refused(file),
        history=history(file),
        lately=lately(file) if attempt.moved_on and file.state in WAITING and not file.waiting else None,
        is_waiting=file.state in WAITING,
        is_overdue=is_overdue(file.state, file.proposed_at, now) if file.proposed_at else False,
        due_at=answer_due(file.proposed_at) if file.proposed_at else None,
        may_work=staff.may("account_manager"),
        is_author=staff.id in file.authors,
        may_decide="approve" in may,
        may_return="return" in may,
        may_give="assign" in may,
        may_sign="confirm" in may,
        may_undo="undo" in may,
        keeps_entered=attempt.step in may,
        managers=choices,
        ruled_out=_ruled_out(file, playbook),
        second_hint=_second_hint(file, playbook),
        absences=absences,
        documents=documents,
        since=since,
        outcome_words=wording.OUTCOMES,
        due_words=wording.DUE,
        declined=wording.DECLINED,
        may_release=file.state in DECIDED and staff.may("account_manager"),
        may_share=file.state in SHAREABLE and staff.may("account_manager"),
        attempt=attempt,
        entered=[words.get(value, value) for value in attempt.typed.values() if value],
    )


def _steps(file: CaseFile, staff: Principal) -> set[Step]:
    """What the reader may do with the case as it is."""
    if not staff.may("account_manager"):
        return set()
    if file.state in DECIDED:
        return {"undo"}
    if file.state not in WAITING:
        return set()
    is_author = staff.id in file.authors
    if file.waiting is None:
        return {"assign", "return"} if is_author else {"assign", "return", "approve", "override"}
    may_sign = staff.is_person and not is_author and file.waiting.by.id != staff.id
    return {"assign", "undo", "confirm", "refuse"} if may_sign else {"assign", "undo"}


def _refused(file: CaseFile) -> Sequel | None:
    """Why the last decision does not hold, where a second person refused to sign it and nobody has decided since."""
    decision = file.reviews[0] if file.reviews and file.state in WAITING else None
    if decision is None or decision.revision != file.revision or decision.standing != "refused":
        return None
    return decision.sequels[-1]


def _called(colleague: Reviewer, absences: Mapping[UUID, Absence]) -> str:
    absence = absences.get(colleague.id)
    return f"{colleague.name} (away, {absence.deputy.name} gets it)" if absence else colleague.name


def _levels(file: CaseFile) -> dict[str, str]:
    answers = (file.assessment or {}).get("answers", {})
    return {question: answer["level"] for question, answer in answers.items()}


def _ruled_out(file: CaseFile, playbook: Playbook) -> list[Veto]:
    """The vetoes that the decision waiting for a second person goes against."""
    return vetoes_on(file.waiting.model, _levels(file), playbook) if file.waiting else []


def _second_hint(file: CaseFile, playbook: Playbook) -> str:
    """Which models a second person would have to sign."""
    answers = _levels(file)
    names = [offer.name for model, offer in playbook.models.items() if answers and forbidden(model, answers, playbook)]
    return f"Ruled out by a veto, so a second person has to sign: {' and '.join(names)}." if names else ""


def back_to(intake_id: UUID, listing: Listing) -> RedirectResponse:
    """See the case as it is now, in the list that it was opened from."""
    return RedirectResponse(f"/reviews/{intake_id}{listing.query}", 303)


def nowhere() -> Problem:
    """The refusal to show a case that is not there."""
    return Problem(404, "There is no proposal here", "Check the address, or look for the case in the reviews.")
