"""How the result stands when nothing is known of the weights: every weighting equally plausible, solved exactly.

What the answers add for each unit of weight are numbers d; a weighting w is a point of the simplex, and a side leads
where the sum of w x d lies on it. That part of the simplex has a volume in closed form (Varsi 1973, Ali 1973), each
step of which is a mean of two earlier values and therefore stable. The capacities stay the rubric's own.
"""

from collections.abc import Mapping, Sequence

from services.assessment.domain.rounding import half_up, shared_out
from services.assessment.domain.scale import Scale
from shared.contracts.assessment import CentralWeights
from shared.questionnaire import UNKNOWN

_FINE = 2**52


def share(answers: Mapping[str, str], scale: Scale) -> float | None:
    """The share of all weightings in which continuity leads; null while an answer is unknown, and for a perfect tie."""
    if UNKNOWN in answers.values():
        return None
    return leading_share(_differences(answers, scale))


def central_weights(answers: Mapping[str, str], scale: Scale) -> CentralWeights | None:
    """What one would have to believe to prefer each side, by question; null while an answer is unknown."""
    if UNKNOWN in answers.values():
        return None
    differences = _differences(answers, scale)
    continuity = mean_weights(differences)
    execution = mean_weights([-difference for difference in differences])
    return CentralWeights(
        continuity=dict(zip(scale.weights_bp, continuity, strict=True)) if continuity else None,
        execution=dict(zip(scale.weights_bp, execution, strict=True)) if execution else None,
    )


def leading_share(differences: Sequence[int]) -> float | None:
    """The share of weightings that give a sum above 0, to four decimals; null when every difference is 0."""
    if not any(differences):
        return None
    volume = _volume(*_sides(differences))[-1][-1]
    return half_up(round(_FINE * volume), _FINE)


def mean_weights(differences: Sequence[int]) -> list[float] | None:
    """The mean of the weightings that give a sum above 0, adding up to 1 at four decimals; null when there are none.

    A difference's mean weight is the share with that difference there twice, over the share times their number.
    """
    supporting, opposing = _sides(differences)
    if not supporting:
        return None
    volume = _volume(supporting, opposing)
    shares = {0: volume[-1][-1]}
    for difference in set(supporting):
        shares[difference] = _step(volume[-1], difference, opposing)[-1]
    for difference in set(opposing):
        twice = 0.0
        for supported, row in zip(supporting, volume[1:], strict=True):
            twice = (difference * twice + supported * row[-1]) / (difference + supported)
        shares[-difference] = twice
    return shared_out([round(_FINE * shares[difference] / shares[0]) for difference in differences])


def _differences(answers: Mapping[str, str], scale: Scale) -> list[int]:
    return [levels[answers[question]].low for question, levels in scale.differences.items()]


def _sides(differences: Sequence[int]) -> tuple[list[int], list[int]]:
    """How hard each difference pushes up and down; sorted, so that their order cannot matter."""
    supporting = sorted(difference for difference in differences if difference > 0)
    return supporting, sorted(-difference for difference in differences if difference < 0)


def _volume(supporting: Sequence[int], opposing: Sequence[int]) -> list[list[float]]:
    """Rows for 0, 1, ... of the supporting; entry k is the share that leads against the first k of the opposing."""
    rows = [[1.0] + [0.0] * len(opposing)]
    for difference in supporting:
        rows.append(_step(rows[-1], difference, opposing))
    return rows


def _step(row: Sequence[float], supported: int, opposing: Sequence[int]) -> list[float]:
    """The next row, with one more that supports."""
    share = row[0]
    following = [share]
    for opposed, before in zip(opposing, row[1:], strict=True):
        share = (opposed * before + supported * share) / (opposed + supported)
        following.append(share)
    return following
