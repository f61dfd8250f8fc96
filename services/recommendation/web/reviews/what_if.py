"""What if other answers had been given: a sandbox beside the real result, which nothing of it ever reaches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.recommendation.domain.playbook import Playbook
from services.recommendation.domain.proposal import Proposal, propose
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import cases
from services.recommendation.web import wording
from services.recommendation.web.callers import Reader
from services.recommendation.web.reviews.case import nowhere
from shared.contracts.assessment import Assessment, Score, Verdict
from shared.contracts.intake import Answer
from shared.pages import Pages
from shared.pages.formats import number, words
from shared.postgres import Database
from shared.questionnaire import PUBLISHED, Questionnaire, load
from shared.service import Problem
from shared.service.preview import NoPreview, preview

VERDICTS: dict[Verdict, str] = {
    "continuity": "Continuity",
    "execution": "Execution",
    "both": "Both",
    "unclear": "Too close to call",
    "incomplete": "Not enough answers",
    "contradictory": "Answers do not fit together",
}

router = APIRouter()


@dataclass(frozen=True)
class Compared:
    """One part of the result as it is and as it would be."""

    label: str
    real: str
    other: str

    @property
    def differs(self) -> bool:
        """True where the changed answers make a difference."""
        return self.real != self.other


@router.get("/{intake_id:uuid}/what-if")
async def what_if(request: Request, intake_id: UUID, staff: Reader) -> Response:
    """The result of a case beside that of its answers with the changes that the address names, a level per question."""
    database: Database = request.app.state.database
    pages: Pages = request.app.state.pages
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    if file is None:
        raise nowhere()
    if file.proposal is None or file.assessment is None:
        raise Problem(410, "This case was erased on request", "There are no answers left to try others instead.")
    real = Assessment.model_validate(file.assessment)
    questionnaire = load(file.questionnaire or PUBLISHED)
    changes = _changes(request.query_params, real, questionnaire)
    if changes != dict(request.query_params):
        return RedirectResponse(f"{request.url.path}?{urlencode(changes)}" if changes else request.url.path, 303)
    other: Assessment | None = None
    if changes and questionnaire.version == PUBLISHED:
        try:
            other = await preview(request, _changed(real, changes))
        except NoPreview:
            other = None
    playbook = PLAYBOOKS[questionnaire.version]
    compared: list[Compared] = []
    if other is not None:
        proposed = propose(other, playbook, questionnaire)
        pairs = zip(_told(real, file.proposal, playbook), _told(other, proposed, playbook), strict=True)
        compared = [Compared(label, one, another) for (label, one), (_, another) in pairs]
    return pages.render(
        request,
        "reviews/what_if.html",
        staff=staff,
        case=file,
        real=real,
        other=other,
        compared=compared,
        changes=changes,
        questionnaire=questionnaire,
        can_ask=questionnaire.version == PUBLISHED,
    )


def _changes(asked: Mapping[str, str], real: Assessment, questionnaire: Questionnaire) -> dict[str, str]:
    """The answers that are other ones of the questionnaire than were given."""
    refused = questionnaire.refusals(dict(asked))
    return {
        question.id: asked[question.id]
        for question in questionnaire.questions
        if question.id in asked and question.id not in refused and asked[question.id] != real.answers[question.id].level
    }


def _changed(real: Assessment, changes: Mapping[str, str]) -> dict[str, Answer]:
    return {**real.answers, **{question: Answer(level=level) for question, level in changes.items()}}


def _told(assessment: Assessment, proposal: Proposal, playbook: Playbook) -> Iterator[tuple[str, str]]:
    """A result in words, part by part and always the same parts."""
    kind = f": {wording.WHY_CALL[proposal.kind]}" if proposal.kind else ""
    yield "Proposal", playbook.models[proposal.model].name + wording.HOW_SURELY[proposal.strength] + kind
    yield "How it is paid", playbook.forms[proposal.commercial_form]
    yield "A second line", playbook.forms[proposal.second_line] if proposal.second_line else "None"
    yield "In which order", ", ".join(stage.name for stage in proposal.staging) or "All at once"
    yield "Ruled out by", _named(proposal.vetoes)
    yield "On conditions", _named(proposal.conditions)
    yield "Verdict", VERDICTS[assessment.verdict]
    yield "Continuity", _points(assessment.scores.continuity)
    yield "Execution", _points(assessment.scores.execution)
    yield "Margin towards continuity", _points(assessment.margin)
    yield "Contradictions", _named(check.id for check in assessment.checks)
    yield "Open answers", str(len(assessment.unknown))


def _named(keys: Iterator[str] | tuple[str, ...]) -> str:
    return ", ".join(words(key) for key in keys) or "None"


def _points(score: Score) -> str:
    if score.value is None:
        return f"{number(score.low)} to {number(score.high)}"
    return number(score.value)
