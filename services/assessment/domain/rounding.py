"""Shares as they are shown: with four decimals, behind which differences between machines cannot be seen."""

from collections.abc import Sequence

STEPS = 10_000


def half_up(numerator: int, denominator: int) -> float:
    """A share rounded to four decimals; a half goes up."""
    return (2 * STEPS * numerator + denominator) // (2 * denominator) / STEPS


def shared_out(parts: Sequence[int]) -> list[float]:
    """Each part's share of their sum, rounded by largest remainder (ties in order) so that the shares add up to 1."""
    whole = sum(parts)
    shown = [divmod(STEPS * part, whole) for part in parts]
    left_over = STEPS - sum(steps for steps, _ in shown)
    raised = set(sorted(range(len(parts)), key=lambda index: -shown[index][1])[:left_over])
    return [(steps + (index in raised)) / STEPS for index, (steps, _) in enumerate(shown)]
