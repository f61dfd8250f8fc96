"""Many cases under one rubric at once: the verdict, strength and margin that `assess` gives each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain import robustness, splits
from services.assessment.domain.explanation import tenths
from services.assessment.domain.rubric import Rubric
from services.assessment.domain.scale import Scale, Span, scale_of
from services.assessment.domain.scoring import UnheardAnswer
from services.assessment.domain.verdict import Many, Scored, Truths, settled, undivided
from services.assessment.domain.weight_bank import VECTORS
from shared.contracts.assessment import Strength, Verdict
from shared.questionnaire import UNKNOWN, Condition, Questionnaire

SETTLED: tuple[Scored, ...] = ("both", "continuity", "execution", "unclear")
VERDICTS: tuple[Verdict, ...] = ("incomplete", "contradictory", *SETTLED)

Integers = NDArray[np.int64]
Cases = dict[str, Integers]


@dataclass(frozen=True)
class Outcomes:
    """An entry for each case. Margins are in points with one decimal; where every answer is known the ends are one.

    `vectors_low` and `vectors_high` are the fewest and the most weightings of the bank in which continuity leads.
    """

    verdicts: list[Verdict]
    strengths: list[Strength | None]
    margins_low: list[float]
    margins_high: list[float]
    vectors_low: list[int]
    vectors_high: list[int]


def replay(cases: Sequence[Mapping[str, str]], rubric: Rubric, questionnaire: Questionnaire) -> Outcomes:
    """The outcome of each case, level keys by question; what is left out is unknown.

    UnheardAnswer when one of them names what the questionnaire does not have.
    """
    scale = scale_of(rubric, questionnaire)
    levels = _completed(_levels(cases, scale), scale, questionnaire)
    total = _total(levels, scale)
    verdicts = _verdicts(levels, total, scale)
    vectors = _vectors(levels, scale)
    return Outcomes(
        verdicts=[VERDICTS[place] for place in verdicts.tolist()],
        strengths=_strengths(verdicts, total, vectors, _undivided(levels, total, scale), scale),
        margins_low=_points(total.margin_low, scale),
        margins_high=_points(total.margin_high, scale),
        vectors_low=vectors[0].tolist(),
        vectors_high=vectors[1].tolist(),
    )


def _levels(cases: Sequence[Mapping[str, str]], scale: Scale) -> Cases:
    """For each question the place of each case's level; after the last one that of not knowing."""
    found = {}
    for question, keys in scale.levels.items():
        places = {key: place for place, key in enumerate((*keys, UNKNOWN))}
        try:
            found[question] = np.array([places[case.get(question, UNKNOWN)] for case in cases], np.int64)
        except KeyError as unheard:
            raise UnheardAnswer(f"{question}: {unheard} is not one of its answers") from unheard
    return found


def _completed(levels: Cases, scale: Scale, questionnaire: Questionnaire) -> Cases:
    for rule in questionnaire.implications:
        implied = _meets(rule.when, levels, scale)
        for question, key in rule.then.items():
            place = scale.levels[question].index(key)
            levels[question] = np.where(implied & _is_unknown(question, levels, scale), place, levels[question])
    return levels


def _is_unknown(question: str, levels: Cases, scale: Scale) -> Truths:
    unknown: Truths = levels[question] == len(scale.levels[question])
    return unknown


def _meets(when: Condition, levels: Cases, scale: Scale) -> Truths:
    """Which cases have one of the named answers to each named question."""
    meets: Truths = np.logical_and.reduce(
        [
            np.array([key in keys for key in (*scale.levels[question], UNKNOWN)]).take(levels[question])
            for question, keys in when.items()
        ]
    )
    return meets


def _total(levels: Cases, scale: Scale) -> Many:
    totals: Integers = np.zeros((len(Span._fields), len(next(iter(levels.values())))), np.int64)
    for question, spans in scale.spans.items():
        added = np.array([spans[key] for key in (*scale.levels[question], UNKNOWN)])
        totals += added.T[:, levels[question]]
    return Span(*totals)


def _verdicts(levels: Cases, total: Many, scale: Scale) -> Integers:
    """The place in `VERDICTS` of each case's verdict."""
    unknown = {question: _is_unknown(question, levels, scale) for question in scale.levels}
    answered = sum(weight * ~unknown[question] for question, weight in scale.weights_bp.items())
    lacking = np.logical_or.reduce([unknown[question] for question in scale.key_questions])
    open_soft = np.zeros_like(total.margin_low)
    conflict = np.zeros_like(lacking)
    for misfit in scale.misfits:
        if misfit.kind == "soft":
            open_soft += _meets(misfit.when, levels, scale)
        elif misfit.kind == "hard":
            conflict |= _meets(misfit.when, levels, scale)
    conflict |= open_soft >= scale.rule.soft_contradictions_for_call
    incomplete = lacking | (answered < scale.rule.min_answered_weight_bp)
    holds = settled(total, scale.limits)
    conditions = [incomplete, conflict, *(holds[verdict] for verdict in SETTLED)]
    return np.select(conditions, range(len(VERDICTS)), VERDICTS.index("incomplete"))


def _points(margins: Integers, scale: Scale) -> list[float]:
    return [tenths(margin, scale.whole.margin_capacity) / 10 for margin in margins.tolist()]


def _vectors(levels: Cases, scale: Scale) -> tuple[Integers, Integers]:
    """In how many weightings continuity leads, for each case: the fewest and the most of its completions."""
    ends = {
        question: np.array([differences[key] for key in (*scale.levels[question], UNKNOWN)])[levels[question]]
        for question, differences in scale.differences.items()
    }
    lows, highs = (np.stack([end[:, side] for end in ends.values()], axis=1) for side in (0, 1))
    open_cases = np.flatnonzero((lows != highs).any(axis=1))
    fewest = np.array(robustness.counts(lows, scale), np.int64)
    most = fewest.copy()
    most[open_cases] = robustness.counts(highs[open_cases], scale)
    return fewest, most


def _undivided(levels: Cases, total: Many, scale: Scale) -> Truths:
    """Which cases cannot become both by an answer to what is unanswered and without points."""
    unsaid = np.zeros_like(total.evidence_high)
    for question, said in scale.unscored.items():
        unsaid += splits.most(said.values()) * _is_unknown(question, levels, scale)
    is_whole: Truths = undivided(total, unsaid, scale.limits)
    return is_whole


def _strengths(
    verdicts: Integers, total: Many, vectors: tuple[Integers, Integers], whole: Truths, scale: Scale
) -> list[Strength | None]:
    limits, (fewest, most) = scale.limits, vectors
    clear = {
        "continuity": whole & (total.margin_low >= limits.margin_for_clear) & (fewest >= limits.vectors_for_clear),
        "execution": whole
        & (total.margin_high <= -limits.margin_for_clear)
        & (most <= VECTORS - limits.vectors_for_clear),
        "both": np.maximum(total.margin_high, -total.margin_low) < limits.margin_needed,
    }
    named = {place: clear[verdict] for place, verdict in enumerate(VERDICTS) if verdict in clear}
    return [
        None if place not in named else "clear" if named[place][case] else "leaning"
        for case, place in enumerate(verdicts.tolist())
    ]
