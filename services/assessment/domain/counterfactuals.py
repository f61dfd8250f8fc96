"""What would change the verdict: the smallest sets of changed answers that give another one, by the whole rule.

Every set of at most three changes is weighed, many at once, so what is found is smallest and nothing is missed. Only
known answers change; what a missing answer would do is the outlook's to say.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import combinations, islice
from operator import itemgetter, or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain import splits
from services.assessment.domain.scale import Misfit, Scale, Span
from services.assessment.domain.verdict import Scored, Truths, in_conflict, misfits, possible, settled, strength_of
from shared.contracts.assessment import Change, Counterfactual, Verdict
from shared.questionnaire import UNKNOWN

MOST_CHANGES = 3
SETS_PER_VERDICT = 2

Integers = NDArray[np.int64]

_SCORED: tuple[Scored, ...] = ("continuity", "execution", "both", "unclear")
_EVIDENCE = 3
_EFFORT = 4
_STEP = MOST_CHANGES + 1
_NO_CHANGE = 1 << 14


@dataclass(frozen=True, slots=True)
class _Moves:
    """The answers that can change, and what each change adds to continuity, execution, margin, evidence and effort.

    Effort counts the steps between levels first, and then whether the change is no choice of the company's. `gains` has
    the shape (5, other levels, questions, levels); where a question has fewer others than another, its last repeats
    with an effort that no change has. `evidence` is the least and the most that other levels say of splits beyond the
    level itself, shape (2, questions, levels).
    """

    others: dict[str, dict[str, tuple[str, ...]]]
    at: dict[str, dict[str, tuple[int, int]]]
    gains: Integers
    evidence: Integers


@dataclass(frozen=True, slots=True)
class _Case:
    """Answers, what they add up to, which of them do not go together, and the changes open to them."""

    scale: Scale
    answers: dict[str, str]
    total: Span[int]
    before: list[Misfit]
    questions: list[str]
    others: list[tuple[str, ...]]
    gains: Integers
    evidence: Integers


def counterfactuals(
    answers: dict[str, str], total: Span[int], verdict: Verdict, scale: Scale
) -> tuple[Counterfactual, ...]:
    """For each other verdict the smallest sets of changes that give it: at most two, each of at most three changes.

    Ordered by fewest changes, fewest steps between levels, fewest changes that are not the company's own choice, then
    catalogue order. No set changes an answer that never can change, settles a missing one, or makes answers contradict
    or leave no room for each other that did not before. Empty while the verdict is `incomplete`.
    """
    moves = _moves_of(scale)
    questions = [question for question in moves.others if answers[question] != UNKNOWN]
    if verdict == "incomplete" or not questions:
        return ()
    rows, levels = zip(*(moves.at[question][answers[question]] for question in questions), strict=True)
    case = _Case(
        scale,
        answers,
        total,
        misfits(answers, scale),
        questions,
        [moves.others[question][answers[question]] for question in questions],
        moves.gains[:, :, rows, levels],
        moves.evidence[:, rows, levels],
    )
    sets, sizes = _sets_of(len(questions))
    hopes = possible(_reach(case, sets), scale.limits)
    resolving = _resolving(case, sets)
    targets = [target for target in _SCORED if target != verdict]
    found: list[Counterfactual] = []
    for size in range(1, MOST_CHANGES + 1):
        hopeful = reduce(or_, (hopes[target] for target in targets)) & resolving & (sizes == size)
        nearest = _nearest(case, sets[:size, hopeful], targets)
        found += nearest
        reached = {counterfactual.verdict for counterfactual in nearest}
        targets = [target for target in targets if target not in reached]
        if not targets:
            break
    return tuple(found)


def _nearest(case: _Case, members: Integers, targets: Collection[Scored]) -> list[Counterfactual]:
    """The best of these sets for each verdict, in order; `members` has a column for each set."""
    if not members.size:
        return []
    added = _added(case.gains, members)
    holds = settled(_moved(case.total, added), case.scale.limits)
    efforts = added[_EFFORT]
    chosen: list[tuple[int, int, int, Counterfactual]] = []
    for target in targets:
        choices, places = np.nonzero(holds[target] & (efforts < _NO_CHANGE))
        order = np.lexsort((choices, places, efforts[choices, places]))
        sensible = (
            (place, choice, changed)
            for place, choice in zip(places[order].tolist(), choices[order].tolist(), strict=True)
            if _makes_sense(case, changed := _changed(case, members, place, choice))
        )
        for place, choice, changed in islice(sensible, SETS_PER_VERDICT):
            total = _moved(case.total, added[:, choice, place].tolist())
            counterfactual = _counterfactual(case, target, changed, total)
            chosen.append((int(efforts[choice, place]), place, choice, counterfactual))
    return [counterfactual for *_, counterfactual in sorted(chosen, key=itemgetter(0, 1, 2))]


@lru_cache(maxsize=32)
def _moves_of(scale: Scale) -> _Moves:
    changeable = {
        question: keys for question, keys in scale.levels.items() if len(keys) > 1 and question not in scale.immutable
    }
    most = max(map(len, changeable.values()), default=1)
    gains = np.zeros((_EFFORT + 1, most - 1, len(changeable), most), np.int64)
    evidence = np.zeros((2, len(changeable), most), np.int64)
    others: dict[str, dict[str, tuple[str, ...]]] = {}
    at: dict[str, dict[str, tuple[int, int]]] = {}
    for row, (question, keys) in enumerate(changeable.items()):
        spans = scale.spans[question]
        others[question], at[question] = {}, {}
        for level, key in enumerate(keys):
            elsewhere = [place for place in range(len(keys)) if place != level]
            elsewhere += elsewhere[-1:] * (most - len(keys))
            others[question][key] = tuple(keys[place] for place in elsewhere)
            at[question][key] = (row, level)
            for other, place in enumerate(elsewhere):
                to, here = spans[keys[place]], spans[key]
                gains[:, other, row, level] = (
                    to.continuity_low - here.continuity_low,
                    to.execution_low - here.execution_low,
                    to.margin_low - here.margin_low,
                    to.evidence_low - here.evidence_low,
                    abs(place - level) * _STEP + (question not in scale.by_choice),
                )
            gains[_EFFORT, len(keys) - 1 :, row, level] = _NO_CHANGE
            said = [spans[keys[place]].evidence_low for place in elsewhere]
            ends = splits.least(said), splits.most(said)
            evidence[:, row, level] = [end - spans[key].evidence_low for end in ends]
    return _Moves(others, at, gains, evidence)


@lru_cache(maxsize=64)
def _sets_of(count: int) -> tuple[Integers, Integers]:
    """All sets of one, two or three of so many questions, each a column filled up with `count`; and their sizes."""
    sets = [members for size in range(1, MOST_CHANGES + 1) for members in combinations(range(count), size)]
    filled = [(*members, *[count] * (MOST_CHANGES - len(members))) for members in sets]
    return np.array(filled).T, np.array([len(members) for members in sets])


def _reach(case: _Case, sets: Integers) -> Span[Integers]:
    """The least and the most of the totals after any changes to each set's questions."""
    ends = np.zeros((8, len(case.questions) + 1), np.int64)
    ends[:6:2, :-1] = case.gains[:_EVIDENCE].min(axis=1)
    ends[1:6:2, :-1] = case.gains[:_EVIDENCE].max(axis=1)
    ends[6:, :-1] = case.evidence
    reach = ends.take(sets, axis=1).sum(axis=1)
    reach += np.array(case.total)[:, None]
    return Span(*reach)


