from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.assessment.domain import splits
from services.assessment.domain.rubric import Rubric, RubricRefused, ScoredQuestion, Values, as_published, parse
from services.assessment.domain.scale import scale_of
from services.assessment.domain.scoring import assess
from services.assessment.domain.splits import Hybrids, PortionRule, SplitRule
from shared.contracts.assessment import Assessment, Strength, Verdict
from shared.questionnaire import UNKNOWN, DimensionText, Level, Question, Questionnaire
from tests.assessment import first_version, reference
from tests.assessment.archetypes import (
    ARCHETYPES,
    DEADLINE_MIGRATION,
    DISCOVERY_THEN_CONTINUING_WORK,
    FIRST_PIECE_THEN_CONTINUING_WORK,
    HARD_DATE_THEN_ROADMAP,
    MIDDLE_OF_EVERYTHING,
    SAAS_SCALE_UP,
    SETTLED_PART_BESIDE_A_CHANGING_ONE,
    START_UP_MVP,
    Answers,
)
from tests.assessment.cases import any_case, ids, near_an_archetype, without
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, RUBRIC_TEXT, assessed, said

SCALE = scale_of(RUBRIC, QUESTIONNAIRE)
HYBRIDS = RUBRIC.hybrids
UNSCORED = {"parts", "phases"}
UNANSWERED = dict.fromkeys(UNSCORED, UNKNOWN)

HYBRID_BY = {
    "settled_and_changing_parts": SETTLED_PART_BESIDE_A_CHANGING_ONE,
    "discovery_then_continuing_work": DISCOVERY_THEN_CONTINUING_WORK,
    "first_piece_then_continuing_work": FIRST_PIECE_THEN_CONTINUING_WORK,
}


def on_plain_axes(
    continuity: int, execution: int, split: str = "yes", *, settled: str = "yes", changing: str = "yes"
) -> Assessment:
    """Two questions whose level keys are the scores, one that divides the work, and two that show its portions."""
    percentages = {str(share): share for share in range(101)}
    levels = {
        "continuity": {key: (share, 0) for key, share in percentages.items()},
        "execution": {key: (0, share) for key, share in percentages.items()},
        "settled": dict.fromkeys(("yes", "no"), (0, 0)),
        "changing": dict.fromkeys(("yes", "no"), (0, 0)),
    }
    keys = {**levels, "split": {"yes": (0, 0), "no": (0, 0)}}
    questionnaire = Questionnaire(
        version="plain",
        dimensions=(DimensionText(key="All", text="Everything"),),
        questions=tuple(
            Question(id=name, dimension="All", text=name, why=name, levels=[Level(key=key, text=key) for key in found])
            for name, found in keys.items()
        ),
        implications=(),
        contradictions=(),
    )
    weights = {"continuity": 4500, "execution": 4500, "settled": 500, "changing": 500}
    rubric = Rubric(
        version="plain",
        questionnaire="plain",
        questions=tuple(
            ScoredQuestion(
                id=name,
                weight_bp=weights[name],
                levels={key: Values(continuity=one, execution=other) for key, (one, other) in found.items()},
            )
            for name, found in levels.items()
        ),
        rule=RUBRIC.rule.model_copy(update={"robustness_for_clear": 51}),
        hybrids=Hybrids(
            floor=35,
            max_margin=40,
            unscored={"split": "by_choice"},
            splits=(
                SplitRule(
                    id="plain",
                    kind="parts",
                    question="split",
                    answers=("yes",),
                    portions=(
                        PortionRule(id="settled", need="execution", shown_by={"settled": ("yes",)}),
                        PortionRule(id="changing", need="continuity", shown_by={"changing": ("yes",)}),
                    ),
                ),
            ),
        ),
    )
    answers = {"continuity": str(continuity), "execution": str(execution), "split": split}
    return assess(said({**answers, "settled": settled, "changing": changing}), rubric, questionnaire)


@pytest.mark.parametrize(
    ("continuity", "execution", "verdict", "strength"),
    [
        (45, 35, "both", "clear"),
        (45, 34, "unclear", None),
        (56, 34, "continuity", "leaning"),
        (74, 35, "both", "leaning"),
        (75, 35, "continuity", "clear"),
        (46, 35, "both", "clear"),
        (47, 35, "both", "leaning"),
        (35, 35, "both", "clear"),
        (34, 34, "unclear", None),
        (100, 61, "both", "leaning"),
        (100, 60, "continuity", "clear"),
    ],
)
def test_a_split_needs_both_scores_at_the_floor_and_neither_far_ahead(
    continuity: int, execution: int, verdict: Verdict, strength: Strength | None
) -> None:
    mirrored: dict[Verdict, Verdict] = {"continuity": "execution"}
    one, other = on_plain_axes(continuity, execution), on_plain_axes(execution, continuity)
    assert (one.verdict, one.strength) == (verdict, strength)
    assert (other.verdict, other.strength) == (mirrored.get(verdict, verdict), strength)


