"""Published: Goodwin and Wright, Decision Analysis, chapter 3 (the office); Barron and Barrett; the R package smaa."""

from fractions import Fraction
from typing import Literal

import pytest

from services.assessment.domain.elicitation import basis_points, rank_order_centroid, swing_weights, value_at
from services.assessment.domain.rubric import Rubric, ScoredQuestion, Values
from services.assessment.domain.scoring import assess
from shared.questionnaire import DimensionText, Level, Question, Questionnaire
from tests.assessment.published import RUBRIC, said

SWINGS = {"closeness": 100, "visibility": 80, "image": 70, "size": 30, "comfort": 20, "parking": 10}
PRINTED_WEIGHTS = dict(zip(SWINGS, (3200, 2600, 2300, 1000, 600, 300), strict=True))
TURNOVER = ("closeness", "visibility", "image")
ADDISON_SQUARE = dict(zip(SWINGS, (100, 60, 100, 75, 0, 90), strict=True))
ELTON_STREET = dict(zip(SWINGS, (40, 60, 90, 100, 60, 70), strict=True))


def test_swings_become_the_printed_weights() -> None:
    weights = swing_weights(list(SWINGS.values()))
    assert sum(weights) == 1
    assert [round(100 * weight) for weight in weights] == [32, 26, 23, 10, 6, 3]
    assert basis_points(weights) == [3226, 2581, 2258, 968, 645, 322]
    assert sum(basis_points(weights)) == 10_000


@pytest.mark.parametrize(
    ("count", "weights"),
    [
        (1, ["1"]),
        (2, ["3/4", "1/4"]),
        (3, ["11/18", "5/18", "1/9"]),
        (4, ["25/48", "13/48", "7/48", "1/16"]),
        (6, ["49/120", "29/120", "19/120", "37/360", "11/180", "1/36"]),
    ],
)
def test_a_ranking_becomes_its_centroid(count: int, weights: list[str]) -> None:
    assert rank_order_centroid(count) == [Fraction(weight) for weight in weights]


@pytest.mark.parametrize(
    ("cutoffs", "values", "outside", "points"),
    [
        ("-0.15 0.35", "0 1", "refuse", {"0.35": "1", "-0.15": "0", "0.1": "0.5"}),
        ("50 100", "1 0", "refuse", {"50": "1", "100": "0", "75": "0.5"}),
        ("-0.15 0 0.25 0.35", "0 0.1 0.9 1", "refuse", {"0.35": "1", "0": "0.1", "0.25": "0.9", "0.1": "0.42"}),
        ("50 75 90 100", "1 0.8 0.5 0", "refuse", {"50": "1", "60": "0.92", "75": "0.8", "90": "0.5", "100": "0"}),
        ("50 75 90 100", "1 0.8 0.5 0", "extend", {"10": "1.32", "40": "1.08", "101": "-0.05", "120": "-1"}),
        ("50 75 90 100", "1 0.8 0.5 0", "clip", {"10": "1", "40": "1", "101": "0", "120": "0"}),
        ("-0.15 0 0.25 0.35", "0 0.1 0.9 1", "clip", {"0.38": "1", "-0.2": "0"}),
    ],
)
def test_a_value_function_goes_straight_from_point_to_point(
    cutoffs: str, values: str, outside: Literal["refuse", "clip", "extend"], points: dict[str, str]
) -> None:
    at, worth = [Fraction(each) for each in cutoffs.split()], [Fraction(each) for each in values.split()]
    for x, value in points.items():
        assert value_at(Fraction(x), at, worth, outside) == Fraction(value)


def test_a_point_outside_a_value_function_is_refused_unless_it_says_otherwise() -> None:
    with pytest.raises(ValueError, match="49 lies outside 50 to 100"):
        value_at(Fraction(49), [Fraction(50), Fraction(100)], [Fraction(1), Fraction(0)])


def test_the_engine_reproduces_the_published_choice_of_an_office() -> None:
    """One axis for each of two offices: 80.8 for Addison Square, which leads above a turnover weight of 52.1."""
    questionnaire = Questionnaire(
        version="office",
        dimensions=(DimensionText(key="turnover", text="-"), DimensionText(key="working conditions", text="-")),
        questions=tuple(
            Question(
                id=name,
                dimension="turnover" if name in TURNOVER else "working conditions",
                text=name,
                why="-",
                levels=(Level(key="as_found", text="-"), Level(key="best", text="-")),
            )
            for name in SWINGS
        ),
        implications=(),
        contradictions=(),
    )
    rubric = Rubric(
        version="office",
        questionnaire="office",
        questions=tuple(
            ScoredQuestion(
                id=name,
                weight_bp=PRINTED_WEIGHTS[name],
                levels={
                    "as_found": Values(continuity=ADDISON_SQUARE[name], execution=ELTON_STREET[name]),
                    "best": Values(continuity=100, execution=100),
                },
            )
            for name in SWINGS
        ),
        rule=RUBRIC.rule,
    )
    assessment = assess(said(dict.fromkeys(SWINGS, "as_found")), rubric, questionnaire)
    assert (assessment.scores.continuity.value, assessment.scores.execution.value) == (80.8, 64.8)
    assert assessment.dimension_stability["turnover"] == pytest.approx(0.521, abs=0.001)
