import pytest

from services.assessment.domain.rubric import Rubric, ScoredQuestion, Values
from services.assessment.domain.scoring import assess
from shared.contracts.assessment import Assessment, Strength, Verdict
from shared.questionnaire import UNKNOWN, DimensionText, Level, Question, Questionnaire
from tests.assessment.archetypes import ARCHETYPES, SAAS_SCALE_UP
from tests.assessment.published import RUBRIC, assessed, said

THIRD = {
    "neither": (0, 0),
    "some_continuity": (28, 0),
    "some_execution": (0, 28),
    "continuity": (100, 0),
    "execution": (0, 100),
}


def on_plain_axes(
    continuity: int,
    execution: int,
    third: str = "neither",
    third_weight_bp: int = 2000,
    *,
    silent: bool = False,
    robustness_for_clear: int = 51,
) -> Assessment:
    """Assess one question per axis, whose level keys are percent, beside a third that can add to either or is silent.

    With a silent third question the two percentages are the scores. Most weightings are enough for `clear`, so that
    the margin decides.
    """
    shares = {
        "continuity": {str(share): (share, 0) for share in range(101)},
        "execution": {str(share): (0, share) for share in range(101)},
        "third": dict.fromkeys(THIRD, (0, 0)) if silent else THIRD,
    }
    weights = {"continuity": (10_000 - third_weight_bp) // 2, "third": third_weight_bp}
    weights["execution"] = 10_000 - sum(weights.values())
    questionnaire = Questionnaire(
        version="plain",
        dimensions=(DimensionText(key="All", text="Everything"),),
        questions=tuple(
            Question(
                id=name, dimension="All", text=name, why=name, levels=tuple(Level(key=key, text=key) for key in levels)
            )
            for name, levels in shares.items()
        ),
        implications=(),
        contradictions=(),
    )
    rubric = Rubric(
        version="plain",
        questionnaire="plain",
        questions=tuple(
            ScoredQuestion(
                id=name,
                weight_bp=weights[name],
                levels={key: Values(continuity=one, execution=other) for key, (one, other) in levels.items()},
            )
            for name, levels in shares.items()
        ),
        rule=RUBRIC.rule.model_copy(update={"robustness_for_clear": robustness_for_clear}),
    )
    answers = {"continuity": str(continuity), "execution": str(execution), "third": third}
    return assess(said(answers), rubric, questionnaire)


@pytest.mark.parametrize(
    ("continuity", "execution", "verdict", "strength"),
    [
        (60, 60, "both", "clear"),
        (60, 59, "unclear", None),
        (71, 60, "both", "clear"),
        (72, 60, "both", "leaning"),
        (79, 60, "both", "leaning"),
        (80, 60, "continuity", "leaning"),
        (84, 60, "continuity", "clear"),
        (57, 45, "continuity", "leaning"),
        (56, 45, "unclear", None),
        (45, 33, "continuity", "leaning"),
        (44, 32, "unclear", None),
        (44, 0, "unclear", None),
        (69, 45, "continuity", "clear"),
        (68, 45, "continuity", "leaning"),
        (100, 0, "continuity", "clear"),
        (100, 100, "both", "clear"),
        (0, 0, "unclear", None),
    ],
)
def test_standing_at_a_threshold_reaches_it_on_either_side(
    continuity: int, execution: int, verdict: Verdict, strength: Strength | None
) -> None:
    mirrored: dict[Verdict, Verdict] = {"continuity": "execution"}
    one = on_plain_axes(continuity, execution, silent=True)
    other = on_plain_axes(execution, continuity, silent=True)
    assert (one.verdict, one.strength) == (verdict, strength)
    assert (other.verdict, other.strength) == (mirrored.get(verdict, verdict), strength)


@pytest.mark.parametrize(("unknown_weight_bp", "verdict"), [(2000, "continuity"), (2001, "incomplete")])
def test_four_fifths_of_the_weight_must_be_answered(unknown_weight_bp: int, verdict: Verdict) -> None:
    assessment = on_plain_axes(90, 10, UNKNOWN, unknown_weight_bp, silent=True)
    assert assessment.verdict == verdict
    assert assessment.answered_weight == 1 - unknown_weight_bp / 10_000


@pytest.mark.parametrize(
    ("continuity", "execution", "third_weight_bp", "verdict", "strength"),
    [
        (100, 0, 2000, "continuity", "clear"),
        (100, 10, 2000, "continuity", "clear"),
        (100, 20, 2000, "continuity", "leaning"),
        (100, 40, 2000, "incomplete", None),
        (100, 60, 1000, "incomplete", None),
        (100, 90, 2000, "incomplete", None),
        (100, 100, 1000, "both", "leaning"),
        (100, 100, 500, "both", "clear"),
        (40, 40, 500, "unclear", None),
        (30, 10, 1000, "unclear", None),
        (55, 40, 1000, "incomplete", None),
    ],
)
def test_one_unknown_answer_settles_or_opens_the_verdict_on_either_side(
    continuity: int, execution: int, third_weight_bp: int, verdict: Verdict, strength: Strength | None
) -> None:
    mirrored: dict[Verdict, Verdict] = {"continuity": "execution"}
    one = on_plain_axes(continuity, execution, UNKNOWN, third_weight_bp)
    other = on_plain_axes(execution, continuity, UNKNOWN, third_weight_bp)
    assert (one.verdict, one.strength) == (verdict, strength)
    assert (other.verdict, other.strength) == (mirrored.get(verdict, verdict), strength)


@pytest.mark.parametrize(("other", "strength"), [(60, "leaning"), (20, "clear")])
def test_a_wide_margin_is_clear_only_while_nearly_all_plausible_weightings_agree(
    other: int, strength: Strength
) -> None:
    """Three questions leave much to their weights: with 84 to 60 one in eight weightings turns the result round."""
    one = on_plain_axes(84, other, silent=True, robustness_for_clear=95)
    mirrored = on_plain_axes(other, 84, silent=True, robustness_for_clear=95)
    assert (one.verdict, one.strength) == ("continuity", strength)
    assert (mirrored.verdict, mirrored.strength) == ("execution", strength)
    assert one.robustness is not None
    assert mirrored.robustness is not None
    assert (one.robustness >= 0.95) == (mirrored.robustness <= 0.05) == (strength == "clear")


@pytest.mark.parametrize(("third", "strength"), [("continuity", "clear"), (UNKNOWN, "leaning")])
def test_with_an_unknown_answer_the_weightings_must_agree_however_it_falls(third: str, strength: Strength) -> None:
    assessment = on_plain_axes(100, 10, third, robustness_for_clear=95)
    assert (assessment.verdict, assessment.strength) == ("continuity", strength)
    assert on_plain_axes(100, 10, third).strength == "clear"


def test_points_are_rounded_half_up() -> None:
    """The third question reaches 28 of 100 percent with 2800 of 6400 basis points: 12.25 exactly."""
    one, other = on_plain_axes(0, 0, "some_continuity", 2800), on_plain_axes(0, 0, "some_execution", 2800)
    assert (one.scores.continuity.value, one.margin.value) == (12.3, 12.3)
    assert (other.scores.execution.value, other.margin.value) == (12.3, -12.2)


@pytest.mark.parametrize(
    ("archetype", "continuity", "execution", "verdict", "strength"),
    [
        ("deadline migration", 15, 90, "execution", "clear"),
        ("SaaS scale-up", 91, 12, "continuity", "clear"),
        ("audited bank platform", 83, 31, "continuity", "clear"),
        ("marketing site", 9, 77, "execution", "clear"),
        ("hard date, then a roadmap", 70, 71, "both", "clear"),
        ("start-up MVP", 51, 49, "unclear", None),
        ("vague small job", 21, 42, "unclear", None),
        ("middle of everything", 57, 51, "unclear", None),
    ],
)
def test_a_known_situation_comes_out_as_agreed(
    archetype: str, continuity: int, execution: int, verdict: Verdict, strength: Strength | None
) -> None:
    assessment = assessed(ARCHETYPES[archetype])
    assert (assessment.verdict, assessment.strength) == (verdict, strength)
    assert assessment.scores.continuity.value == pytest.approx(continuity, abs=4)
    assert assessment.scores.execution.value == pytest.approx(execution, abs=4)


@pytest.mark.parametrize(
    "question", ["aim", "horizon", "requirements", "change_rate", "success_measure", "overrun_risk"]
)
def test_without_a_key_answer_it_is_incomplete(question: str) -> None:
    assessment = assessed(SAAS_SCALE_UP | {question: UNKNOWN})
    assert (assessment.verdict, assessment.strength) == ("incomplete", None)
    assert assessment.answered_weight > 0.8


def test_a_verdict_that_unknown_answers_could_change_is_not_given() -> None:
    near = ARCHETYPES["start-up MVP"] | {"cost_of_delay": "nothing_much", "start": "over_2_months"}
    open_questions = ("live_service", "operator", "vendor_people")
    settled, open_ended = assessed(near), assessed(near | dict.fromkeys(open_questions, UNKNOWN))
    assert settled.verdict == "unclear"
    assert open_ended.verdict == "incomplete"
    assert open_ended.margin.low < 12 <= open_ended.margin.high


@pytest.mark.parametrize(
    ("archetype", "verdict"),
    [("SaaS scale-up", "continuity"), ("hard date, then a roadmap", "both"), ("start-up MVP", "unclear")],
)
def test_a_verdict_that_holds_either_way_is_given(archetype: str, verdict: Verdict) -> None:
    assert assessed(ARCHETYPES[archetype] | {"regulation": UNKNOWN}).verdict == verdict


def test_a_hard_contradiction_is_contradictory() -> None:
    assessment = assessed(SAAS_SCALE_UP | {"price_rule": "mandatory"})
    assert (assessment.verdict, assessment.strength) == ("contradictory", None)
    assert [check.model_dump() for check in assessment.checks] == [
        {"id": "fixed_price_from_rolling_budget", "severity": "hard", "questions": ("funding", "price_rule")}
    ]


def test_an_unknown_answer_does_not_hold_a_verdict_back_because_it_could_contradict_another() -> None:
    assert assessed(SAAS_SCALE_UP | {"price_rule": UNKNOWN}).verdict == "continuity"


def test_three_soft_contradictions_are_contradictory_and_two_are_not() -> None:
    two = SAAS_SCALE_UP | {"end_event": "signed_off", "priority_owner": "nobody"}
    three = two | {"funding": "fixed_sum"}
    assert (assessed(two).verdict, len(assessed(two).checks)) == ("continuity", 2)
    assert (assessed(three).verdict, len(assessed(three).checks)) == ("contradictory", 3)


def test_what_is_missing_comes_before_what_contradicts_and_both_are_listed() -> None:
    assessment = assessed(SAAS_SCALE_UP | {"price_rule": "mandatory", "aim": UNKNOWN})
    assert assessment.verdict == "incomplete"
    assert [check.id for check in assessment.checks] == ["fixed_price_from_rolling_budget"]
    assert assessment.unknown == ("aim",)