@pytest.mark.parametrize("missing", [{"settled": "no"}, {"changing": "no"}, {"split": "no"}, {"split": UNKNOWN}])
def test_a_split_must_be_said_and_both_of_its_portions_shown(missing: dict[str, str]) -> None:
    assert on_plain_axes(60, 45).verdict == "both"
    assessment = on_plain_axes(60, 45, **missing)
    assert (assessment.verdict, assessment.splits) == ("continuity", ())


def test_what_would_show_a_portion_holds_the_verdict_back_while_it_is_unknown() -> None:
    assert on_plain_axes(60, 45, settled=UNKNOWN).verdict == "incomplete"
    assert on_plain_axes(60, 45, "no", settled=UNKNOWN).verdict == "continuity"
    assert on_plain_axes(80, 35, settled=UNKNOWN).verdict == "continuity"


@pytest.mark.parametrize(
    ("continuity", "execution", "strength"), [(70, 40, "leaning"), (75, 35, "clear"), (70, 34, "clear")]
)
def test_one_need_is_not_clear_while_an_unanswered_question_could_make_it_both(
    continuity: int, execution: int, strength: Strength
) -> None:
    unanswered, denied = on_plain_axes(continuity, execution, UNKNOWN), on_plain_axes(continuity, execution, "no")
    assert (unanswered.verdict, unanswered.strength) == ("continuity", strength)
    assert (denied.verdict, denied.strength) == ("continuity", "clear")


@pytest.mark.parametrize("split", HYBRID_BY)
def test_a_known_hybrid_says_which_part_or_phase_goes_which_way_and_which_answers_said_so(split: str) -> None:
    levels = HYBRID_BY[split]
    assessment = assessed(levels)
    assert assessment.verdict == "both"
    assert reference.points(levels, ids).continuity < reference.RULE["hybrid_floor"]
    (found,) = assessment.splits
    assert (found.id, found.answer) == (split, levels[found.question])
    assert {portion.need for portion in found.portions} == {"continuity", "execution"}
    for portion in found.portions:
        assert portion.answers
        assert portion.answers.items() <= levels.items()


def test_phases_come_in_their_order() -> None:
    for levels in (DISCOVERY_THEN_CONTINUING_WORK, FIRST_PIECE_THEN_CONTINUING_WORK):
        (split,) = assessed(levels).splits
        assert (split.kind, [portion.need for portion in split.portions]) == ("phases", ["execution", "continuity"])


def test_two_high_needs_are_both_with_and_without_a_split() -> None:
    divided, high = assessed(HARD_DATE_THEN_ROADMAP), assessed(HARD_DATE_THEN_ROADMAP | UNANSWERED)
    assert (divided.verdict, high.verdict) == ("both", "both")
    assert [split.kind for split in divided.splits] == ["parts", "phases"]
    assert high.splits == ()


def test_one_small_settled_part_does_not_make_a_clear_case_a_hybrid() -> None:
    assessment = assessed(SAAS_SCALE_UP | {"parts": "mostly_changing"})
    assert (assessment.verdict, assessment.strength, assessment.splits) == ("continuity", "clear", ())


@pytest.mark.parametrize("levels", [MIDDLE_OF_EVERYTHING, START_UP_MVP, START_UP_MVP | {"phases": "piece_then_decide"}])
def test_nobody_becomes_a_hybrid_by_being_undecided(levels: Answers) -> None:
    assert assessed(levels).verdict == "unclear"
    assert assessed(levels | UNANSWERED).verdict == "unclear"


def test_work_that_ends_is_no_hybrid_though_a_first_piece_was_agreed() -> None:
    ending = FIRST_PIECE_THEN_CONTINUING_WORK | {"aim": "finish_and_stop", "after_release": "fixes_only"}
    assert assessed(ending).verdict == "execution"


