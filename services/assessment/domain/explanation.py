"""What the answers add up to, in points a person reads: scores, contributions to the margin, and reasons.

Points are shown with one decimal, rounded half up (a half goes towards plus infinity) from the exact value, so a
margin may differ by 0.1 from the difference of the two scores beside it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from services.assessment.domain.scale import Part, Scale
from shared.contracts.assessment import Contribution, Dimension, Reason, Score, Scores
from shared.questionnaire import UNKNOWN

REASONS_PER_SIDE = 4


def points(answers: Mapping[str, str], part: Part) -> tuple[Scores, Score]:
    """Both axes of a part, 0 to 100, and their margin, continuity less execution; no values while one is unknown."""
    total = part.total(answers)
    known = all(answers[question] != UNKNOWN for question in part.spans)
    continuity = _score(total.continuity_low, total.continuity_high, part.continuity_capacity, known)
    execution = _score(total.execution_low, total.execution_high, part.execution_capacity, known)
    margin = _score(total.margin_low, total.margin_high, part.margin_capacity, known)
    return Scores(continuity=continuity, execution=execution), margin


def dimensions(answers: Mapping[str, str], scale: Scale) -> tuple[Dimension, ...]:
    """The same for each dimension on its own scale, in catalogue order."""
    shown = []
    for dimension, part in scale.dimensions.items():
        scores, margin = points(answers, part)
        shown.append(Dimension(dimension=dimension, scores=scores, margin=margin))
    return tuple(shown)


def contributions(answers: Mapping[str, str], scale: Scale) -> tuple[Contribution, ...]:
    """What each answer adds to the margin, in catalogue order.

    The known ones are rounded by largest remainder (ties in catalogue order), each down or up to a neighbouring
    tenth, so that they add up exactly to their rounded sum. `low` and `high` are rounded outwards to enclose them.
    """
    capacity = scale.whole.margin_capacity
    known = {
        question: levels[answers[question]].margin_low
        for question, levels in scale.whole.spans.items()
        if answers[question] != UNKNOWN
    }
    shown = dict(zip(known, _apportioned(list(known.values()), capacity), strict=True))
    return tuple(
        Contribution(
            question=question,
            dimension=scale.dimension_of[question],
            answer=answers[question],
            margin=shown[question] / 10 if question in shown else None,
            low=(1000 * levels[UNKNOWN].margin_low // capacity) / 10,
            high=-(-1000 * levels[UNKNOWN].margin_high // capacity) / 10,
        )
        for question, levels in scale.whole.spans.items()
    )


def reasons(answers: Mapping[str, str], scale: Scale) -> tuple[Reason, ...]:
    """The answers that push hardest, at most four to each side, largest first; ties in catalogue order."""
    sides: Counter[str] = Counter()
    found = []
    for reason in _conceivable_reasons(scale):
        if answers[reason.question] == reason.answer and sides[reason.side] < REASONS_PER_SIDE:
            sides[reason.side] += 1
            found.append(reason)
    return tuple(found)


@lru_cache(maxsize=32)
def _conceivable_reasons(scale: Scale) -> tuple[Reason, ...]:
    capacity = scale.whole.margin_capacity
    distances = []
    for question, levels in scale.whole.spans.items():
        margins = {key: span.margin_low for key, span in levels.items() if key != UNKNOWN}
        mean = Fraction(sum(margins.values()), len(margins))
        distances += [(added - mean, question, key) for key, added in margins.items()]
    distances.sort(key=lambda distance: -abs(distance[0]))
    return tuple(
        Reason(side="continuity" if distance > 0 else "execution", question=question, answer=key, points=points)
        for distance, question, key in distances
        if (points := tenths(abs(distance), capacity) / 10) > 0
    )


def tenths(numerator: int | Fraction, capacity: int) -> int:
    """Points in tenths, half up, where `capacity` makes 100 points."""
    return (2000 * numerator + capacity) // (2 * capacity)


def _score(low: int, high: int, capacity: int, known: bool) -> Score:
    least, most = tenths(low, capacity) / 10, tenths(high, capacity) / 10
    return Score(value=least if known else None, low=least, high=most)


def _apportioned(numerators: Sequence[int], capacity: int) -> list[int]:
    """Tenths, each at most one off its exact value, that add up to the tenths of the sum."""
    parts = [divmod(1000 * numerator, capacity) for numerator in numerators]
    shown = [whole for whole, _ in parts]
    left_over = tenths(sum(numerators), capacity) - sum(shown)
    by_remainder = sorted(range(len(parts)), key=lambda index: -parts[index][1])
    for index in by_remainder[:left_over]:
        shown[index] += 1
    return shown
