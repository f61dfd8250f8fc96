from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommendation.domain.proposal import Proposal
from shared.contracts.assessment import Assessment, Counterfactual, Verdict
from shared.contracts.recommendation import Model
from shared.questionnaire import UNKNOWN, matches
from tests.assessment.archetypes import SAAS_SCALE_UP, START_UP_MVP
from tests.assessment.published import assessed
from tests.recommendation.situations import PLAYBOOK, QUESTIONNAIRE, TYPICAL, judged, proposal_of

LEVELS = {question.id: [level.key for level in question.levels] for question in QUESTIONNAIRE.questions}
VETOED = SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"}
FIXED_PRICE = {"price_rule": "mandatory"}
TOO_SHORT = {"horizon": "under_3_months", "after_release": "hand_over"}
NO_SCOPE = {"requirements": "problem_only", "change_rate": "weekly"}
SIDES: dict[Verdict, set[str]] = {
    "continuity": {"dedicated_team"},
    "execution": {"project_based"},
    "both": {"dedicated_team", "project_based"},
}
FALLEN: list[tuple[Verdict, dict[str, str]]] = [
    ("continuity", FIXED_PRICE),
    ("continuity", TOO_SHORT),
    ("continuity", FIXED_PRICE | TOO_SHORT),
    ("execution", NO_SCOPE),
    ("both", FIXED_PRICE | NO_SCOPE),
    ("both", FIXED_PRICE | TOO_SHORT | NO_SCOPE),
]

some_answers = st.builds(
    lambda start, changes: start | changes,
    st.sampled_from([*TYPICAL.values(), VETOED, START_UP_MVP]),
    st.dictionaries(st.sampled_from(sorted(LEVELS)), st.integers(0, 9), max_size=5).map(
        lambda chosen: {question: ([*LEVELS[question], UNKNOWN] * 3)[place] for question, place in chosen.items()}
    ),
)


def levels_of(assessment: Assessment) -> dict[str, str]:
    return {question: answer.level for question, answer in assessment.answers.items()}


def scored_otherwise(proposal: Proposal) -> list[tuple[str, dict[str, str]]]:
    return [
        (alternative.model, {change.question: change.to for change in alternative.changes})
        for alternative in proposal.what_would_change
        if not alternative.lifts
    ]


@given(some_answers)
def test_what_would_change_is_each_counterfactual_whose_own_proposal_has_another_model(answers: dict[str, str]) -> None:
    assessment = assessed(answers)
    proposal = proposal_of(assessment)
    expected = []
    for counterfactual in assessment.counterfactuals:
        changes = {change.question: change.to for change in counterfactual.changes}
        assert {change.question: change.from_ for change in counterfactual.changes}.items() <= levels_of(
            assessment
        ).items()
        after = assessed(levels_of(assessment) | changes)
        assert after.verdict == counterfactual.verdict
        if (model := proposal_of(after).model) != proposal.model:
            expected.append((model, changes))
    assert scored_otherwise(proposal) == expected


def steps(before: dict[str, str], after: dict[str, str]) -> dict[str, int]:
    """How many levels each changed answer moves."""
    return {
        question: abs(keys.index(after[question]) - keys.index(before[question]))
        for question, keys in LEVELS.items()
        if after[question] != before[question]
    }


def misfits(answers: dict[str, str]) -> set[int]:
    against = [matches(rule.when, answers) for rule in QUESTIONNAIRE.contradictions]
    against += [
        matches(rule.when, answers) and any(answers[question] != level for question, level in rule.then.items())
        for rule in QUESTIONNAIRE.implications
    ]
    return {place for place, holds in enumerate(against) if holds}