def _resolving(case: _Case, sets: Integers) -> Truths:
    """Which sets touch enough of the answers that contradict each other; all, where no talk is called for."""
    enough = np.ones(sets.shape[1], np.bool_)
    if not in_conflict(case.before, case.scale):
        return enough
    soft = np.zeros(sets.shape[1], np.int64)
    for misfit in case.before:
        involved = [place for place, question in enumerate(case.questions) if question in misfit.when]
        touched = np.isin(sets, involved).any(axis=0)
        if misfit.kind == "hard":
            enough &= touched
        elif misfit.kind == "soft":
            soft += ~touched
    return enough & (soft < case.scale.rule.soft_contradictions_for_call)


def _added(gains: Integers, members: Integers) -> Integers:
    """What the sets add: a row for each choice of new answers, the last question's fastest; a column for each set."""
    count = members.shape[1]
    added = np.zeros((_EFFORT + 1, 1, count), np.int64)
    for question in members:
        added = (added[:, :, None] + gains.take(question, axis=2)[:, None]).reshape(_EFFORT + 1, -1, count)
    return added


def _moved(total: Span[int], added: Any) -> Span[Any]:
    ends: list[Any] = []
    for low, high, change in zip(total[::2], total[1::2], added[:_EFFORT], strict=True):
        moved = low + change
        ends += [moved, moved if low == high else high + change]
    return Span(*ends)


def _changed(case: _Case, members: Integers, place: int, choice: int) -> dict[str, str]:
    """The new answers by question: those of one of these sets, in one of the ways to choose them."""
    width = case.gains.shape[1]
    changed = {}
    for member in reversed(members[:, place].tolist()):
        choice, other = divmod(choice, width)
        changed[case.questions[member]] = case.others[member][other]
    return dict(reversed(changed.items()))


def _makes_sense(case: _Case, changed: dict[str, str]) -> bool:
    """Whether no new misfit arises, and enough of the old ones are resolved."""
    after = misfits(case.answers | changed, case.scale)
    return all(misfit in case.before for misfit in after) and not in_conflict(after, case.scale)


def _counterfactual(case: _Case, verdict: Verdict, changed: dict[str, str], total: Span[int]) -> Counterfactual:
    return Counterfactual(
        verdict=verdict,
        strength=strength_of(verdict, case.answers | changed, total, case.scale),
        changes=tuple(
            Change.model_validate({"question": question, "from": case.answers[question], "to": to})
            for question, to in changed.items()
        ),
    )
