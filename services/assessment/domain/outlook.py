"""Where the unknown answers could take the verdict: the ways in which they could fall, each level weighing the same.

All ways where they are at most 4,096, else a fixed sample of 4,096. Ways whose answers newly contradict each other far
enough to call for a talk, or leave no room for each other, are left out: they would be asked back. What is left is
complete, so the demand for completeness plays no part.

An unanswered question without points does not fall: it leaves the verdict to the scores. What its answers would do is
said beside the ways, for each of them over all ways.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain import splits
from services.assessment.domain.rounding import STEPS, half_up, shared_out
from services.assessment.domain.scale import Misfit, Scale, Span
from services.assessment.domain.verdict import Many, Scored, Truths, in_conflict, in_reach_of_a_split, misfits, settled
from shared.contracts.assessment import IfAnswered, NextQuestion, Outlook
from shared.questionnaire import UNKNOWN

MOST_WAYS = 4096

Integers = NDArray[np.int64]

# Where shares are equal, the verdict that claims less leads.
_CAUTIOUS: tuple[Scored, ...] = ("unclear", "both", "continuity", "execution")
_LEFT_OUT = len(_CAUTIOUS)


class Prospects(NamedTuple):
    """The outlook, the unanswered questions with the one to ask first at their head, and that one in detail.

    There is no outlook where nothing is unknown, and no next question where no way fits together.
    """

    outlook: Outlook | None
    unknown: tuple[str, ...]
    next_question: NextQuestion | None


@dataclass(frozen=True, slots=True)
class _Levels:
    """For each question what each level adds to the axes and to the evidence, and where it falls in the sample."""

    continuity: dict[str, Integers]
    execution: dict[str, Integers]
    evidence: dict[str, Integers]
    sample: dict[str, Integers]


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways in which the unknown answers could fall, what each adds up to and leads to, and whether it fits.

    Those `in_reach` would be both, were a split said and shown.
    """

    answers: dict[str, str]
    unknown: list[str]
    falls: Integers
    totals: Many
    verdicts: Integers
    fitting: Truths
    in_reach: Truths


