"""Where the unknown answers could take the verdict: the ways in which they could fall, each level weighing the same.

All ways where they are at most 4,096, else a fixed sample of 4,096. Ways whose answers newly contradict each other far
enough to call for a talk, or leave no room for each other, are left out: they would be asked back. What is left is
complete, so the demand for completeness plays no part.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.rounding import STEPS, half_up, shared_out
from services.assessment.domain.scale import Scale, Span
from services.assessment.domain.verdict import Scored, Truths, in_conflict, misfits, settled
from shared.contracts.assessment import IfAnswered, NextQuestion, Outlook
from shared.questionnaire import UNKNOWN

MOST_WAYS = 4096

Integers = NDArray[np.int64]

# Where shares are equal, the verdict that claims less leads.
_CAUTIOUS: tuple[Scored, ...] = ("unclear", "both", "continuity", "execution")
_LEFT_OUT = len(_CAUTIOUS)


class Prospects(NamedTuple):
    """The outlook, the unanswered questions with the one that moves it most first, and that one in detail.

    There is no outlook where nothing is unknown, and no next question where no way fits together.
    """

    outlook: Outlook | None
    unknown: tuple[str, ...]
    next_question: NextQuestion | None


@dataclass(frozen=True, slots=True)
class _Levels:
    """For each question what each level adds to the axes, and the levels on which it falls in the sample."""

    continuity: dict[str, Integers]
    execution: dict[str, Integers]
    sample: dict[str, Integers]


def prospects(answers: dict[str, str], scale: Scale) -> Prospects:
    """What the unknown answers among these, one for every question, could still do.

    A question moves the outlook by the expected rise of the sum of its squared shares once it is answered, to four
    decimals. Where that is equal, the question that could move the margin further comes first, then catalogue order.
    """
    unknown = [question for question in scale.levels if answers[question] == UNKNOWN]
    if not unknown:
        return Prospects(None, (), None)
    falls, exact = _falls(unknown, scale)
    fitting = _fitting(answers, unknown, falls, scale)
    verdicts = np.where(fitting, _verdicts(answers, unknown, falls, scale), _LEFT_OUT)
    tallies = {
        question: _tally(fall, verdicts, len(scale.levels[question]))
        for question, fall in zip(unknown, falls, strict=True)
    }
    order = sorted(unknown, key=lambda question: (-_moved_by(tallies[question]), -_width(question, scale)))
    return Prospects(
        _outlook(tallies[order[0]], falls.shape[1], exact),
        tuple(order),
        _next_question(order[0], tallies[order[0]], scale) if fitting.any() else None,
    )


def _falls(unknown: Sequence[str], scale: Scale) -> tuple[Integers, bool]:
    """On which level each unknown answer falls: a row for each, a column for each way; and whether these are all."""
    counts = tuple(len(scale.levels[question]) for question in unknown)
    if prod(counts) <= MOST_WAYS:
        return _all_ways(counts), True
    sample = _levels_of(scale).sample
    return np.array([sample[question] for question in unknown]), False


@lru_cache(maxsize=64)
def _all_ways(counts: tuple[int, ...]) -> Integers:
    return np.indices(counts).reshape(len(counts), -1)


@lru_cache(maxsize=32)
def _levels_of(scale: Scale) -> _Levels:
    spans = {question: [scale.whole.spans[question][key] for key in keys] for question, keys in scale.levels.items()}
    return _Levels(
        {question: np.array([span.continuity_low for span in levels]) for question, levels in spans.items()},
        {question: np.array([span.execution_low for span in levels]) for question, levels in spans.items()},
        {question: sampled(question, len(levels)) for question, levels in spans.items()},
    )


def sampled(question: str, levels: int) -> Integers:
    """The levels on which a question falls in the sample: each equally often, in an order drawn by SHAKE-256.

    A hash and a sort of integers give the same on every machine, and each question its own order wherever it stands.
    """
    keys = np.frombuffer(hashlib.shake_256(question.encode()).digest(8 * MOST_WAYS), "<u8")
    return np.argsort(np.argsort(keys, kind="stable")) * levels // MOST_WAYS


def _verdicts(answers: Mapping[str, str], unknown: Sequence[str], falls: Integers, scale: Scale) -> Integers:
    """The place in `_CAUTIOUS` of each way's verdict on scores."""
    levels = _levels_of(scale)
    known = [spans[answers[question]] for question, spans in scale.whole.spans.items() if answers[question] != UNKNOWN]
    continuity = np.full(falls.shape[1], sum(span.continuity_low for span in known))
    execution = np.full(falls.shape[1], sum(span.execution_low for span in known))
    for question, fall in zip(unknown, falls, strict=True):
        continuity += levels.continuity[question].take(fall)
        execution += levels.execution[question].take(fall)
    margin = continuity * scale.whole.execution_capacity - execution * scale.whole.continuity_capacity
    holds = settled(Span(continuity, continuity, execution, execution, margin, margin), scale.limits)
    places = np.zeros(falls.shape[1], np.int64)
    for place, verdict in enumerate(_CAUTIOUS):
        places += place * holds[verdict]
    return places


