import numpy as np
import pytest
from hypothesis import given, settings

from services.assessment.domain import robustness
from services.assessment.domain.rubric import as_published
from services.assessment.domain.scale import scale_of
from services.assessment.domain.weight_bank import VECTORS, bank_of
from shared.questionnaire import UNKNOWN
from tests.assessment import reference
from tests.assessment.archetypes import ARCHETYPES, HARD_DATE_THEN_ROADMAP, SAAS_SCALE_UP, Answers
from tests.assessment.cases import any_case, any_questions, without
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, assessed

SCALE = scale_of(RUBRIC, QUESTIONNAIRE)
WEIGHTS = tuple(SCALE.weights_bp.values())
BANK = bank_of(WEIGHTS)
ROWS = np.frombuffer(BANK.content, "<u2").reshape(VECTORS, len(WEIGHTS))


def differences(answers: Answers) -> list[int]:
    return [SCALE.differences[question][level].low for question, level in SCALE.scored(answers).items()]


@pytest.mark.parametrize("levels", ARCHETYPES.values(), ids=ARCHETYPES)
def test_robustness_counts_the_weightings_in_which_continuity_leads(levels: Answers) -> None:
    answers = QUESTIONNAIRE.completed(levels)
    added = differences(answers)
    leading = sum(
        sum(weight * difference for weight, difference in zip(row, added, strict=True)) > 0 for row in ROWS.tolist()
    )
    assert assessed(levels).robustness == leading / 10_000


def test_in_a_tie_continuity_does_not_lead() -> None:
    assert robustness.counts(np.zeros((1, len(WEIGHTS)), np.int64), SCALE) == [0]


def test_many_cases_at_once_count_like_one_by_one() -> None:
    """More cases than fit in one chunk, and not a multiple of it."""
    cases = [QUESTIONNAIRE.completed(levels) for levels in ARCHETYPES.values()] * 20
    rows = np.array([differences(answers) for answers in cases])[: robustness.CHUNK * 2 + 7]
    assert robustness.counts(rows, SCALE) == [robustness.vectors(answers, SCALE).low for answers in cases][: len(rows)]


@settings(deadline=None, max_examples=25)
@given(any_case, any_questions)
def test_the_fewest_and_the_most_weightings_are_those_of_some_completion(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    found = robustness.vectors(answers, SCALE)
    counts = robustness.counts(np.array([differences(each) for each in reference.completions(answers)]), SCALE)
    assert (found.low, found.high) == (min(counts), max(counts))


def test_robustness_is_not_given_while_an_answer_is_unknown() -> None:
    assert assessed(SAAS_SCALE_UP | {"regulation": UNKNOWN}).robustness is None


def test_both_needs_are_clear_by_the_margin_alone() -> None:
    assessment = assessed(HARD_DATE_THEN_ROADMAP)
    assert (assessment.verdict, assessment.strength) == ("both", "clear")
    assert assessment.robustness is not None
    assert 0.05 < assessment.robustness < 0.95


def test_an_assessment_and_the_published_rubric_name_the_bank() -> None:
    rule = as_published(RUBRIC, QUESTIONNAIRE)["rule"]
    assert rule["weight_bank"]["hash"] == assessed(SAAS_SCALE_UP).weight_bank == BANK.hash
