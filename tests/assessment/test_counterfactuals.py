from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from shared.contracts.assessment import Counterfactual
from shared.questionnaire import UNKNOWN, Questionnaire
from tests.assessment import reference
from tests.assessment.archetypes import (
    ARCHETYPES,
    FIRST_PIECE_THEN_CONTINUING_WORK,
    SAAS_SCALE_UP,
    START_UP_MVP,
    Answers,
)
from tests.assessment.cases import any_case, any_questions, without
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, assessed, said


def changes_of(counterfactual: Counterfactual) -> Answers:
    return {change.question: change.to for change in counterfactual.changes}


def drawn_case(seed: int) -> Answers:
    """Half of them near a known situation, half anything."""
    random = Random(seed)
    levels = {name: random.choice(list(levels)) for name, levels in reference.VALUES.items()}
    if seed % 2:
        return levels
    changed = random.sample(list(levels), 5)
    return random.choice(list(ARCHETYPES.values())) | {name: levels[name] for name in changed}


CONTRADICTORY = {
    "one hard contradiction": SAAS_SCALE_UP | {"price_rule": "mandatory"},
    "two hard contradictions": SAAS_SCALE_UP | {"price_rule": "mandatory", "aim": "finish_and_stop"},
    "three soft ones": SAAS_SCALE_UP | {"end_event": "signed_off", "priority_owner": "nobody", "funding": "fixed_sum"},
}


@pytest.mark.parametrize(
    "levels",
    [*ARCHETYPES.values(), *CONTRADICTORY.values(), *map(drawn_case, range(16))],
    ids=[*ARCHETYPES, *CONTRADICTORY, *map(str, range(16))],
)
def test_they_are_the_best_of_all_sets_of_at_most_three_changes(levels: Answers) -> None:
    found = [(each.verdict, changes_of(each)) for each in assessed(levels).counterfactuals]
    assert found == reference.counterfactuals(levels)


@settings(deadline=None, max_examples=60)
@given(any_case, any_questions)
def test_each_gives_what_it_promises_when_it_is_scored(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    before = assessed(answers)
    for each in before.counterfactuals:
        after = assessed(answers | changes_of(each))
        assert (after.verdict, after.strength) == (each.verdict, each.strength)
        assert after.verdict != before.verdict
        assert [(change.question, change.from_) for change in each.changes] == [
            (question, answers[question]) for question in changes_of(each)
        ]
        assert {check.id for check in after.checks} <= {check.id for check in before.checks}
        assert set(after.unknown) == set(before.unknown)
        assert not {"regulation", "price_rule"} & changes_of(each).keys()


@settings(deadline=None, max_examples=20)
@given(any_case, st.sets(st.sampled_from(["regulation", "operator", "start", "live_service"]), min_size=1))
def test_where_no_single_change_is_named_none_gives_that_verdict(levels: Answers, dropped: set[str]) -> None:
    answers = without(levels, dropped)
    before = assessed(answers)
    if before.verdict == "incomplete":
        assert before.counterfactuals == ()
        return
    by_one = {each.verdict for each in before.counterfactuals if len(each.changes) == 1}
    for name, question in reference.QUESTIONS.items():
        if answers[name] == UNKNOWN or question["can_change"] == "never":
            continue
        for level in reference.VALUES[name]:
            changed = answers | {name: level}
            if QUESTIONNAIRE.completed(changed) == changed and reference.misfits(changed) <= reference.misfits(answers):
                assert assessed(changed).verdict in {*by_one, before.verdict, "incomplete", "contradictory"}


def test_a_start_up_tips_to_continuity_by_what_it_wants_from_the_year() -> None:
    found = assessed(START_UP_MVP).counterfactuals
    first = next(each for each in found if each.verdict == "continuity")
    assert changes_of(first) == {"aim": "steady_growth"}


def test_a_start_up_tips_to_both_by_what_it_says_of_parts_and_phases() -> None:
    found = assessed(START_UP_MVP).counterfactuals
    assert [changes_of(each) for each in found if each.verdict == "both"] == [
        {"phases": "discovery_then_continue"},
        {"parts": "mostly_changing"},
    ]


def test_a_split_gives_way_to_one_need_where_it_is_taken_back() -> None:
    found = assessed(FIRST_PIECE_THEN_CONTINUING_WORK).counterfactuals
    assert {(each.verdict, *changes_of(each).items()) for each in found if len(each.changes) == 1} == {
        ("execution", ("phases", "discovery_then_continue")),
        ("execution", ("phases", "piece_then_decide")),
    }


def test_where_nothing_small_would_change_the_verdict_none_is_named() -> None:
    assert assessed(SAAS_SCALE_UP).counterfactuals == ()


def test_a_contradiction_is_resolved_by_the_answer_that_can_change() -> None:
    """Purchasing rules are a fact; how the money is approved is not."""
    first = assessed(SAAS_SCALE_UP | {"price_rule": "mandatory"}).counterfactuals[0]
    assert (first.verdict, changes_of(first)) == ("continuity", {"funding": "yearly_reviewed"})


def test_a_hand_over_is_proposed_only_with_the_end_of_the_service() -> None:
    for levels in map(drawn_case, range(60)):
        if levels["after_release"] != "hand_over":
            for each in assessed(levels).counterfactuals:
                after = levels | changes_of(each)
                assert after["after_release"] != "hand_over" or after["live_service"] == "none"


def test_a_hand_over_is_not_proposed_while_the_service_is_unknown_for_it_would_settle_that_too() -> None:
    answers = SAAS_SCALE_UP | {"aim": "finish_and_stop", "horizon": "under_3_months", "live_service": UNKNOWN}
    found = assessed(answers).counterfactuals
    proposed = {changes_of(each).get("after_release") for each in found}
    assert "fixes_only" in proposed
    assert "hand_over" not in proposed


def test_a_question_with_fewer_levels_than_others_names_no_set_twice() -> None:
    """Of what a start-up wants from the year two levels are left, and only the other one tips it to continuity."""
    kept = ("first_version_then_decide", "steady_growth")
    document = QUESTIONNAIRE.model_dump()
    aim = document["questions"][0]
    aim["levels"] = [level for level in aim["levels"] if level["key"] in kept]
    document["contradictions"] = [rule for rule in document["contradictions"] if "aim" not in rule["when"]]
    rubric = RUBRIC.model_dump(mode="json")
    levels = rubric["questions"][0]["levels"]
    rubric["questions"][0]["levels"] = {key: levels[key] for key in kept}
    for portion in (portion for split in rubric["hybrids"]["splits"] for portion in split["portions"]):
        if "aim" in portion["shown_by"]:
            portion["shown_by"]["aim"] = ["steady_growth"]
    questionnaire = Questionnaire.model_validate(document)
    found = assess(said(START_UP_MVP), parse(str(rubric), questionnaire), questionnaire).counterfactuals
    assert [changes_of(each) for each in found if each.verdict == "continuity"] == [{"aim": "steady_growth"}]
