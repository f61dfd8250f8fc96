from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommendation.web import firmness
from shared.contracts.assessment import CentralWeights
from tests.assessment.archetypes import SAAS_SCALE_UP, START_UP_MVP
from tests.assessment.published import RUBRIC, assessed
from tests.recommendation.situations import QUESTIONNAIRE, TYPICAL

LEVELS = {question.id: [level.key for level in question.levels] for question in QUESTIONNAIRE.questions}
WEIGHTS = {question.id: question.weight_bp / 10_000 for question in RUBRIC.questions}
DIMENSIONS = {
    dimension.key: sum(WEIGHTS.get(question.id, 0) for question in QUESTIONNAIRE.of_dimension(dimension.key))
    for dimension in QUESTIONNAIRE.dimensions
}


@given(st.fixed_dictionaries({question: st.sampled_from(levels) for question, levels in LEVELS.items()}))
def test_the_side_of_a_turning_point_is_the_one_on_which_todays_weight_does_not_lie(answers: dict[str, str]) -> None:
    assessment = assessed(answers)
    for points, weights in (
        (firmness.of_questions(assessment), WEIGHTS),
        (firmness.of_dimensions(assessment), DIMENSIONS),
    ):
        is_close = abs(assessment.margin.value or 0) < firmness.CERTAIN
        for point in points:
            assert point.side == ("at" if is_close else "above" if weights[point.about] < point.share else "below")


def test_what_must_weigh_more_comes_first_and_the_nearest_before_the_further() -> None:
    points = firmness.of_questions(assessed(TYPICAL["both"]))
    above = [point.share for point in points if point.side == "above"]
    below = [point.share for point in points if point.side == "below"]
    assert [point.share for point in points] == sorted(above) + sorted(below, reverse=True)
    assert above
    assert below


@pytest.mark.parametrize("points", [firmness.of_questions, firmness.of_dimensions])
def test_nothing_turns_while_an_answer_is_open(
    points: Callable[[object], list[firmness.TurningPoint]],
) -> None:
    assert points(assessed({"change_rate": "weekly"})) == []


def test_beliefs_are_the_questions_on_which_the_sides_differ_most() -> None:
    central = assessed(START_UP_MVP).central_weights
    assert central is not None
    assert central.continuity is not None
    assert central.execution is not None
    beliefs = firmness.beliefs(central)
    shown = [abs(belief.continuity - belief.execution) for belief in beliefs]
    assert len(beliefs) == firmness.BELIEFS
    assert shown == sorted(shown, reverse=True)
    others = central.continuity.keys() - {belief.question for belief in beliefs}
    assert min(shown) >= max(abs(central.continuity[other] - central.execution[other]) for other in others)


def test_there_is_nothing_to_believe_where_no_weighting_prefers_a_side() -> None:
    assert firmness.beliefs(None) == []
    assert firmness.beliefs(CentralWeights(continuity={"aim": 1.0}, execution=None)) == []
    assert assessed(SAAS_SCALE_UP).central_weights is not None
