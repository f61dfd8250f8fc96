from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import UnheardAnswer, assess
from shared.contracts.assessment import Assessment, Score
from shared.contracts.intake import Answer
from shared.questionnaire import PUBLISHED, UNKNOWN
from tests.assessment import reference
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP
from tests.assessment.cases import any_case, any_questions, ids, near_an_archetype, scored, without
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, RUBRIC_TEXT, assessed, said

RUBRIC_READ_AGAIN = parse(RUBRIC_TEXT, QUESTIONNAIRE)

unhurried = settings(deadline=None)

key_questions = {question.id for question in QUESTIONNAIRE.questions if question.key_question}


def scores_of(assessment: Assessment) -> list[Score]:
    """The three scores of the whole, then those of each dimension."""
    groups = [(assessment.scores, assessment.margin)]
    groups += [(dimension.scores, dimension.margin) for dimension in assessment.dimensions]
    return [score for scores, margin in groups for score in (scores.continuity, scores.execution, margin)]


def groups_of_questions() -> list[list[str]]:
    return [ids] + [
        [question.id for question in QUESTIONNAIRE.of_dimension(dimension.key)]
        for dimension in QUESTIONNAIRE.dimensions
    ]


@unhurried
@given(any_case)
def test_scores_and_verdict_agree_with_exact_fractions(levels: dict[str, str]) -> None:
    assessment = assessed(levels)
    expected = []
    for questions in groups_of_questions():
        points = reference.points(levels, questions)
        expected += [reference.shown(exact) for exact in (points.continuity, points.execution, points.margin)]
    assert [score.value for score in scores_of(assessment)] == expected
    assert [(score.low, score.high) for score in scores_of(assessment)] == [(value, value) for value in expected]
    assert assessment.verdict == reference.verdict(levels)


@unhurried
@given(any_case, any_questions)
def test_the_ends_of_an_interval_are_the_least_and_the_most_of_all_completions(
    levels: dict[str, str], dropped: set[str]
) -> None:
    answers = without(levels, dropped)
    points = [reference.points(completion, ids) for completion in reference.completions(answers)]
    assessment = assessed(answers)
    assert [(score.low, score.high) for score in (*vars(assessment.scores).values(), assessment.margin)] == [
        (reference.shown(min(exact)), reference.shown(max(exact)))
        for exact in (
            [point.continuity for point in points],
            [point.execution for point in points],
            [point.margin for point in points],
        )
    ]


@unhurried
@given(near_an_archetype(), st.sets(st.sampled_from(ids).filter(lambda name: name not in key_questions), max_size=3))
def test_a_verdict_given_with_unknown_answers_holds_for_every_consistent_completion(
    levels: dict[str, str], dropped: set[str]
) -> None:
    answers = without(levels, dropped)
    assessment = assessed(answers)
    assume(assessment.verdict != "incomplete")
    completed = [assessed(completion) for completion in reference.completions(answers)]
    if assessment.verdict != "contradictory":
        completed = [each for each in completed if each.verdict != "contradictory"]
        assume(completed)
    assert {each.verdict for each in completed} == {assessment.verdict}
    firmest = "clear" if all(each.strength == "clear" for each in completed) else "leaning"
    assert assessment.strength == (firmest if completed[0].strength else None)


@unhurried
@given(any_case, st.sampled_from(ids), any_questions)
def test_an_unknown_answer_widens_the_intervals_and_filling_it_lands_inside(
    levels: dict[str, str], question: str, dropped: set[str]
) -> None:
    before = without(levels, dropped - {question})
    after = without(levels, dropped | {question})
    assume(after[question] == UNKNOWN)
    for narrow, wide in zip(scores_of(assessed(before)), scores_of(assessed(after)), strict=True):
        assert wide.low <= narrow.low <= narrow.high <= wide.high


@unhurried
@given(any_case, any_questions, st.sampled_from(ids), st.data())
def test_a_level_with_more_continuity_and_no_more_execution_never_lowers_the_margin(
    levels: dict[str, str], dropped: set[str], question: str, data: st.DataObject
) -> None:
    values = reference.VALUES[question]
    steps = [
        (lower, higher)
        for lower in values
        for higher in values
        if values[higher]["continuity"] >= values[lower]["continuity"]
        and values[higher]["execution"] <= values[lower]["execution"]
    ]
    lower, higher = data.draw(st.sampled_from(steps))
    answers = without(levels, dropped | {question})
    before, after = assessed(answers | {question: lower}).margin, assessed(answers | {question: higher}).margin
    assert before.low <= after.low
    assert before.high <= after.high


@unhurried
@given(any_case, any_questions)
def test_the_known_contributions_add_up_exactly(levels: dict[str, str], dropped: set[str]) -> None:
    answers = without(levels, dropped)
    assessment = assessed(answers)
    known = [one for one in assessment.contributions if one.answer != UNKNOWN]
    exact = {one.question: reference.contribution(one.question, one.answer) for one in known}
    added = sum((Decimal(str(one.margin)) for one in known), Decimal(0))
    assert added == Decimal(str(reference.shown(sum(exact.values(), Fraction(0)))))
    if assessment.margin.value is not None:
        assert added == Decimal(str(assessment.margin.value))
    for one in known:
        assert one.margin is not None
        assert one.low <= one.margin <= one.high
        assert abs(one.margin - exact[one.question]) < 0.1
    assert all(one.margin is None for one in assessment.contributions if one.answer == UNKNOWN)


