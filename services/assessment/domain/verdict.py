"""The verdict and its strength, decided on integers alone; standing exactly at a threshold reaches it."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain import robustness, splits
from services.assessment.domain.scale import Limits, Misfit, Scale, Span
from services.assessment.domain.weight_bank import VECTORS
from shared.contracts.assessment import Strength, Verdict
from shared.questionnaire import UNKNOWN, matches

Scored = Literal["continuity", "execution", "both", "unclear"]
Truths = NDArray[np.bool_]
Many = Span[NDArray[np.int64]]


def answered_weight_bp(answers: Mapping[str, str], scale: Scale) -> int:
    """The weight of the answered questions, in basis points of the whole."""
    return sum(weight for question, weight in scale.weights_bp.items() if answers[question] != UNKNOWN)


def decide(answers: dict[str, str], total: Span[int], scale: Scale) -> Verdict:
    """The verdict on these answers, one for every question.

    Completeness comes before contradictions: first what is missing is asked, then what does not fit. A verdict holds
    for every completion that does not contradict itself; where an unknown answer could still decide, it is
    `incomplete`. That is judged at the ends of the intervals, so it may be said once too often and never too seldom.
    An unanswered question without points leaves the verdict to the scores.
    """
    if not _is_complete(answers, scale):
        return "incomplete"
    if in_conflict(misfits(answers, scale), scale):
        return "contradictory"
    return next((verdict for verdict, holds in settled(total, scale.limits).items() if holds), "incomplete")


def _is_complete(answers: Mapping[str, str], scale: Scale) -> bool:
    return answered_weight_bp(answers, scale) >= scale.rule.min_answered_weight_bp and all(
        answers[question] != UNKNOWN for question in scale.key_questions
    )


def misfits(answers: dict[str, str], scale: Scale) -> list[Misfit]:
    """Which of these answers do not go together."""
    return [misfit for misfit in scale.misfits if matches(misfit.when, answers)]


def in_conflict(open_misfits: Iterable[Misfit], scale: Scale) -> bool:
    """Whether contradictions are enough to call for a talk: one hard one, or some soft ones."""
    kinds = [misfit.kind for misfit in open_misfits]
    return "hard" in kinds or kinds.count("soft") >= scale.rule.soft_contradictions_for_call


@overload
def settled(total: Span[int], limits: Limits) -> dict[Scored, bool]: ...


@overload
def settled(total: Many, limits: Limits) -> dict[Scored, Truths]: ...


def settled(total: Span[Any], limits: Limits) -> dict[Scored, Any]:
    """For each verdict on scores, whether it holds anywhere between the ends; for arrays, element by element."""
    if all(low is high for low, high in zip(total[::2], total[1::2], strict=True)):
        both = _both(total, limits)
        sure = _one_sure(total, limits, both ^ True)
        return {"both": both, **sure, "unclear": (both | sure["continuity"] | sure["execution"]) ^ True}
    excluded = _excluded(total, limits)
    return {
        "both": _both(total, limits),
        **_one_sure(total, limits, excluded["both"]),
        "unclear": excluded["both"] & excluded["continuity"] & excluded["execution"],
    }


def possible(total: Many, limits: Limits) -> dict[Scored, Truths]:
    """For each verdict on scores, where it may hold somewhere between the ends."""
    one_or_both = _one_sure(total, limits, not_both=True)
    return {
        **{verdict: ~nowhere for verdict, nowhere in _excluded(total, limits).items()},
        "unclear": ~(_both(total, limits) | one_or_both["continuity"] | one_or_both["execution"]),
    }


def in_reach_of_a_split(total: Span[Any], limits: Limits) -> Any:
    """Whether both scores are high enough, and near enough to each other, for a split to make it both."""
    return (
        (total.continuity_low >= limits.split_continuity)
        & (total.execution_low >= limits.split_execution)
        & (total.margin_high < limits.split_margin)
        & (total.margin_low > -limits.split_margin)
    )


def _both(total: Span[Any], limits: Limits) -> Any:
    return (
        (total.continuity_low >= limits.hybrid_continuity)
        & (total.execution_low >= limits.hybrid_execution)
        & (total.margin_high < limits.hybrid_margin)
        & (total.margin_low > -limits.hybrid_margin)
    ) | (in_reach_of_a_split(total, limits) & splits.divides(total.evidence_low))


def _one_sure(total: Span[Any], limits: Limits, not_both: Any) -> dict[Scored, Any]:
    return {
        "continuity": not_both
        & (total.margin_low >= limits.margin_needed)
        & (total.continuity_low >= limits.leader_continuity),
        "execution": not_both
        & (total.margin_high <= -limits.margin_needed)
        & (total.execution_low >= limits.leader_execution),
    }


def _excluded(total: Span[Any], limits: Limits) -> dict[Scored, Any]:
    return {
        "both": (
            (total.continuity_high < limits.hybrid_continuity)
            | (total.execution_high < limits.hybrid_execution)
            | (total.margin_low >= limits.hybrid_margin)
            | (total.margin_high <= -limits.hybrid_margin)
        )
        & (
            (total.continuity_high < limits.split_continuity)
            | (total.execution_high < limits.split_execution)
            | (total.margin_low >= limits.split_margin)
            | (total.margin_high <= -limits.split_margin)
            | splits.leaves_whole(total.evidence_high)
        ),
        "continuity": (total.margin_high < limits.margin_needed) | (total.continuity_high < limits.leader_continuity),
        "execution": (total.margin_low > -limits.margin_needed) | (total.execution_high < limits.leader_execution),
    }


def strength_of(verdict: Verdict, answers: Mapping[str, str], total: Span[int], scale: Scale) -> Strength | None:
    """`clear` when margin and robustness say so for every completion, else `leaning`; null where no need is named.

    One need is never clear while an unanswered question without points could still make it both.
    """
    limits = scale.limits
    match verdict:
        case "continuity":
            clear = (
                total.margin_low >= limits.margin_for_clear
                and _is_undivided(answers, total, scale)
                and robustness.vectors(answers, scale).low >= limits.vectors_for_clear
            )
        case "execution":
            clear = (
                total.margin_high <= -limits.margin_for_clear
                and _is_undivided(answers, total, scale)
                and robustness.vectors(answers, scale).high <= VECTORS - limits.vectors_for_clear
            )
        case "both":
            clear = max(total.margin_high, -total.margin_low) < limits.margin_needed
        case _:
            return None
    return "clear" if clear else "leaning"


def _is_undivided(answers: Mapping[str, str], total: Span[int], scale: Scale) -> bool:
    unsaid = sum(splits.most(levels.values()) for name, levels in scale.unscored.items() if answers[name] == UNKNOWN)
    is_whole: bool = undivided(total, unsaid, scale.limits)
    return is_whole


def undivided(total: Span[Any], unsaid: Any, limits: Limits) -> Any:
    """Whether it cannot be both, even if all that is `unsaid` of splits were said; for arrays, element by element."""
    return _excluded(total._replace(evidence_high=total.evidence_high + unsaid), limits)["both"]