@given(some_answers, st.sampled_from(FALLEN))
def test_a_veto_is_lifted_by_the_smallest_changes_that_enumeration_finds(
    answers: dict[str, str], fallen: tuple[Verdict, dict[str, str]]
) -> None:
    verdict, meeting = fallen
    assessment = judged(verdict, answers | meeting)
    proposal = proposal_of(assessment)
    assert proposal.kind == "veto"
    before = levels_of(assessment)
    away = [{change.question: change.to for change in other.changes} for other in assessment.counterfactuals]
    asked = sorted({q for veto in PLAYBOOK.vetoes if veto.id in proposal.vetoes for q in veto.when})
    lifting = []
    for levels in product(*(LEVELS[question] for question in asked)):
        after = before | dict(zip(asked, levels, strict=True))
        changes = {question: level for question, level in after.items() if level != before[question]}
        met = {veto.model for veto in PLAYBOOK.vetoes if matches(veto.when, after)}
        if not met >= SIDES[verdict] and changes not in away and misfits(after) <= misfits(before):
            lifting.append(after)
    fewest = min((len(steps(before, after)) for after in lifting), default=0)
    nearest: dict[frozenset[str], int] = {}
    for after in lifting:
        moved = steps(before, after)
        if len(moved) == fewest:
            questions = frozenset(moved)
            nearest[questions] = min(nearest.get(questions, 99), sum(moved.values()))
    found = {}
    for alternative in proposal.what_would_change:
        if not alternative.lifts:
            continue
        after = before | {change.question: change.to for change in alternative.changes}
        assert after in lifting
        found[frozenset(change.question for change in alternative.changes)] = sum(steps(before, after).values())
    assert found == nearest


@pytest.mark.parametrize(
    ("verdict", "answers", "expected"),
    [
        ("continuity", FIXED_PRICE, [("dedicated_team", {"price_rule": "strongly"}, ("fixed_price_mandatory",))]),
        (
            "continuity",
            TOO_SHORT | {"live_service": "none", "aim": "first_version_then_improve"},
            [
                ("dedicated_team", {"horizon": "3_to_6_months"}, ("too_short_for_a_team",)),
                ("dedicated_team", {"after_release": "fixes_only"}, ("too_short_for_a_team",)),
            ],
        ),
        (
            "both",
            FIXED_PRICE | NO_SCOPE,
            [
                ("hybrid", {"requirements": "outline"}, ("no_scope_to_fix",)),
                ("hybrid", {"change_rate": "every_2_3_weeks"}, ("no_scope_to_fix",)),
                ("hybrid", {"price_rule": "strongly"}, ("fixed_price_mandatory",)),
            ],
        ),
    ],
)
def test_what_lifts_a_veto_is_named_with_the_model_that_then_stands(
    verdict: Verdict, answers: dict[str, str], expected: list[tuple[Model, dict[str, str], tuple[str, ...]]]
) -> None:
    proposal = proposal_of(judged(verdict, TYPICAL[verdict] | {"funding": "yearly_reviewed"} | answers))
    assert proposal.kind == "veto"
    lifting = [alternative for alternative in proposal.what_would_change if alternative.lifts]
    assert [
        (alternative.model, {change.question: change.to for change in alternative.changes}, alternative.lifts)
        for alternative in lifting
    ] == expected
    assert {(alternative.kind, alternative.strength) for alternative in lifting} == {(None, None)}


def test_a_counterfactual_that_a_veto_would_meet_is_proposed_as_the_call_that_it_would_be() -> None:
    levels = TYPICAL["execution"] | FIXED_PRICE
    changes = ({"question": "aim", "from": levels["aim"], "to": "steady_growth"},)
    other = Counterfactual.model_validate({"verdict": "continuity", "strength": "leaning", "changes": changes})
    (alternative,) = proposal_of(assessed(levels).model_copy(update={"counterfactuals": (other,)})).what_would_change
    assert (alternative.model, alternative.kind, alternative.strength) == ("discovery_call", "veto", None)
    assert alternative.changes == other.changes


def test_nothing_is_said_to_change_a_proposal_while_too_little_is_known() -> None:
    assert proposal_of(assessed(TYPICAL["incomplete"])).what_would_change == ()


def test_a_proposal_of_before_is_read_as_if_nothing_would_change_it() -> None:
    proposal = proposal_of(assessed(START_UP_MVP))
    assert proposal.what_would_change
    stored = proposal.model_dump(mode="json", by_alias=True)
    assert Proposal.model_validate(stored) == proposal
    del stored["what_would_change"]
    assert Proposal.model_validate(stored).what_would_change == ()