def test_each_contribution_comes_with_the_least_and_most_its_question_could_add() -> None:
    ends = []
    for question in map(QUESTIONNAIRE.question, scored):
        every = [10 * reference.contribution(question.id, level.key) for level in question.levels]
        ends.append((question.id, question.dimension, floor(min(every)) / 10, ceil(max(every)) / 10))
    for levels in (SAAS_SCALE_UP, {}):
        contributions = assessed(levels).contributions
        assert [(one.question, one.dimension, one.low, one.high) for one in contributions] == ends


@unhurried
@given(any_case, any_questions)
def test_the_reasons_are_the_answers_farthest_from_their_questions_mean(
    levels: dict[str, str], dropped: set[str]
) -> None:
    answers = without(levels, dropped)
    distances = []
    for question in scored:
        if answers[question] != UNKNOWN:
            all_levels = [reference.contribution(question, level) for level in reference.VALUES[question]]
            distance = reference.contribution(question, answers[question]) - sum(all_levels, Fraction(0)) / len(
                all_levels
            )
            distances.append((question, distance))
    distances.sort(key=lambda pair: -abs(pair[1]))
    given_reasons = assessed(answers).reasons
    for side, sign in (("continuity", 1), ("execution", -1)):
        expected = [
            (question, answers[question], reference.shown(sign * distance))
            for question, distance in distances
            if reference.shown(sign * distance) > 0
        ]
        found = [(reason.question, reason.answer, reason.points) for reason in given_reasons if reason.side == side]
        assert found == expected[:4]
    assert [reason.points for reason in given_reasons] == sorted((r.points for r in given_reasons), reverse=True)


@unhurried
@given(any_case, any_questions, st.randoms(use_true_random=False))
def test_neither_the_order_of_the_answers_nor_a_second_reading_of_the_rubric_changes_a_byte(
    levels: dict[str, str], dropped: set[str], random: Random
) -> None:
    answers = list(without(levels, dropped).items())
    once = assessed(dict(answers)).model_dump_json()
    random.shuffle(answers)
    assert assess(said(dict(answers)), RUBRIC_READ_AGAIN, QUESTIONNAIRE).model_dump_json() == once


def test_with_nothing_answered_everything_is_open() -> None:
    assessment = assess({}, RUBRIC, QUESTIONNAIRE)
    assert (assessment.verdict, assessment.strength, assessment.answered_weight) == ("incomplete", None, 0)
    assert all(score.value is None for score in scores_of(assessment))
    assert assessment.scores.continuity == Score(value=None, low=0, high=100)
    # Steady growth, a long horizon and outcomes each keep a tenth of their weight on execution.
    assert assessment.scores.execution == Score(value=None, low=2.6, high=100)
    assert assessment.reasons == ()
    assert set(assessment.answers.values()) == {Answer(level=UNKNOWN)}


def test_a_dimension_keeps_its_value_while_only_another_has_an_unknown_answer() -> None:
    assessment = assessed(SAAS_SCALE_UP | {"regulation": UNKNOWN})
    values = {dimension.dimension: dimension.margin.value for dimension in assessment.dimensions}
    assert list(values) == ["Purpose", "Scope", "Accountability", "Structure"]
    assert values["Structure"] is None
    assert None not in (values["Purpose"], values["Scope"], values["Accountability"])
    assert assessment.margin.value is None


def test_after_a_hand_over_no_live_service_is_inferred_unless_one_was_named() -> None:
    answers = DEADLINE_MIGRATION | {"after_release": "hand_over", "live_service": UNKNOWN}
    inferred = assessed(answers)
    assert inferred.answers["live_service"] == Answer(level="none", confidence="inferred")
    assert inferred.unknown == ()
    named = assessed(answers | {"live_service": "extended"})
    assert named.answers["live_service"] == Answer(level="extended", confidence="said")


def test_what_sales_inferred_scores_like_what_was_said_and_stays_marked() -> None:
    answers = said(SAAS_SCALE_UP) | {"aim": Answer(level="steady_growth", confidence="inferred")}
    assessment = assess(answers, RUBRIC, QUESTIONNAIRE)
    assert assessment.scores == assessed(SAAS_SCALE_UP).scores
    assert assessment.answers["aim"].confidence == "inferred"


@pytest.mark.parametrize(
    ("answers", "named"), [({"colour": "red"}, "'colour'"), ({"aim": "world_peace"}, "aim: 'world_peace'")]
)
def test_an_unheard_answer_is_named_and_never_scored(answers: dict[str, str], named: str) -> None:
    with pytest.raises(UnheardAnswer, match=named):
        assessed(SAAS_SCALE_UP | answers)


def test_an_assessment_says_which_versions_it_rests_on() -> None:
    assessment = assessed(SAAS_SCALE_UP)
    assert (assessment.questionnaire.version, assessment.questionnaire.hash) == (PUBLISHED, QUESTIONNAIRE.hash)
    assert (assessment.rubric.version, assessment.rubric.hash) == (PUBLISHED, RUBRIC.hash)
    assert (assessment.intake_id, assessment.revision) == (None, None)
