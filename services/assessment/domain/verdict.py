"""The verdict and its strength, decided on integers alone; standing exactly at a threshold reaches it."""

from collections.abc import Iterable

from services.assessment.domain.scale import Scale, Span
from shared.contracts.assessment import Strength, Verdict
from shared.questionnaire import UNKNOWN, Contradiction, Questionnaire


def answered_weight_bp(answers: dict[str, str], scale: Scale) -> int:
    """The weight of the answered questions, in basis points of the whole."""
    return sum(weight for question, weight in scale.weights_bp.items() if answers[question] != UNKNOWN)


def decide(answers: dict[str, str], total: Span, scale: Scale, questionnaire: Questionnaire) -> Verdict:
    """The verdict on these answers, one for every question.

    Completeness comes before contradictions: first what is missing is asked, then what does not fit. A verdict holds
    for every completion that does not contradict itself; where an unknown answer could still decide, it is
    `incomplete`. That is judged at the ends of the intervals, so it may be said once too often and never too seldom.
    """
    if not _complete(answers, scale):
        return "incomplete"
    if _conflict(questionnaire.open_contradictions(answers), scale):
        return "contradictory"
    whole = scale.whole
    farthest = max(total.margin_high, -total.margin_low)
    nearest = max(total.margin_low, -total.margin_high, 0)
    conditions: tuple[tuple[Verdict, bool, bool], ...] = (
        (
            "both",
            _both_high(total.continuity_low, total.execution_low, farthest, scale),
            _both_high(total.continuity_high, total.execution_high, nearest, scale),
        ),
        (
            "continuity",
            _leads(total.margin_low, total.continuity_low, whole.continuity_capacity, scale),
            _leads(total.margin_high, total.continuity_high, whole.continuity_capacity, scale),
        ),
        (
            "execution",
            _leads(-total.margin_high, total.execution_low, whole.execution_capacity, scale),
            _leads(-total.margin_low, total.execution_high, whole.execution_capacity, scale),
        ),
    )
    for verdict, certain, possible in conditions:
        if certain:
            return verdict
        if possible:
            return "incomplete"
    return "unclear"


def strength_of(verdict: Verdict, total: Span, scale: Scale) -> Strength | None:
    """`clear` when the margin says so for every completion, else `leaning`; null for a verdict that names no need."""
    rule, capacity = scale.rule, scale.whole.margin_capacity
    match verdict:
        case "continuity":
            clear = _reaches(total.margin_low, rule.margin_for_clear, capacity)
        case "execution":
            clear = _reaches(-total.margin_high, rule.margin_for_clear, capacity)
        case "both":
            clear = not _reaches(max(total.margin_high, -total.margin_low), rule.margin_needed, capacity)
        case _:
            return None
    return "clear" if clear else "leaning"


def _complete(answers: dict[str, str], scale: Scale) -> bool:
    return answered_weight_bp(answers, scale) >= scale.rule.min_answered_weight_bp and all(
        answers[question] != UNKNOWN for question in scale.key_questions
    )


def _conflict(contradictions: Iterable[Contradiction], scale: Scale) -> bool:
    severities = [contradiction.severity for contradiction in contradictions]
    return "hard" in severities or severities.count("soft") >= scale.rule.soft_contradictions_for_call


def _both_high(continuity: int, execution: int, distance: int, scale: Scale) -> bool:
    rule, whole = scale.rule, scale.whole
    return (
        _reaches(continuity, rule.hybrid_floor, whole.continuity_capacity)
        and _reaches(execution, rule.hybrid_floor, whole.execution_capacity)
        and not _reaches(distance, rule.hybrid_max_margin, whole.margin_capacity)
    )


def _leads(margin: int, leader: int, leader_capacity: int, scale: Scale) -> bool:
    rule = scale.rule
    return _reaches(margin, rule.margin_needed, scale.whole.margin_capacity) and _reaches(
        leader, rule.leader_floor, leader_capacity
    )


def _reaches(numerator: int, points: int, capacity: int) -> bool:
    return 100 * numerator >= points * capacity
