"""Many cases at once come out as each does alone."""

from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain import robustness
from services.assessment.domain.replay import Outcomes, replay
from services.assessment.domain.rubric import Rubric, parse
from services.assessment.domain.scale import scale_of
from services.assessment.domain.scoring import UnheardAnswer, assess
from shared.questionnaire import UNKNOWN
from tests.assessment.archetypes import ARCHETYPES, Answers
from tests.assessment.cases import any_case, any_questions, ids
from tests.assessment.golden import CASES
from tests.assessment.published import QUESTIONNAIRE, RUBRIC, RUBRIC_TEXT, said


def concentrated() -> Rubric:
    """A rubric in which two questions carry most of the weight, so that robustness decides strengths."""
    document = yaml.safe_load(RUBRIC_TEXT)
    for question in document["questions"]:
        question["weight_bp"] = {"aim": 5000, "requirements": 3020}.get(question["id"], 90)
    document["rule"]["min_answered_weight_bp"] = 3000
    return parse(yaml.safe_dump(document), QUESTIONNAIRE)


RUBRICS = (RUBRIC, concentrated())

cases_with_gaps = st.builds(
    lambda levels, left_out: {question: key for question, key in levels.items() if question not in left_out},
    any_case,
    any_questions | st.sets(st.sampled_from(ids)),
)


def alone(case: Answers, rubric: Rubric) -> tuple[object, ...]:
    assessment = assess(said(case), rubric, QUESTIONNAIRE)
    levels = {question: answer.level for question, answer in assessment.answers.items()}
    vectors = robustness.vectors(levels, scale_of(rubric, QUESTIONNAIRE))
    return assessment.verdict, assessment.strength, assessment.margin.low, assessment.margin.high, *vectors


def together(outcomes: Outcomes) -> list[tuple[object, ...]]:
    columns = (
        outcomes.verdicts,
        outcomes.strengths,
        outcomes.margins_low,
        outcomes.margins_high,
        outcomes.vectors_low,
        outcomes.vectors_high,
    )
    return list(zip(*columns, strict=True))


@given(st.lists(cases_with_gaps, min_size=1, max_size=8), st.sampled_from(RUBRICS))
def test_replayed_cases_come_out_as_each_is_assessed_alone(cases: list[Answers], rubric: Rubric) -> None:
    assert together(replay(cases, rubric, QUESTIONNAIRE)) == [alone(case, rubric) for case in cases]


def test_known_cases_and_all_their_neighbours_come_out_as_each_is_assessed_alone() -> None:
    cases = [
        *CASES.values(),
        *(
            known | {question.id: key}
            for known in ARCHETYPES.values()
            for question in QUESTIONNAIRE.questions
            for key in (question.levels[0].key, question.levels[-1].key, UNKNOWN)
        ),
    ]
    seen: Counter[object] = Counter()
    for rubric in RUBRICS:
        found = together(replay(cases, rubric, QUESTIONNAIRE))
        assert found == [alone(case, rubric) for case in cases]
        seen.update(outcome[:2] for outcome in found)
    assert {(verdict, strength) for verdict in ("continuity", "execution") for strength in ("clear", "leaning")} | {
        ("both", "leaning"),
        ("unclear", None),
        ("incomplete", None),
        ("contradictory", None),
    } <= set(seen)


def test_no_cases_have_no_outcomes() -> None:
    assert together(replay([], RUBRIC, QUESTIONNAIRE)) == []


def test_a_level_that_is_not_asked_never_reaches_the_arithmetic() -> None:
    with pytest.raises(UnheardAnswer, match="requirements: 'perfect' is not one of its answers"):
        replay([{}, {"requirements": "perfect"}], RUBRIC, QUESTIONNAIRE)
