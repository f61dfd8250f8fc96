from collections import Counter
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.assessment.domain.outlook import MOST_WAYS, sampled
from shared.contracts.assessment import Outlook, Verdict
from shared.questionnaire import UNKNOWN
from tests.assessment import reference
from tests.assessment.archetypes import (
    ARCHETYPES,
    DEADLINE_MIGRATION,
    MIDDLE_OF_EVERYTHING,
    SAAS_SCALE_UP,
    START_UP_MVP,
    VAGUE_SMALL_JOB,
    Answers,
)
from tests.assessment.cases import any_case, ids, near_an_archetype, scored, without
from tests.assessment.published import QUESTIONNAIRE, assessed

PRICING = {"aim", "requirements", "after_release", "live_service", "operator", "overrun_risk", "funding", "price_rule"}
HALF = {
    *PRICING,
    *("competitive_weight", "deadline", "cost_of_delay", "divisibility", "end_event", "vendor_people", "start"),
}
CAUTIOUS: tuple[Verdict, ...] = ("unclear", "both", "continuity", "execution")


def outlook_of(answers: Answers) -> Outlook:
    outlook = assessed(answers).outlook
    assert outlook is not None
    return outlook


def squares(led: Counter[str]) -> Fraction:
    return sum((Fraction(count, led.total()) ** 2 for count in led.values()), Fraction(0))


