"""Where the bars of the drawings begin and end, in percent of their width."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Literal

from shared.contracts.assessment import Contribution, Outlook, Score, Scores, Verdict

Axis = Literal["continuity", "execution"]

# As on the head-to-head chart, execution to the left and continuity to the right.
_ACROSS: tuple[Verdict, ...] = ("execution", "unclear", "both", "continuity")


@dataclass(frozen=True)
class Bar:
    """One axis of 0 to 100: what is certain, and the stretch that depends on unknown answers."""

    axis: Axis
    score: Score
    certain: float
    open_width: float


@dataclass(frozen=True)
class Row:
    """One answer on a head-to-head chart whose common line lies at 50; `side` is null where it adds nothing known."""

    contribution: Contribution
    side: Axis | None
    start: float
    width: float


@dataclass(frozen=True)
class Part:
    """One verdict's stretch of the outlook's bar."""

    verdict: Verdict
    share: float
    start: float
    width: float


def two_bars(scores: Scores) -> tuple[Bar, Bar]:
    """Continuity above execution."""
    return (_bar("continuity", scores.continuity), _bar("execution", scores.execution))


def _bar(axis: Axis, score: Score) -> Bar:
    if score.value is not None:
        return Bar(axis, score, score.value, 0)
    return Bar(axis, score, score.low, score.high - score.low)


def head_to_head(contributions: Sequence[Contribution]) -> list[Row]:
    """Longest first, then what is unknown, widest first; the longest bar of all reaches its edge."""
    spans = [
        (item, (item.low, item.high) if item.margin is None else (min(item.margin, 0), max(item.margin, 0)))
        for item in contributions
    ]
    reach = max((abs(end) for _, span in spans for end in span), default=0) or 1
    rows = [
        Row(item, _side(item.margin), 50 + 50 * low / reach, 50 * (high - low) / reach) for item, (low, high) in spans
    ]
    return sorted(rows, key=lambda row: (row.contribution.margin is None, -row.width))


def _side(margin: float | None) -> Axis | None:
    if not margin:
        return None
    return "continuity" if margin > 0 else "execution"


def outlook_parts(outlook: Outlook) -> list[Part]:
    """The verdicts that have a share, from execution to continuity."""
    parts, start = [], 0.0
    for verdict in _ACROSS:
        if share := outlook.shares.get(verdict, 0):
            parts.append(Part(verdict, share, 100 * start, 100 * share))
            start += share
    return parts


def sampling_error(outlook: Outlook) -> int:
    """Two standard errors of a share of one half, in points rounded up; a sample's figures are seldom further off."""
    return ceil(100 / sqrt(outlook.ways))