@settings(deadline=None, max_examples=60)
@given(any_case, st.sets(st.sampled_from(sorted(UNSCORED)), min_size=1))
def test_unanswered_they_leave_the_verdict_to_the_scores(levels: Answers, dropped: set[str]) -> None:
    answers = levels | dict.fromkeys(dropped, UNKNOWN)
    if dropped == UNSCORED:
        assert assessed(answers).verdict == reference.verdict(
            levels | {"parts": "all_changing", "phases": "as_a_whole"}
        )
    assert assessed(answers).verdict == reference.verdict(answers)
    assert assessed(answers).margin == assessed(levels).margin
    assert assessed(answers).acceptability == assessed(levels).acceptability
    assert assessed(answers).robustness == assessed(levels).robustness
    assert dropped <= set(assessed(answers).unknown)


@settings(deadline=None, max_examples=40)
@given(any_case, st.sets(st.sampled_from(ids), max_size=3), st.sampled_from(sorted(UNSCORED)))
def test_the_outlook_says_how_many_ways_an_answer_to_them_would_make_both(
    levels: Answers, dropped: set[str], question: str
) -> None:
    answers = without(levels, dropped | {question})
    assume(reference.outlook(answers))
    outlook = assessed(answers).outlook
    assert outlook is not None
    led = [reference.outlook(answers, {question: level}) for level in reference.VALUES[question]]
    most = max(each["both"] / each.total() for each in led if each)
    assert outlook.towards_both[question] == pytest.approx(most, abs=0.0001)
    assert outlook.towards_both.keys() == {name for name in UNSCORED if answers[name] == UNKNOWN}


def test_an_unanswered_one_that_decides_is_the_next_question() -> None:
    assessment = assessed(FIRST_PIECE_THEN_CONTINUING_WORK | {"phases": UNKNOWN})
    assert (assessment.verdict, assessment.strength) == ("execution", "leaning")
    assert assessment.outlook is not None
    assert (assessment.outlook.leading, assessment.outlook.shares["execution"]) == ("execution", 1)
    assert assessment.outlook.towards_both == {"phases": 1}
    assert assessment.next_question is not None
    assert assessment.next_question.question == "phases"
    leading = {one.answer: one.leading for one in assessment.next_question.if_answered}
    assert leading == {
        "as_a_whole": "execution",
        "piece_then_decide": "execution",
        "discovery_then_continue": "execution",
        "piece_then_continue": "both",
    }


def test_an_unanswered_one_that_cannot_matter_leaves_a_clear_case_clear() -> None:
    for levels in (SAAS_SCALE_UP, DEADLINE_MIGRATION):
        known, unanswered = assessed(levels), assessed(levels | UNANSWERED)
        assert (unanswered.verdict, unanswered.strength) == (known.verdict, known.strength)
        assert unanswered.strength == "clear"
        assert unanswered.outlook is not None
        assert set(unanswered.outlook.towards_both.values()) == {0}
        assert unanswered.counterfactuals == known.counterfactuals


@settings(deadline=None, max_examples=200)
@given(any_case)
def test_packed_evidence_says_what_the_answers_say_one_by_one(levels: Answers) -> None:
    summed = SCALE.total(levels).evidence_low
    assert splits.divides(summed) == reference.is_split(levels)
    assert splits.leaves_whole(summed) != splits.divides(summed)
    assert HYBRIDS is not None
    assert bool(splits.found(levels, HYBRIDS)) == reference.is_split(levels)


@settings(deadline=None, max_examples=40)
@given(near_an_archetype(), st.sets(st.sampled_from(ids), max_size=4))
def test_the_ends_of_the_evidence_are_what_all_and_what_some_completions_say(
    levels: Answers, dropped: set[str]
) -> None:
    answers = without(levels, dropped)
    total = SCALE.total(answers)
    each = [splits.divides(SCALE.total(completion).evidence_low) for completion in reference.completions(answers)]
    assert all(each) or not splits.divides(total.evidence_low)
    assert splits.divides(total.evidence_high) or not any(each)


def test_a_full_field_does_not_run_over() -> None:
    """Sixteen answers show the first portion, and none the second."""
    every = tuple(f"q{number}" for number in range(splits.MOST_SHOWING))
    questionnaire = Questionnaire(
        version="full",
        dimensions=(DimensionText(key="All", text="Everything"),),
        questions=tuple(
            Question(id=name, dimension="All", text=name, why=name, levels=[Level(key="a", text="a")])
            for name in (*every, "other", "split")
        ),
        implications=(),
        contradictions=(),
    )
    assert HYBRIDS is not None
    one = SplitRule(
        id="full",
        kind="parts",
        question="split",
        answers=("a",),
        portions=(
            PortionRule(id="first", need="execution", shown_by=dict.fromkeys(every, ("a",))),
            PortionRule(id="second", need="continuity", shown_by={"other": ("a",)}),
        ),
    )
    packed = splits.evidence(HYBRIDS.model_copy(update={"splits": (one,) * splits.MOST_SPLITS}), questionnaire)
    shown = sum(packed[name]["a"] for name in (*every, "split"))
    assert not splits.divides(shown)
    assert splits.divides(shown + packed["other"]["a"])