def _fitting(answers: dict[str, str], unknown: Sequence[str], falls: Integers, scale: Scale) -> Truths:
    """Which ways call for no talk, and newly leave every answer room."""
    rows = dict(zip(unknown, falls, strict=True))
    fits = np.full(falls.shape[1], not in_conflict(misfits(answers, scale), scale))
    soft = np.zeros(falls.shape[1], np.int64)
    for misfit in scale.misfits:
        if any(answers[question] not in (*keys, UNKNOWN) for question, keys in misfit.when.items()):
            continue
        arises = np.ones(falls.shape[1], np.bool_)
        for question in misfit.when.keys() & rows.keys():
            meant = np.array([key in misfit.when[question] for key in scale.levels[question]])
            arises &= meant.take(rows[question])
        if misfit.kind == "soft":
            soft += arises
        elif not misfit.when.keys().isdisjoint(rows):
            fits &= ~arises
    return fits & (soft < scale.rule.soft_contradictions_for_call)


def _tally(fall: Integers, verdicts: Integers, levels: int) -> list[list[int]]:
    """How many ways lead to each verdict, for each level on which a question falls."""
    width = _LEFT_OUT + 1
    counts = np.bincount(fall * width + verdicts, minlength=levels * width).reshape(levels, width)
    tally: list[list[int]] = counts[:, :_LEFT_OUT].tolist()
    return tally


def _moved_by(tally: Sequence[Sequence[int]]) -> float:
    """The expected rise of the sum of squared shares."""
    whole: list[int] = [sum(column) for column in zip(*tally, strict=True)]
    ways = sum(whole)
    if not ways:
        return 0
    after = sum(sum(count * count for count in level) / sum(level) for level in tally if any(level))
    before = sum(count * count for count in whole) / ways
    return floor((after - before) / ways * STEPS + 0.5) / STEPS


def _width(question: str, scale: Scale) -> int:
    span = scale.whole.spans[question][UNKNOWN]
    return span.margin_high - span.margin_low


def _leading(counts: Sequence[int]) -> int:
    return max(range(len(counts)), key=lambda place: counts[place])


def _outlook(tally: Sequence[Sequence[int]], ways: int, exact: bool) -> Outlook:
    """From the ways to each verdict; `contradictory` has a share, and then all of it, only where no way fits."""
    counts = [sum(column) for column in zip(*tally, strict=True)]
    fitting = sum(counts)
    shares = shared_out([*counts, 0 if fitting else 1])
    return Outlook(
        shares=dict(zip((*_CAUTIOUS, "contradictory"), shares, strict=True)),
        leading=_CAUTIOUS[_leading(counts)] if fitting else "contradictory",
        ways=fitting or ways,
        exact=exact,
    )


def _next_question(question: str, tally: Sequence[Sequence[int]], scale: Scale) -> NextQuestion:
    return NextQuestion(
        question=question,
        if_answered=tuple(
            IfAnswered(answer=key, leading=_CAUTIOUS[leading], share=half_up(level[leading], sum(level)))
            for key, level in zip(scale.levels[question], tally, strict=True)
            if any(level)
            for leading in [_leading(level)]
        ),
    )
