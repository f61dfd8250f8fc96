"""What the weights would have to be for the result to turn, in the order in which a reader wants it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.contracts.assessment import Assessment, CentralWeights

BELIEFS = 5
CERTAIN = 1


@dataclass(frozen=True)
class TurningPoint:
    """The share of the whole weight above or below which a question or a dimension would turn the margin.

    `side` is "at" where the margin is too small to tell from rounded points which of the two it is.
    """

    about: str
    side: Literal["above", "below", "at"]
    share: float


@dataclass(frozen=True)
class Belief:
    """A question's mean weight among all weightings that prefer each side."""

    question: str
    continuity: float
    execution: float


def of_questions(assessment: Assessment) -> list[TurningPoint]:
    """What would turn the margin by weighing more, the least first; then what would by weighing less."""
    adds = {item.question: item.margin or 0 for item in assessment.contributions}
    return _turning(assessment.stability, adds, assessment.margin.value or 0)


def of_dimensions(assessment: Assessment) -> list[TurningPoint]:
    """The same for dimensions."""
    adds = dict.fromkeys(assessment.dimension_stability, 0.0)
    for item in assessment.contributions:
        if item.dimension in adds:
            adds[item.dimension] += item.margin or 0
    return _turning(assessment.dimension_stability, adds, assessment.margin.value or 0)


def _turning(points: Mapping[str, float], adds: Mapping[str, float], margin: float) -> list[TurningPoint]:
    """A point lies below the present weight where what it adds is more than the rest takes away."""
    found = []
    for about, share in points.items():
        outweighs = abs(adds[about]) > abs(margin - adds[about])
        side: Literal["above", "below", "at"] = "at" if abs(margin) < CERTAIN else "below" if outweighs else "above"
        found.append(TurningPoint(about, side, share))
    return sorted(found, key=lambda point: (point.side, -point.share if point.side == "below" else point.share))


def beliefs(central: CentralWeights | None) -> list[Belief]:
    """The questions on whose weight the two sides differ most; none where no weighting prefers one of them."""
    if central is None or central.continuity is None or central.execution is None:
        return []
    found = [Belief(question, weight, central.execution[question]) for question, weight in central.continuity.items()]
    return sorted(found, key=lambda belief: -abs(belief.continuity - belief.execution))[:BELIEFS]
