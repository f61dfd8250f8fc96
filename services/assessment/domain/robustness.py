"""In what share of the plausible weightings continuity leads: the margin under each vector of the weight bank.

The weights of the bank and what the answers add are integers, and their products add up to less than 2^53, so sums in
64-bit floats are exact whatever their order. The capacities stay the rubric's own.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.scale import Ends, Scale
from services.assessment.domain.weight_bank import VECTORS
from shared.questionnaire import UNKNOWN

CHUNK = 25


def share(answers: Mapping[str, str], scale: Scale) -> float | None:
    """The share of weightings with a margin above 0, exact to four decimals; null while an answer is unknown."""
    if UNKNOWN in answers.values():
        return None
    return vectors(answers, scale).low / VECTORS


def vectors(answers: Mapping[str, str], scale: Scale) -> Ends:
    """How many of the 10,000 weightings have a margin above 0: the fewest and the most of all completions.

    An unknown answer's lowest level is the lowest under every weighting, so the fewest are those of one completion.
    """
    lows, highs = zip(*(levels[answers[question]] for question, levels in scale.differences.items()), strict=True)
    return Ends(_count(lows, scale), _count(highs, scale))


@lru_cache(maxsize=2)
def _count(differences: tuple[int, ...], scale: Scale) -> int:
    """Kept while a case is worked on: its strength and its share both ask for it."""
    (count,) = counts(np.array([differences]), scale)
    return count


def counts(differences: NDArray[np.int64], scale: Scale) -> list[int]:
    """The same for many cases, one in each row: what its answers add for each basis point of weight, by question."""
    columns = scale.weight_bank.columns
    found = []
    for start in range(0, len(differences), CHUNK):
        margins = differences[start : start + CHUNK].astype(np.float64) @ columns
        found += [int(np.count_nonzero(leads)) for leads in margins > 0]
    return found