def split_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["hybrids"]["splits"][0]
    return found


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda document: document["hybrids"]["unscored"].update(wishes="by_choice"),
            "hybrids unscored: there is no question wishes: take it out",
        ),
        (
            lambda document: document["hybrids"]["unscored"].update(start="by_choice"),
            "hybrids unscored: question start has points: take it out here or there",
        ),
        (
            lambda document: document["hybrids"]["unscored"].pop("parts"),
            "question parts is missing: add it",
        ),
        (
            lambda document: document["hybrids"]["splits"].pop(0),
            "hybrids unscored: no split asks parts: add one, or take the question out",
        ),
        (
            lambda document: document["hybrids"]["splits"].append(deepcopy(split_of(document))),
            "hybrids: split settled_and_changing_parts is there already: keep one",
        ),
        (
            lambda document: split_of(document).update(answers=["both"]),
            "hybrids settled_and_changing_parts: question parts has no level both: take it out, or mend its spelling",
        ),
        (
            lambda document: split_of(document).update(question="start", answers=["at_once"]),
            "hybrids settled_and_changing_parts: list question start as unscored",
        ),
        (
            lambda document: split_of(document)["portions"][0].update(shown_by={"phases": ["as_a_whole"]}),
            "settled_part is shown by phases, which has no points: choose one that has",
        ),
        (
            lambda document: split_of(document)["portions"][0].update(
                shown_by={"price_rule": ["no", "preferred", "strongly", "mandatory"]}
            ),
            "settled_part is shown by every answer to price_rule: leave some out",
        ),
        (
            lambda document: split_of(document)["portions"][0].update(need="continuity"),
            "one portion has to stand for continuity and the other for execution",
        ),
        (lambda document: split_of(document)["portions"].pop(), "portions"),
        (lambda document: split_of(document)["portions"][0].update(shown_by={}), "shown_by"),
        (lambda document: document["hybrids"].update(max_margin=0), "max_margin"),
        (lambda document: document["hybrids"].update(floor=35.5), "floor"),
    ],
)
def test_a_split_that_cannot_be_used_is_refused_by_name(
    spoil: Callable[[dict[str, Any]], object], message: str
) -> None:
    document = yaml.safe_load(RUBRIC_TEXT)
    spoil(document)
    with pytest.raises(RubricRefused, match=message):
        parse(yaml.safe_dump(document), QUESTIONNAIRE)


def test_a_key_question_needs_points() -> None:
    document = yaml.safe_load(RUBRIC_TEXT)
    asked = QUESTIONNAIRE.model_dump()
    next(question for question in asked["questions"] if question["id"] == "parts")["key_question"] = True
    with pytest.raises(RubricRefused, match="parts is a key question: give it points"):
        parse(yaml.safe_dump(document), Questionnaire.model_validate(asked))


def test_the_published_rubric_has_the_rule_as_data_and_points_only_for_what_it_scores() -> None:
    published = as_published(RUBRIC, QUESTIONNAIRE)
    assert published["hybrids"] == yaml.safe_load(RUBRIC_TEXT)["hybrids"]
    assert UNSCORED.isdisjoint(question["id"] for question in published["questions"])
    assert "hybrids" not in as_published(first_version.RUBRIC, first_version.QUESTIONNAIRE)


def test_what_was_published_before_keeps_its_hash() -> None:
    assert (first_version.QUESTIONNAIRE.hash, first_version.RUBRIC.hash) == (
        "97da3c712678fdcc786b11a4ad4319eced54a442b48b86eb0d8eedacdc66d715",
        "6d260a7509658e2167a3c2b1ba9822b1d8ffdda6ef7d52c0350590854cc42fdb",
    )


def test_no_known_situation_but_the_hybrids_has_a_split() -> None:
    for name, levels in ARCHETYPES.items():
        assert bool(assessed(levels).splits) == (assessed(levels).verdict == "both"), name
