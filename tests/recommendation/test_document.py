"""What a document says: of the proposal that stands, in words that need nothing else."""

from datetime import date

import pytest

from services.recommendation.domain.blueprint import compose
from services.recommendation.domain.document import RISKS, Basis, Content, draw_up
from services.recommendation.domain.proposal import Proposal, instead
from services.recommendation.handlers.playbooks import BLUEPRINTS
from shared.contracts.assessment import Assessment, Verdict
from shared.contracts.recommendation import CommercialForm, Model
from shared.questionnaire import PUBLISHED
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.assessment.published import assessed
from tests.recommendation.situations import NORDWIND, PLAYBOOK, QUESTIONNAIRE, TYPICAL, proposal_of

CHOICES = [(model, form) for model, offer in PLAYBOOK.models.items() for form in offer.forms]


def drawn(assessment: Assessment, proposal: Proposal) -> Content:
    blueprint = compose(
        proposal,
        assessment,
        NORDWIND,
        rules=BLUEPRINTS[PUBLISHED],
        playbook=PLAYBOOK,
        questionnaire=QUESTIONNAIRE,
    )
    basis = Basis(assessment, proposal, proposal_of(assessment).model, blueprint, QUESTIONNAIRE)
    return draw_up(basis, number=1, company=NORDWIND.name, reviewed_by="Anna Berg", day=date(2026, 11, 23))


def texts(said: Content) -> list[str]:
    """Every word of it, piece by piece."""
    lines = [*said.reasons, *(line for section in said.sections for line in section.lines)]
    cells = [cell for section in said.sections if section.table for row in section.table.rows for cell in row]
    headings = [said.heading, said.scores_say, *said.summary, *(section.heading for section in said.sections)]
    return [*headings, *cells, *(line.title for line in lines), *(line.text for line in lines)]


@pytest.mark.parametrize("verdict", TYPICAL)
@pytest.mark.parametrize(("model", "form"), CHOICES)
def test_whatever_a_reviewer_decides_has_a_whole_document(verdict: Verdict, model: Model, form: CommercialForm) -> None:
    assessment = assessed(TYPICAL[verdict])
    proposal = instead(model, form, assessment, PLAYBOOK, QUESTIONNAIRE)
    assert (proposal.model, proposal.commercial_form, proposal.strength) == (model, form, None)
    said = drawn(assessment, proposal)
    assert all(text.strip() and "{" not in text for text in texts(said))
    assert len(said.sections) > 3


def test_a_document_of_the_machines_proposal_says_how_surely_it_fits() -> None:
    assessment = assessed(SAAS_SCALE_UP)
    said = drawn(assessment, proposal_of(assessment))
    assert said.heading == "A dedicated team clearly fits your work"
    assert len(said.summary) == 1
    assert "Continuity leads by" in said.scores_say


def test_a_document_of_a_reviewers_model_says_where_the_answers_pointed() -> None:
    assessment = assessed(SAAS_SCALE_UP)
    said = drawn(assessment, instead("project_based", "milestones", assessment, PLAYBOOK, QUESTIONNAIRE))
    assert said.heading == "We recommend a project"
    assert said.summary[1] == (
        "Your answers by themselves point to a dedicated team. Anna Berg has read them and recommends a project."
    )


def test_the_reasons_are_those_of_the_model_that_is_recommended() -> None:
    assessment = assessed(SAAS_SCALE_UP)
    for model, form, side in (
        ("dedicated_team", "retainer", "continuity"),
        ("project_based", "milestones", "execution"),
    ):
        said = drawn(assessment, instead(model, form, assessment, PLAYBOOK, QUESTIONNAIRE))  # type: ignore[arg-type]
        asked = {QUESTIONNAIRE.question(one.question).text for one in assessment.reasons if one.side == side}
        assert {line.text for line in said.reasons} <= asked


def test_what_is_not_known_yet_is_said_as_a_range() -> None:
    assessment = assessed(TYPICAL["incomplete"])
    said = drawn(assessment, proposal_of(assessment))
    assert said.heading == "Let us talk first: too much is still open"
    assert "Your need for continuity is between" in said.scores_say


def test_the_risks_are_the_most_pressing_and_no_paper_of_the_work_itself_is_in_it() -> None:
    assessment = assessed(TYPICAL["both"])
    said = drawn(assessment, proposal_of(assessment))
    (risks,) = (section.table for section in said.sections if section.kind == "risk")
    assert risks is not None
    assert len(risks.rows) == RISKS
    assert "(high)" in risks.rows[0][0]
    assert not [section for section in said.sections if section.kind == "handoff"]
