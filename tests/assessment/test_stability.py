from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings

from services.assessment.domain.stability import crossing
from shared.questionnaire import UNKNOWN
from tests.assessment import reference
from tests.assessment.archetypes import SAAS_SCALE_UP, START_UP_MVP, Answers
from tests.assessment.cases import any_case, scored
from tests.assessment.published import QUESTIONNAIRE, assessed


def margin_with(levels: Answers, group: set[str]) -> Callable[[Fraction], Fraction]:
    """The margin when the group's share of the weight is t and all else stays in proportion."""
    inside = sum(reference.QUESTIONS[name]["weight_bp"] for name in group)
    whole = sum(question["weight_bp"] for question in reference.QUESTIONS.values())
    margins = {name: reference.contribution(name, levels[name]) for name in reference.QUESTIONS}

    def margin(share: Fraction) -> Fraction:
        more, less = share * Fraction(whole, inside), (1 - share) * Fraction(whole, whole - inside)
        return sum((margins[name] * (more if name in group else less) for name in margins), Fraction(0))

    return margin


def flip_by_bisection(margin: Callable[[Fraction], Fraction]) -> Fraction | None:
    low, high = Fraction(0), Fraction(1)
    if margin(low) * margin(high) >= 0:
        return None
    while high - low > Fraction(1, 2**20):
        middle = (low + high) / 2
        if margin(low) * margin(middle) <= 0:
            high = middle
        else:
            low = middle
    return high


@settings(deadline=None, max_examples=15)
@given(any_case)
def test_the_weight_at_which_the_side_flips_is_found_by_bisection_too(levels: Answers) -> None:
    assessment = assessed(levels)
    groups = [(assessment.stability, name, {name}) for name in scored]
    groups += [
        (assessment.dimension_stability, dimension.key, {one.id for one in QUESTIONNAIRE.of_dimension(dimension.key)})
        for dimension in QUESTIONNAIRE.dimensions
    ]
    for flips, name, group in groups:
        flip = flip_by_bisection(margin_with(levels, group))
        if flip is None:
            assert name not in flips
        else:
            assert flips[name] == pytest.approx(float(flip), abs=0.0001)


@settings(deadline=None, max_examples=15)
@given(any_case)
def test_the_sides_differ_on_either_side_of_the_flip(levels: Answers) -> None:
    for name, flip in assessed(levels).stability.items():
        margin = margin_with(levels, {name})
        beside = Fraction(1, 5000)
        before, after = (
            margin(max(Fraction(flip) - beside, Fraction(0))),
            margin(min(Fraction(flip) + beside, Fraction(1))),
        )
        assert before * after < 0


@pytest.mark.parametrize(
    ("inside", "outside", "flip"),
    [(268, -292, 0.5214), (1, -1, 0.5), (-1, 3, 0.75), (3, 1, None), (0, 5, None), (5, 0, None), (0, 0, None)],
)
def test_only_sides_that_differ_have_a_point_between(inside: int, outside: int, flip: float | None) -> None:
    """The first is published: Goodwin and Wright, Decision Analysis, chapter 3, turnover weight 52.1."""
    assert crossing(inside, outside) == flip


def test_a_weight_beyond_reach_is_not_named_and_none_is_while_an_answer_is_unknown() -> None:
    assert set(assessed(SAAS_SCALE_UP).stability) == {"cost_of_delay", "divisibility", "start"}
    assert assessed(SAAS_SCALE_UP).dimension_stability == {}
    unknown = assessed(START_UP_MVP | {"regulation": UNKNOWN})
    assert (unknown.stability, unknown.dimension_stability) == ({}, {})
