"""Whether values and thresholds make sense together."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from services.assessment.domain.document import Fault
from services.assessment.domain.rubric import AXES, Rubric, Rule, ScoredQuestion
from services.assessment.domain.scale import Part, scale_of
from services.assessment.domain.splits import Hybrids
from shared.questionnaire import UNKNOWN, Questionnaire

SHARES = 20


def turns(index: int, entry: dict[str, Any], questionnaire: Questionnaire) -> list[Fault]:
    """The first level of a question at which a need turns back, for each need."""
    try:
        scored = ScoredQuestion.model_validate(entry)
        asked = questionnaire.question(scored.id)
    except (ValidationError, KeyError):
        return []
    keys = [level.key for level in asked.levels if level.key in scored.levels]
    faults = []
    for axis in AXES:
        values = [getattr(scored.levels[key], axis) for key in keys]
        steps = [after - before for before, after in pairwise(values)]
        direction = next((step for step in steps if step), 0)
        turned = next((key for key, step in zip(keys[1:], steps, strict=True) if step * direction < 0), None)
        if turned is not None:
            way = f"{axis} goes {', '.join(map(str, values))}"
            faults.append(
                Fault(
                    ("questions", index, "levels", turned),
                    f"question {scored.id}: {way} from level to level, and turns back at {turned}: "
                    "let it only rise or only fall",
                )
            )
    return faults


def idle(questions: Sequence[ScoredQuestion]) -> list[Fault]:
    """The questions that have a weight and whose answers make no difference."""
    return [
        Fault(
            ("questions", index, "levels"),
            f"question {question.id}: all levels have the same values, so its weight of {question.weight_bp} moves "
            "nothing: tell the levels apart, or give the weight to another question",
        )
        for index, question in enumerate(questions)
        if question.weight_bp and len(set(question.levels.values())) == 1
    ]


def thresholds(rule: Rule, hybrids: Hybrids | None) -> list[Fault]:
    """The thresholds that leave a gap beside another, or undo it."""
    faults = []
    if rule.margin_for_clear < rule.margin_needed:
        faults.append(
            Fault(
                ("rule", "margin_for_clear"),
                f"a lead is clear from {rule.margin_for_clear} points, but needs {rule.margin_needed} to count at all: "
                f"give margin_for_clear at least {rule.margin_needed}",
            )
        )
    if rule.hybrid_floor < rule.leader_floor:
        faults.append(
            Fault(
                ("rule", "hybrid_floor"),
                f"both needs are called high from {rule.hybrid_floor} points, where one alone must reach "
                f"{rule.leader_floor} to lead: give hybrid_floor at least {rule.leader_floor}",
            )
        )
    if rule.hybrid_max_margin < rule.margin_needed:
        faults.append(
            Fault(
                ("rule", "hybrid_max_margin"),
                f"two high needs that are {rule.hybrid_max_margin} to {rule.margin_needed} points apart would get no "
                f"verdict: give hybrid_max_margin at least {rule.margin_needed}",
            )
        )
    if hybrids and hybrids.floor >= rule.hybrid_floor and hybrids.max_margin <= rule.hybrid_max_margin:
        faults.append(
            Fault(
                ("hybrids", "floor"),
                f"two needs that reach {hybrids.floor} points less than {hybrids.max_margin} apart are both high "
                "without a split, so splits never count: lower the floor of hybrids, or raise their max_margin",
            )
        )
    return faults


def verdicts(rubric: Rubric | None, questionnaire: Questionnaire | None) -> list[Fault] | None:
    """The verdicts that no answers at all can lead to."""
    if rubric is None or questionnaire is None:
        return None
    scale = scale_of(rubric, questionnaire)
    whole, limits = scale.whole, scale.limits
    anything = whole.total(dict.fromkeys(scale.levels, UNKNOWN))
    leads = zip(AXES, (anything.margin_high, -anything.margin_low), strict=True)
    faults = [
        Fault(
            ("rule", "margin_for_clear"),
            f"no answers let {axis} lead by more than {100 * lead // whole.margin_capacity} points, so it is never "
            "clear: tell the levels further apart, or lower margin_for_clear",
        )
        for axis, lead in leads
        if lead < limits.margin_for_clear
    ]
    highest = min(_weaker_at_most(whole, share) for share in range(SHARES + 1))
    if highest < rubric.rule.hybrid_floor:
        faults.append(
            Fault(
                ("rule", "hybrid_floor"),
                f"no answers bring both needs above {float(highest):.1f} points, so they are never both high: raise "
                "levels that speak for both, or lower hybrid_floor",
            )
        )
    return faults


def _weaker_at_most(whole: Part, share: int) -> Fraction:
    """Points that the weaker need cannot pass: it is at most any mean of the two, here with these weights."""
    continuity, execution = share * whole.execution_capacity, (SHARES - share) * whole.continuity_capacity
    most = sum(
        max(continuity * span.continuity_low + execution * span.execution_low for span in levels.values())
        for levels in whole.spans.values()
    )
    return Fraction(100 * most, SHARES * whole.margin_capacity)
