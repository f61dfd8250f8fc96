"""A rubric made ready for arithmetic: what every answer adds, as integers, to the whole and to its dimension."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Generic, Literal, NamedTuple, TypeVar

from services.assessment.domain.rubric import Rubric, Rule, ScoredQuestion, capacity
from services.assessment.domain.weight_bank import VECTORS, WeightBank, bank_of
from shared.questionnaire import UNKNOWN, Condition, Questionnaire

T = TypeVar("T")


class Span(NamedTuple, Generic[T]):
    """The least and the most of each axis, over that axis's capacity, and of the margin, over both capacities.

    Integers for one set of answers, arrays for many. Where every answer is known the two ends are one. The margin's
    ends are taken per question, on the difference between the axes, so they are narrower than the difference between
    the axes' ends.
    """

    continuity_low: T
    continuity_high: T
    execution_low: T
    execution_high: T
    margin_low: T
    margin_high: T


class Ends(NamedTuple):
    """The least and the most that an answer can be."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Part:
    """Some questions as a scale of their own, 0 to 100 on each axis: the whole rubric, or one dimension.

    `spans` says what each answer of each question, `unknown` among them, adds.
    """

    continuity_capacity: int
    execution_capacity: int
    spans: dict[str, dict[str, Span[int]]]

    @property
    def margin_capacity(self) -> int:
        """What the margin's integers are over: 100 points of margin."""
        return self.continuity_capacity * self.execution_capacity

    def total(self, answers: Mapping[str, str]) -> Span[int]:
        """What these answers add up to; every question of the part must be among them."""
        spans = [levels[answers[question]] for question, levels in self.spans.items()]
        return Span(*map(sum, zip(*spans, strict=True)))


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of a rule as the least integers that reach them, over the capacities of the whole."""

    hybrid_continuity: int
    hybrid_execution: int
    hybrid_margin: int
    leader_continuity: int
    leader_execution: int
    margin_needed: int
    margin_for_clear: int
    vectors_for_clear: int


@dataclass(frozen=True, slots=True)
class Misfit:
    """Answers that do not go together: a contradiction, or what an implication leaves no room for."""

    kind: Literal["hard", "soft", "implied"]
    when: Condition


@dataclass(frozen=True, eq=False)
class Scale:
    """One rubric over one questionnaire, everything in catalogue order.

    `differences` is what each answer adds to the margin for each basis point of its question's weight, with the
    capacities as they are; `misfits` is what answers must not be, for a completion or a change to make sense.
    """

    rule: Rule
    limits: Limits
    whole: Part
    dimensions: dict[str, Part]
    dimension_of: dict[str, str]
    weights_bp: dict[str, int]
    key_questions: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    differences: dict[str, dict[str, Ends]]
    misfits: tuple[Misfit, ...]
    by_choice: frozenset[str]
    immutable: frozenset[str]

    @cached_property
    def weight_bank(self) -> WeightBank:
        """The plausible weightings around the rubric's own, a column for each question."""
        return bank_of(tuple(self.weights_bp.values()))


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
    questionnaire = versions.questionnaire
    scored = {question.id: question for question in versions.rubric.questions}
    questions = [scored[question.id] for question in questionnaire.questions]
    whole = _part(questions)
    return Scale(
        rule=versions.rubric.rule,
        limits=_limits(versions.rubric.rule, whole),
        whole=whole,
        dimensions={
            dimension.key: _part(scored[question.id] for question in questionnaire.of_dimension(dimension.key))
            for dimension in questionnaire.dimensions
        },
        dimension_of={question.id: question.dimension for question in questionnaire.questions},
        weights_bp={question.id: question.weight_bp for question in questions},
        key_questions=tuple(question.id for question in questionnaire.questions if question.key_question),
        levels={question.id: tuple(level.key for level in question.levels) for question in questionnaire.questions},
        differences={question.id: _differences(question, whole) for question in questions},
        misfits=_misfits(questionnaire),
        by_choice=frozenset(question.id for question in questions if question.can_change == "by_choice"),
        immutable=frozenset(question.id for question in questions if question.can_change == "never"),
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


def _limits(rule: Rule, whole: Part) -> Limits:
    def reaching(percent: int, of: int) -> int:
        return -(-percent * of // 100)

    return Limits(
        hybrid_continuity=reaching(rule.hybrid_floor, whole.continuity_capacity),
        hybrid_execution=reaching(rule.hybrid_floor, whole.execution_capacity),
        hybrid_margin=reaching(rule.hybrid_max_margin, whole.margin_capacity),
        leader_continuity=reaching(rule.leader_floor, whole.continuity_capacity),
        leader_execution=reaching(rule.leader_floor, whole.execution_capacity),
        margin_needed=reaching(rule.margin_needed, whole.margin_capacity),
        margin_for_clear=reaching(rule.margin_for_clear, whole.margin_capacity),
        vectors_for_clear=reaching(rule.robustness_for_clear, VECTORS),
    )


def _differences(question: ScoredQuestion, whole: Part) -> dict[str, Ends]:
    margins = {
        key: values.continuity * whole.execution_capacity - values.execution * whole.continuity_capacity
        for key, values in question.levels.items()
    }
    unknown = Ends(min(margins.values()), max(margins.values()))
    return {key: Ends(margin, margin) for key, margin in margins.items()} | {UNKNOWN: unknown}


def _misfits(questionnaire: Questionnaire) -> tuple[Misfit, ...]:
    misfits = [Misfit(rule.severity, rule.when) for rule in questionnaire.contradictions]
    for rule in questionnaire.implications:
        for implied, key in rule.then.items():
            levels = questionnaire.question(implied).levels
            others = tuple(level.key for level in levels if level.key != key)
            misfits.append(Misfit("implied", rule.when | {implied: (*others, UNKNOWN)}))
    return tuple(misfits)
