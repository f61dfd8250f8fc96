"""At which weight a question or a dimension would turn the margin to the other side, all else in proportion.

The margin is a straight line in that weight, so there is at most one such point (a weight stability interval with one
open end). The capacities stay the rubric's own.
"""

from collections.abc import Mapping

from services.assessment.domain.rounding import half_up
from services.assessment.domain.rubric import WHOLE_WEIGHT
from services.assessment.domain.scale import Scale
from shared.questionnaire import UNKNOWN


def crossing(inside: int, outside: int) -> float | None:
    """The share of weight on `inside` at which the mean of the two is 0; null unless they lie on either side of it.

    Four decimals, half up.
    """
    if inside * outside >= 0:
        return None
    return half_up(abs(outside), abs(inside) + abs(outside))


def of_questions(answers: Mapping[str, str], scale: Scale) -> dict[str, float]:
    """Question id to the share of the whole weight at which the side flips; empty while an answer is unknown."""
    if UNKNOWN in answers.values():
        return {}
    margin = scale.whole.total(answers).margin_low
    flips = {}
    for question, weight in scale.weights_bp.items():
        difference = scale.differences[question][answers[question]].low
        flip = crossing(difference * (WHOLE_WEIGHT - weight), margin - weight * difference)
        if flip is not None:
            flips[question] = flip
    return flips


def of_dimensions(answers: Mapping[str, str], scale: Scale) -> dict[str, float]:
    """The same for each dimension, its questions in proportion."""
    if UNKNOWN in answers.values():
        return {}
    margins = dict.fromkeys(scale.dimensions, 0)
    weights = dict.fromkeys(scale.dimensions, 0)
    for question, dimension in scale.dimension_of.items():
        weights[dimension] += scale.weights_bp[question]
        margins[dimension] += scale.whole.spans[question][answers[question]].margin_low
    whole = sum(margins.values())
    flips = {}
    for dimension, margin in margins.items():
        flip = crossing(margin * (WHOLE_WEIGHT - weights[dimension]), (whole - margin) * weights[dimension])
        if flip is not None:
            flips[dimension] = flip
    return flips