@settings(deadline=None, max_examples=60)
@given(any_case, st.sets(st.sampled_from(ids), min_size=1, max_size=3))
def test_few_unknown_answers_are_tried_in_every_way_that_fits_together(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    assume(UNKNOWN in answers.values())
    led = reference.outlook(answers)
    outlook = outlook_of(answers)
    assert outlook.exact
    if led:
        assert outlook.ways == led.total()
        assert outlook.leading == max(CAUTIOUS, key=lambda verdict: led[verdict])
        for verdict, share in outlook.shares.items():
            assert share == pytest.approx(led[verdict] / led.total(), abs=0.0001)
    else:
        assert (outlook.leading, outlook.shares["contradictory"]) == ("contradictory", 1)


@settings(deadline=None, max_examples=40)
@given(any_case, st.sets(st.sampled_from(ids)))
def test_the_shares_of_any_outlook_add_up_to_1(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    assume(UNKNOWN in answers.values())
    outlook = outlook_of(answers)
    assert sum(round(10_000 * share) for share in outlook.shares.values()) == 10_000
    assert outlook.shares[outlook.leading] == max(outlook.shares.values())
    assert 1 <= outlook.ways <= MOST_WAYS


@settings(deadline=None, max_examples=40)
@given(
    near_an_archetype(), st.sets(st.sampled_from(["regulation", "operator", "start", "live_service", "scarce_skill"]))
)
def test_a_verdict_that_is_given_has_the_whole_outlook(levels: Answers, dropped: set[str]) -> None:
    assessment = assessed(without(levels, dropped))
    assume(assessment.unknown and assessment.verdict != "incomplete")
    assert assessment.outlook is not None
    assert assessment.outlook.shares[assessment.verdict] == 1
    assert assessment.outlook.leading == assessment.verdict


@pytest.mark.parametrize(
    ("levels", "dropped"),
    [(START_UP_MVP, HALF), (MIDDLE_OF_EVERYTHING, HALF), (VAGUE_SMALL_JOB, PRICING), (SAAS_SCALE_UP, set(ids))],
    ids=["half a start-up", "half of the middle", "a vague job without its pricing", "nothing known"],
)
def test_a_sample_agrees_with_drawing_at_random_within_four_standard_errors(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    before = reference.misfits(answers)
    random = Random(2)
    unknown = [question for question in scored if answers[question] == UNKNOWN]
    choices = {question: list(reference.VALUES[question]) for question in unknown}
    led: Counter[str] = Counter()
    for _ in range(12_000):
        completion = answers | {question: random.choice(levels) for question, levels in choices.items()}
        found = reference.misfits(completion)
        if not reference.calls_for_a_talk(found) and not any(" not " in name for name in found - before):
            each = [
                reference.Integers.of(question, level) for question, level in completion.items() if question in scored
            ]
            total = reference.Integers(sum(one.continuity for one in each), sum(one.execution for one in each))
            led[total.verdict(completion)] += 1
    outlook = outlook_of(answers)
    assert not outlook.exact
    for verdict in CAUTIOUS:
        share = led[verdict] / led.total()
        error = sqrt(share * (1 - share) * (1 / led.total() + 1 / outlook.ways))
        assert abs(outlook.shares[verdict] - share) <= 4 * error + 0.0005


@settings(deadline=None, max_examples=30)
@given(near_an_archetype(), st.sets(st.sampled_from(ids), min_size=2, max_size=3))
def test_the_unknown_answer_that_is_expected_to_move_the_outlook_most_comes_first(
    levels: Answers, dropped: set[str]
) -> None:
    answers = without(levels, dropped)
    assessment = assessed(answers)
    led = reference.outlook(answers)
    assume(led and UNKNOWN in answers.values())
    rises = {}
    for question in assessment.unknown:
        after = [reference.outlook(answers, {question: level}) for level in reference.VALUES[question]]
        whole = sum(after, Counter[str]())
        expected = sum((Fraction(each.total(), whole.total()) * squares(each) for each in after if each), Fraction(0))
        every = [reference.contribution(question, level) for level in reference.VALUES[question]]
        rises[question] = (round(float(expected - squares(whole)), 4), max(every) - min(every))
    for name, following in pairwise(assessment.unknown):
        (rise, width), (next_rise, next_width) = rises[name], rises[following]
        if rise > 0.00015 and next_rise > 0.00015 and (name in scored) != (following in scored):
            assert name in scored
        else:
            assert rise > next_rise - 0.00015
        if rise == next_rise == 0 and (name in scored) == (following in scored):
            assert width >= next_width


@settings(deadline=None, max_examples=30)
@given(near_an_archetype(), st.sets(st.sampled_from(ids), min_size=1, max_size=3))
def test_the_next_question_says_where_each_of_its_answers_leads(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    assessment = assessed(answers)
    assume(assessment.next_question)
    assert assessment.next_question is not None
    assert assessment.next_question.question == assessment.unknown[0]
    for one in assessment.next_question.if_answered:
        led = reference.outlook(answers, {assessment.unknown[0]: one.answer})
        assert one.leading == max(CAUTIOUS, key=lambda verdict: led[verdict])
        assert one.share == pytest.approx(led[one.leading] / led.total(), abs=0.0001)


def test_an_answer_that_would_contradict_another_is_no_way_to_fall() -> None:
    """A rolling budget leaves three of the four price rules; the fourth would be asked back."""
    assessment = assessed(SAAS_SCALE_UP | {"price_rule": UNKNOWN})
    assert assessment.outlook is not None
    assert (assessment.verdict, assessment.outlook.ways) == ("continuity", 3)
    assert assessment.outlook.shares["continuity"] == 1
    assert assessment.next_question is not None
    assert [one.answer for one in assessment.next_question.if_answered] == ["no", "preferred", "strongly"]


def test_a_third_soft_contradiction_is_no_way_to_fall_and_a_second_is() -> None:
    two = SAAS_SCALE_UP | {"end_event": "signed_off", "priority_owner": "nobody"}
    assert outlook_of(two | {"funding": UNKNOWN}).ways == 3
    assert outlook_of(two | {"funding": UNKNOWN, "priority_owner": "owner_part_time"}).ways == 4


def test_a_question_that_decides_more_comes_before_one_that_could_move_the_margin_further() -> None:
    assessment = assessed(VAGUE_SMALL_JOB | {"deadline": UNKNOWN, "aim": UNKNOWN})
    reach = {one.question: one.high - one.low for one in assessment.contributions}
    assert assessment.unknown == ("deadline", "aim")
    assert reach["deadline"] < reach["aim"]


def test_of_equal_shares_the_verdict_that_claims_less_leads() -> None:
    outlook = outlook_of(VAGUE_SMALL_JOB | {"cost_of_delay": UNKNOWN, "aim": UNKNOWN})
    assert (outlook.shares["unclear"], outlook.shares["execution"]) == (0.5, 0.5)
    assert outlook.leading == "unclear"


def test_a_hand_over_leaves_no_service_to_keep_up_in_any_way() -> None:
    """Three answers with four services each, and a hand-over with none."""
    answers = DEADLINE_MIGRATION | {"after_release": UNKNOWN, "live_service": UNKNOWN, "operator": "mostly_client"}
    answers |= {"aim": "first_version_then_decide", "end_event": "described"}
    assert outlook_of(answers).ways == 13


def test_answers_that_contradict_each_other_leave_no_other_outlook() -> None:
    assessment = assessed(SAAS_SCALE_UP | {"price_rule": "mandatory", "regulation": UNKNOWN, "start": UNKNOWN})
    assert assessment.outlook is not None
    assert (assessment.outlook.leading, assessment.outlook.shares["contradictory"]) == ("contradictory", 1)
    assert assessment.next_question is None
    assert assessment.unknown == ("start", "regulation")


def test_a_missing_key_answer_does_not_hide_where_the_rest_leads() -> None:
    assessment = assessed(SAAS_SCALE_UP | {"aim": UNKNOWN})
    assert assessment.verdict == "incomplete"
    assert assessment.outlook is not None
    assert (assessment.outlook.leading, assessment.outlook.shares["continuity"]) == ("continuity", 1)


def test_there_is_no_outlook_where_everything_is_known() -> None:
    for levels in ARCHETYPES.values():
        assessment = assessed(levels)
        assert (assessment.outlook, assessment.next_question, assessment.unknown) == (None, None, ())


def test_the_sample_shows_every_level_equally_often_and_each_pair_nearly() -> None:
    columns = {question.id: sampled(question.id, len(question.levels)).tolist() for question in QUESTIONNAIRE.questions}
    for question, column in columns.items():
        least, left_over = divmod(MOST_WAYS, len(reference.VALUES[question]))
        assert set(Counter(column).values()) == {least, least + bool(left_over)}
    pairs = Counter(zip(columns["aim"], columns["horizon"], strict=True))
    expected = MOST_WAYS / 16
    assert all(abs(count - expected) < 4 * sqrt(expected) for count in pairs.values())
    assert set(Counter(sampled("three", 3).tolist()).values()) == {1365, 1366}
