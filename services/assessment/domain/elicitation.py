"""From what people say to the numbers of a rubric: values from a few points, weights from swings or from a ranking."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from services.assessment.domain.rubric import WHOLE_WEIGHT


def value_at(
    x: Fraction,
    cutoffs: Sequence[Fraction],
    values: Sequence[Fraction],
    outside: Literal["refuse", "clip", "extend"] = "refuse",
) -> Fraction:
    """A piecewise linear value function through these points, the cutoffs ascending, at x.

    Outside the cutoffs ValueError, the nearest value, or the outer piece carried on.
    """
    if not cutoffs[0] <= x <= cutoffs[-1]:
        if outside == "refuse":
            raise ValueError(f"{x} lies outside {cutoffs[0]} to {cutoffs[-1]}")
        if outside == "clip":
            return values[0] if x < cutoffs[0] else values[-1]
    pieces = list(pairwise(zip(cutoffs, values, strict=True)))
    (left, low), (right, high) = next((piece for piece in pieces if x <= piece[1][0]), pieces[-1])
    return low + (high - low) * (x - left) / (right - left)


def swing_weights(swings: Sequence[int]) -> list[Fraction]:
    """Weights in proportion to what each swing from worst to best is worth."""
    return [Fraction(swing, sum(swings)) for swing in swings]


def rank_order_centroid(count: int) -> list[Fraction]:
    """The mean of all weights that keep a ranking, most important first (Barron and Barrett 1996)."""
    return [sum((Fraction(1, k) for k in range(i, count + 1)), Fraction(0)) / count for i in range(1, count + 1)]


def basis_points(weights: Sequence[Fraction]) -> list[int]:
    """Weights that add up to 1 as basis points that add up to 10,000: largest remainder, ties in order."""
    shown = [divmod(weight * WHOLE_WEIGHT, 1) for weight in weights]
    left_over = WHOLE_WEIGHT - sum(whole for whole, _ in shown)
    raised = sorted(range(len(shown)), key=lambda index: -shown[index][1])[:left_over]
    return [whole + (index in raised) for index, (whole, _) in enumerate(shown)]
