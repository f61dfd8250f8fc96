"""A rubric made ready for arithmetic: what every answer adds, as integers, to the whole and to its dimension."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from services.assessment.domain.rubric import Rubric, Rule, ScoredQuestion, capacity
from shared.questionnaire import UNKNOWN, Questionnaire


class Span(NamedTuple):
    """The least and the most of each axis, over that axis's capacity, and of the margin, over both capacities.

    Where every answer is known the two ends are one. The margin's ends are taken per question, on the difference
    between the axes, so they are narrower than the difference between the axes' ends.
    """

    continuity_low: int
    continuity_high: int
    execution_low: int
    execution_high: int
    margin_low: int
    margin_high: int


@dataclass(frozen=True, slots=True)
class Part:
    """Some questions as a scale of their own, 0 to 100 on each axis: the whole rubric, or one dimension.

    `spans` says what each answer of each question, `unknown` among them, adds.
    """

    continuity_capacity: int
    execution_capacity: int
    spans: dict[str, dict[str, Span]]

    @property
    def margin_capacity(self) -> int:
        """What the margin's integers are over: 100 points of margin."""
        return self.continuity_capacity * self.execution_capacity

    def total(self, answers: Mapping[str, str]) -> Span:
        """What these answers add up to; every question of the part must be among them."""
        spans = [levels[answers[question]] for question, levels in self.spans.items()]
        return Span(*map(sum, zip(*spans, strict=True)))


@dataclass(frozen=True, eq=False)
class Scale:
    """One rubric over one questionnaire: its parts, in catalogue order, and what completeness asks for."""

    rule: Rule
    whole: Part
    dimensions: dict[str, Part]
    dimension_of: dict[str, str]
    weights_bp: dict[str, int]
    key_questions: tuple[str, ...]


@dataclass(frozen=True)
class _Versions:
    """A rubric and its questionnaire, the same as any others with the same hashes."""

    rubric_hash: str
    questionnaire_hash: str
    rubric: Rubric = field(compare=False)
    questionnaire: Questionnaire = field(compare=False)


def scale_of(rubric: Rubric, questionnaire: Questionnaire) -> Scale:
    """The scale of a rubric that was parsed for this questionnaire; made once and kept."""
    return _made(_Versions(rubric.hash, questionnaire.hash, rubric, questionnaire))


@lru_cache(maxsize=32)
def _made(versions: _Versions) -> Scale:
    scored = {question.id: question for question in versions.rubric.questions}
    questions = versions.questionnaire.questions
    return Scale(
        rule=versions.rubric.rule,
        whole=_part(scored[question.id] for question in questions),
        dimensions={
            dimension.key: _part(scored[question.id] for question in versions.questionnaire.of_dimension(dimension.key))
            for dimension in versions.questionnaire.dimensions
        },
        dimension_of={question.id: question.dimension for question in questions},
        weights_bp={question.id: scored[question.id].weight_bp for question in questions},
        key_questions=tuple(question.id for question in questions if question.key_question),
    )


def _part(questions: Iterable[ScoredQuestion]) -> Part:
    questions = tuple(questions)
    continuity_capacity, execution_capacity = capacity(questions)
    spans = {}
    for question in questions:
        levels = {}
        for key, values in question.levels.items():
            continuity = question.weight_bp * values.continuity
            execution = question.weight_bp * values.execution
            margin = continuity * execution_capacity - execution * continuity_capacity
            levels[key] = Span(continuity, continuity, execution, execution, margin, margin)
        ends = zip((min, max) * 3, zip(*levels.values(), strict=True), strict=True)
        levels[UNKNOWN] = Span(*(end(values) for end, values in ends))
        spans[question.id] = levels
    return Part(continuity_capacity, execution_capacity, spans)
