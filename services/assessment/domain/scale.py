"""A rubric made ready for arithmetic: what every answer adds, as integers, to the whole and to its dimension."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Generic, Literal, NamedTuple, TypeVar

from services.assessment.domain import splits
from services.assessment.domain.rubric import Rubric, Rule, ScoredQuestion, capacity
from services.assessment.domain.splits import Hybrids
from services.assessment.domain.weight_bank import VECTORS, WeightBank, bank_of
from shared.questionnaire import UNKNOWN, Condition, Questionnaire

T = TypeVar("T")


class Span(NamedTuple, Generic[T]):
    """The least and the most of each axis, over that axis's capacity, and of the margin, over both capacities.

    And the least and the most that is said of splits, packed. Integers for one set of answers, arrays for many. Where
    every answer is known the two ends are one. The margin's ends are taken per question, on the difference between the
    axes, so they are narrower than the difference between the axes' ends.
    """

    continuity_low: T
    continuity_high: T
    execution_low: T
    execution_high: T
    margin_low: T
    margin_high: T
    evidence_low: T
    evidence_high: T


_NOTHING = Span(0, 0, 0, 0, 0, 0, 0, 0)


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
        return _added(self.spans, answers)


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of a rule as the least integers that reach them, over the capacities of the whole."""

    hybrid_continuity: int
    hybrid_execution: int
    hybrid_margin: int
    split_continuity: int
    split_execution: int
    split_margin: int
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

    `whole`, `dimension_of`, `weights_bp` and `differences` have the questions with points; `spans` and `levels` have
    all, and `unscored` says of those without points what each answer says of splits. `differences` is what each answer
    adds to the margin for each basis point of its question's weight, with the capacities as they are; `misfits` is what
    answers must not be, for a completion or a change to make sense.
    """

    rule: Rule
    hybrids: Hybrids | None
    limits: Limits
    whole: Part
    spans: dict[str, dict[str, Span[int]]]
    unscored: dict[str, dict[str, int]]
    dimensions: dict[str, Part]
    dimension_of: dict[str, str]
    weights_bp: dict[str, int]
    key_questions: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    differences: dict[str, dict[str, Ends]]
    misfits: tuple[Misfit, ...]
    by_choice: frozenset[str]
    immutable: frozenset[str]

    def total(self, answers: Mapping[str, str]) -> Span[int]:
        """What these answers, one for every question, add up to over the whole."""
        return _added(self.spans, answers)

    def scored(self, answers: Mapping[str, str]) -> dict[str, str]:
        """Those of the answers that have points."""
        return {question: answers[question] for question in self.weights_bp}

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
    rubric, hybrids = versions.rubric, versions.rubric.hybrids
    scored = {question.id: question for question in rubric.questions}
    dimension_of = {question.id: question.dimension for question in questionnaire.questions if question.id in scored}
    questions = [scored[question] for question in dimension_of]
    whole = _part(questions)
    said = splits.evidence(hybrids, questionnaire)
    can_change = {question.id: question.can_change for question in questions} | (hybrids.unscored if hybrids else {})
    return Scale(
        rule=rubric.rule,
        hybrids=hybrids,
        limits=_limits(rubric.rule, hybrids, whole),
        whole=whole,
        spans={question: _with_evidence(whole.spans.get(question), levels) for question, levels in said.items()},
        unscored={question: levels for question, levels in said.items() if question not in scored},
        dimensions={
            dimension.key: _part(scored[name] for name, group in dimension_of.items() if group == dimension.key)
            for dimension in questionnaire.dimensions
        },
        dimension_of=dimension_of,
        weights_bp={question.id: question.weight_bp for question in questions},
        key_questions=tuple(question.id for question in questionnaire.questions if question.key_question),
        levels={question.id: tuple(level.key for level in question.levels) for question in questionnaire.questions},
        differences={question.id: _differences(question, whole) for question in questions},
        misfits=_misfits(questionnaire),
        by_choice=frozenset(question for question, by in can_change.items() if by == "by_choice"),
        immutable=frozenset(question for question, by in can_change.items() if by == "never"),
    )


def _added(spans: Mapping[str, Mapping[str, Span[int]]], answers: Mapping[str, str]) -> Span[int]:
    return Span(*map(sum, zip(*(levels[answers[question]] for question, levels in spans.items()), strict=True)))


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
            levels[key] = Span(continuity, continuity, execution, execution, margin, margin, 0, 0)
        ends = zip((min, max) * 4, zip(*levels.values(), strict=True), strict=True)
        levels[UNKNOWN] = Span(*(end(values) for end, values in ends))
        spans[question.id] = levels
    return Part(continuity_capacity, execution_capacity, spans)


def _with_evidence(points: dict[str, Span[int]] | None, said: dict[str, int]) -> dict[str, Span[int]]:
    """What each level adds in points and says of splits. Unanswered, a question without points says nothing."""
    if points is None:
        spans = {key: _NOTHING._replace(evidence_low=one, evidence_high=one) for key, one in said.items()}
        return spans | {UNKNOWN: _NOTHING}
    spans = {key: points[key]._replace(evidence_low=one, evidence_high=one) for key, one in said.items()}
    ends = {"evidence_low": splits.least(said.values()), "evidence_high": splits.most(said.values())}
    return spans | {UNKNOWN: points[UNKNOWN]._replace(**ends)}


def _limits(rule: Rule, hybrids: Hybrids | None, whole: Part) -> Limits:
    def reaching(percent: int, of: int) -> int:
        return -(-percent * of // 100)

    return Limits(
        hybrid_continuity=reaching(rule.hybrid_floor, whole.continuity_capacity),
        hybrid_execution=reaching(rule.hybrid_floor, whole.execution_capacity),
        hybrid_margin=reaching(rule.hybrid_max_margin, whole.margin_capacity),
        split_continuity=reaching(hybrids.floor if hybrids else 0, whole.continuity_capacity),
        split_execution=reaching(hybrids.floor if hybrids else 0, whole.execution_capacity),
        split_margin=reaching(hybrids.max_margin if hybrids else 0, whole.margin_capacity),
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
