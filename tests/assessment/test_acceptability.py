from fractions import Fraction
from itertools import pairwise
from math import floor, prod, sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.assessment.domain.acceptability import leading_share, mean_weights
from services.assessment.domain.scale import scale_of
from shared.questionnaire import UNKNOWN
from tests.assessment.archetypes import ARCHETYPES, SAAS_SCALE_UP, START_UP_MVP, Answers
from tests.assessment.cases import scored
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, assessed

DRAWS = 200_000
some_differences = st.lists(st.integers(-1000, 1000), min_size=1, max_size=24)


def differences(levels: Answers) -> list[int]:
    scale = scale_of(RUBRIC, QUESTIONNAIRE)
    answers = scale.scored(QUESTIONNAIRE.completed(levels))
    return [scale.differences[question][level].low for question, level in answers.items()]


def uniform_weightings(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(4).dirichlet(np.ones(count), DRAWS)


@pytest.mark.parametrize(
    ("given_differences", "share"),
    [
        ([1, -1, 1], 0.75),
        ([1, 1, -1, -1], 0.5),
        ([1, 0, 0], 1.0),
        ([-1, 0, 0], 0.0),
        ([3, -1], 0.75),
        ([0, 0, 0], None),
        ([], None),
    ],
)
def test_the_share_of_a_simple_simplex_is_what_geometry_says(given_differences: list[int], share: float | None) -> None:
    assert leading_share(given_differences) == share


@given(st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=24, unique=True))
def test_the_share_is_the_partial_fractions_where_all_differences_differ(apart: list[int]) -> None:
    """The same volume by another route, exact in fractions; it needs differences that are all different."""
    exact = sum(
        (
            Fraction(one ** (len(apart) - 1), prod(one - other for other in apart if other != one))
            for one in apart
            if one > 0
        ),
        Fraction(0),
    )
    assert leading_share(apart) == (floor(exact * 10_000 + Fraction(1, 2)) / 10_000 if any(apart) else None)


@pytest.mark.parametrize("levels", ARCHETYPES.values(), ids=ARCHETYPES)
def test_share_and_central_weights_agree_with_sampling_within_four_standard_errors(levels: Answers) -> None:
    of_case = differences(levels)
    weightings = uniform_weightings(len(of_case))
    leads = weightings @ np.array(of_case) > 0
    share = leading_share(of_case)
    assert share is not None
    assert abs(leads.mean() - share) <= 4 * sqrt(share * (1 - share) / DRAWS) + 0.00005
    for side, where in ((of_case, leads), ([-one for one in of_case], ~leads)):
        if where.sum() > 1000:
            central = mean_weights(side)
            drawn = weightings[where]
            errors = 4 * drawn.std(axis=0) / sqrt(len(drawn)) + 0.0001
            assert (np.abs(drawn.mean(axis=0) - central) <= errors).all()


@given(some_differences, st.randoms(use_true_random=False))
def test_the_order_of_the_questions_changes_nothing(of_case: list[int], random: Random) -> None:
    places = list(range(len(of_case)))
    random.shuffle(places)
    moved = [of_case[place] for place in places]
    assert leading_share(moved) == leading_share(of_case)


@given(some_differences)
def test_the_two_sides_share_all_weightings(of_case: list[int]) -> None:
    shares = leading_share(of_case), leading_share([-one for one in of_case])
    if any(of_case):
        assert sum(share for share in shares if share is not None) == pytest.approx(1, abs=0.0001)
    else:
        assert shares == (None, None)


@given(some_differences)
def test_central_weights_add_up_to_1_and_prefer_their_side(of_case: list[int]) -> None:
    central = mean_weights(of_case)
    if max(of_case) <= 0:
        assert central is None
    else:
        assert central is not None
        assert sum(round(10_000 * weight) for weight in central) == 10_000
        exact_sum = sum(weight * one for weight, one in zip(central, of_case, strict=True))
        assert exact_sum > -0.0001 * sum(map(abs, of_case))
        by_difference = sorted(zip(of_case, central, strict=True))
        assert all(heavier >= lighter - 0.0001 for (_, lighter), (_, heavier) in pairwise(by_difference))


def test_a_side_that_never_wins_has_no_central_weights() -> None:
    """Published: R package smaa, nacw.R."""
    third = pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=0.0001)
    assert mean_weights([1, 1, 1]) == third
    assert mean_weights([-1, -1, -1]) is None
    assert mean_weights([0, 0, 0]) is None


def test_of_two_equal_pulls_the_one_that_wins_has_three_quarters() -> None:
    assert mean_weights([1, -1]) == [0.75, 0.25]


def test_an_assessment_says_both_and_nothing_while_an_answer_is_unknown() -> None:
    known = assessed(START_UP_MVP)
    assert known.acceptability is not None
    assert 0.5 < known.acceptability < 0.6
    assert known.central_weights is not None
    assert known.central_weights.continuity is not None
    assert list(known.central_weights.continuity) == scored
    unknown = assessed(START_UP_MVP | {"regulation": UNKNOWN})
    assert (unknown.acceptability, unknown.central_weights) == (None, None)


def test_believing_the_central_weights_of_the_other_side_would_prefer_it() -> None:
    central = assessed(SAAS_SCALE_UP).central_weights
    assert central is not None
    assert central.execution is not None
    weights = central.execution.values()
    assert sum(weight * one for weight, one in zip(weights, differences(SAAS_SCALE_UP), strict=True)) < 0