def prospects(answers: dict[str, str], scale: Scale) -> Prospects:
    """What the unknown answers among these, one for every question, could still do.

    A question moves the outlook by the expected rise of the sum of its squared shares once it is answered, to four
    decimals. The one that moves it most comes first, but those with points before those without, which cannot complete
    a case; those that move nothing come last. Where that is equal, the question that could move the margin further
    comes first, then catalogue order.
    """
    unknown = [question for question in scale.levels if answers[question] == UNKNOWN]
    if not unknown:
        return Prospects(None, (), None)
    falling = [question for question in unknown if question not in scale.unscored]
    unanswered = [question for question in unknown if question in scale.unscored]
    falls, exact = _falls(falling, scale)
    totals = _totals(answers, falling, falls, scale)
    fitting = _fitting(answers, falling, falls, scale)
    ways = _Ways(
        answers, falling, falls, totals, _verdicts(totals, scale), fitting, in_reach_of_a_split(totals, scale.limits)
    )
    verdicts = np.where(fitting, ways.verdicts, _LEFT_OUT)
    tallies = {
        question: _tally(fall, verdicts, len(scale.levels[question]))
        for question, fall in zip(falling, falls, strict=True)
    }
    for question in unanswered:
        tallies[question] = [_counts(_if_answered(question, level, ways, scale)) for level in scale.levels[question]]
    moves = {question: _moved_by(tally) for question, tally in tallies.items()}
    order = sorted(
        unknown,
        key=lambda name: (not moves[name], name in scale.unscored, -moves[name], -_width(name, scale)),
    )
    towards_both = {question: max(map(_share_of_both, tallies[question])) for question in unanswered}
    return Prospects(
        _outlook(_counts(verdicts), falls.shape[1], exact, towards_both),
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
    return np.indices(counts).reshape(len(counts), prod(counts))


@lru_cache(maxsize=32)
def _levels_of(scale: Scale) -> _Levels:
    spans = {question: [scale.spans[question][key] for key in keys] for question, keys in scale.levels.items()}
    return _Levels(
        {question: np.array([span.continuity_low for span in levels]) for question, levels in spans.items()},
        {question: np.array([span.execution_low for span in levels]) for question, levels in spans.items()},
        {question: np.array([span.evidence_low for span in levels]) for question, levels in spans.items()},
        {question: sampled(question, len(levels)) for question, levels in spans.items()},
    )


def sampled(question: str, levels: int) -> Integers:
    """The levels on which a question falls in the sample: each equally often, in an order drawn by SHAKE-256.

    A hash and a sort of integers give the same on every machine, and each question its own order wherever it stands.
    """
    keys = np.frombuffer(hashlib.shake_256(question.encode()).digest(8 * MOST_WAYS), "<u8")
    return np.argsort(np.argsort(keys, kind="stable")) * levels // MOST_WAYS


def _totals(answers: Mapping[str, str], unknown: Sequence[str], falls: Integers, scale: Scale) -> Many:
    """What each way adds up to."""
    levels = _levels_of(scale)
    known = [spans[answers[question]] for question, spans in scale.spans.items() if answers[question] != UNKNOWN]
    continuity = np.full(falls.shape[1], sum(span.continuity_low for span in known))
    execution = np.full(falls.shape[1], sum(span.execution_low for span in known))
    evidence = np.full(falls.shape[1], sum(span.evidence_low for span in known))
    for question, fall in zip(unknown, falls, strict=True):
        continuity += levels.continuity[question].take(fall)
        execution += levels.execution[question].take(fall)
        evidence += levels.evidence[question].take(fall)
    margin = continuity * scale.whole.execution_capacity - execution * scale.whole.continuity_capacity
    return Span(continuity, continuity, execution, execution, margin, margin, evidence, evidence)


def _verdicts(totals: Many, scale: Scale) -> Integers:
    """The place in `_CAUTIOUS` of each way's verdict on scores."""
    holds = settled(totals, scale.limits)
    places = np.zeros(totals.margin_low.shape, np.int64)
    for place, verdict in enumerate(_CAUTIOUS):
        places += place * holds[verdict]
    return places


def _if_answered(question: str, level: str, ways: _Ways, scale: Scale) -> Integers:
    """The verdicts of all ways were a question without points answered so; as they are where it says nothing."""
    verdicts, fitting = ways.verdicts, ways.fitting
    if (said := scale.unscored[question][level]) and ways.in_reach.any():
        divided = ways.in_reach & splits.divides(ways.totals.evidence_low + said)
        verdicts = np.where(divided, _CAUTIOUS.index("both"), verdicts)
    answers = ways.answers | {question: level}
    if any(question in misfit.when and _can_arise(misfit, answers, scale) for misfit in scale.misfits):
        fitting = _fitting(answers, ways.unknown, ways.falls, scale)
    return np.where(fitting, verdicts, _LEFT_OUT)


def _can_arise(misfit: Misfit, answers: dict[str, str], scale: Scale) -> bool:
    """Whether some way, or these answers already, are what the misfit says they must not be."""
    return all(
        answers[question] in keys or (answers[question] == UNKNOWN and question not in scale.unscored)
        for question, keys in misfit.when.items()
    )


def _fitting(answers: dict[str, str], unknown: Sequence[str], falls: Integers, scale: Scale) -> Truths:
    """Which ways call for no talk, and newly leave every answer room."""
    rows = dict(zip(unknown, falls, strict=True))
    fits = np.full(falls.shape[1], not in_conflict(misfits(answers, scale), scale))
    soft = np.zeros(falls.shape[1], np.int64)
    for misfit in scale.misfits:
        if not _can_arise(misfit, answers, scale):
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


def _counts(verdicts: Integers) -> list[int]:
    """How many ways lead to each verdict."""
    counts: list[int] = np.bincount(verdicts, minlength=_LEFT_OUT + 1)[:_LEFT_OUT].tolist()
    return counts


def _share_of_both(counts: Sequence[int]) -> float:
    return half_up(counts[_CAUTIOUS.index("both")], sum(counts)) if any(counts) else 0


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
    span = scale.spans[question][UNKNOWN]
    return span.margin_high - span.margin_low


def _leading(counts: Sequence[int]) -> int:
    return max(range(len(counts)), key=lambda place: counts[place])


def _outlook(counts: Sequence[int], ways: int, exact: bool, towards_both: dict[str, float]) -> Outlook:
    """From the ways to each verdict; `contradictory` has a share, and then all of it, only where no way fits."""
    fitting = sum(counts)
    shares = shared_out([*counts, 0 if fitting else 1])
    return Outlook(
        shares=dict(zip((*_CAUTIOUS, "contradictory"), shares, strict=True)),
        leading=_CAUTIOUS[_leading(counts)] if fitting else "contradictory",
        ways=fitting or ways,
        exact=exact,
        towards_both=towards_both,
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
