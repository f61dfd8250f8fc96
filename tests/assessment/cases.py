"""Cases to try a property on: any answers, answers near a known situation, and either with some left out."""

from collections.abc import Mapping

from hypothesis import strategies as st

from tests.assessment.archetypes import ARCHETYPES, Answers
from tests.assessment.published import QUESTIONNAIRE, RUBRIC

ids = [question.id for question in QUESTIONNAIRE.questions]
scored = [question.id for question in RUBRIC.questions]
any_levels = st.fixed_dictionaries(
    {question.id: st.sampled_from([level.key for level in question.levels]) for question in QUESTIONNAIRE.questions}
)
any_questions = st.sets(st.sampled_from(ids), max_size=3)


@st.composite
def near_an_archetype(draw: st.DrawFn) -> Answers:
    """A plausible case: a known situation with a few answers changed. Random ones often contradict themselves."""
    changed = draw(any_questions)
    other = draw(any_levels)
    return draw(st.sampled_from(list(ARCHETYPES.values()))) | {question: other[question] for question in changed}


any_case = any_levels | near_an_archetype()


def without(levels: Mapping[str, str], questions: set[str]) -> Answers:
    return QUESTIONNAIRE.completed({question: key for question, key in levels.items() if question not in questions})
