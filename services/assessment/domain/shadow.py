"""What a draft of a rubric would say of stored cases, beside what was said of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.assessment.domain.explanation import reasons
from services.assessment.domain.replay import replay
from services.assessment.domain.rounding import half_up
from services.assessment.domain.rubric import Rubric
from services.assessment.domain.scale import scale_of
from shared.contracts.assessment import Reason, Strength, Verdict, VersionHash
from shared.questionnaire import Questionnaire

Outcome = tuple[Verdict, Strength | None]

CALLS: frozenset[Verdict] = frozenset({"unclear", "incomplete", "contradictory"})
MAIN_REASONS = 3
HUNDREDTHS = (0, 5, 25, 50, 75, 95, 100)


@dataclass(frozen=True)
class Stored:
    """The current revision of a case as it was assessed; it holds no personal data."""

    intake_id: UUID
    questionnaire: str
    rubric: str
    verdict: Verdict
    strength: Strength | None
    margin: tuple[float, float]
    reasons: tuple[Reason, ...]
    answers: dict[str, str]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Said(_Part):
    """A verdict with its strength, the ends of the margin, and the answers that push hardest, largest first."""

    verdict: Verdict
    strength: Strength | None
    margin: tuple[float, float]
    reasons: tuple[Reason, ...]


class Flip(_Part):
    """A case that gets another verdict. `rubric` is the version under which it was assessed."""

    intake_id: UUID
    rubric: str
    before: Said
    after: Said


class Transition(_Part):
    """How many cases go from one verdict and strength to another, or stay."""

    before: Outcome
    after: Outcome
    cases: int


class Shift(_Part):
    """By how many points a margin's ends move: the least, some percentiles by their number, and the most.

    The two ends are one where every answer is known.
    """

    low: dict[int, float]
    high: dict[int, float]


class CallRate(_Part):
    """The share of cases that end in a call, because no need can be named."""

    before: float
    after: float


class Report(_Part):
    """A draft's replay. `other_questionnaires` names the cases that it cannot score, by their questionnaire.

    `call_rate` and `margin_shift` are null where no case could be scored.
    """

    rubric: VersionHash
    questionnaire: str
    cases: int
    transitions: tuple[Transition, ...]
    flipped: tuple[Flip, ...]
    call_rate: CallRate | None
    margin_shift: Shift | None
    other_questionnaires: dict[str, tuple[UUID, ...]] = Field(default_factory=dict)


class Shadow:
    """A replay that takes cases in pages of any size."""

    def __init__(self, rubric: Rubric, questionnaire: Questionnaire) -> None:
        self._rubric = rubric
        self._questionnaire = questionnaire
        self._transitions: Counter[tuple[Outcome, Outcome]] = Counter()
        self._flipped: list[Flip] = []
        self._shifts: tuple[list[float], list[float]] = ([], [])
        self._others: dict[str, list[UUID]] = {}

    def add(self, page: Iterable[Stored]) -> None:
        """Score these cases under the draft."""
        cases = []
        for case in page:
            if case.questionnaire == self._questionnaire.version:
                cases.append(case)
            else:
                self._others.setdefault(case.questionnaire, []).append(case.intake_id)
        found = replay([case.answers for case in cases], self._rubric, self._questionnaire)
        margins = list(zip(found.margins_low, found.margins_high, strict=True))
        for case, verdict, strength, margin in zip(cases, found.verdicts, found.strengths, margins, strict=True):
            self._transitions[(case.verdict, case.strength), (verdict, strength)] += 1
            if verdict != case.verdict:
                self._flipped.append(
                    Flip(
                        intake_id=case.intake_id,
                        rubric=case.rubric,
                        before=_said(case.verdict, case.strength, case.margin, case.reasons),
                        after=_said(verdict, strength, margin, self._reasons(case)),
                    )
                )
        low, high = self._shifts
        low += [round(after[0] - case.margin[0], 1) for case, after in zip(cases, margins, strict=True)]
        high += [round(after[1] - case.margin[1], 1) for case, after in zip(cases, margins, strict=True)]

    def report(self) -> Report:
        """What was found of all cases so far."""
        count = self._transitions.total()
        low, high = self._shifts
        return Report(
            rubric=VersionHash(version=self._rubric.version, hash=self._rubric.hash),
            questionnaire=self._questionnaire.version,
            cases=count,
            transitions=tuple(
                Transition(before=before, after=after, cases=cases)
                for (before, after), cases in self._transitions.most_common()
            ),
            flipped=tuple(self._flipped),
            call_rate=CallRate(before=self._calls(0), after=self._calls(1)) if count else None,
            margin_shift=Shift(low=_percentiles(low), high=_percentiles(high)) if count else None,
            other_questionnaires={version: tuple(ids) for version, ids in sorted(self._others.items())},
        )

    def _calls(self, side: int) -> float:
        calls = sum(cases for ends, cases in self._transitions.items() if ends[side][0] in CALLS)
        return half_up(calls, self._transitions.total())

    def _reasons(self, case: Stored) -> tuple[Reason, ...]:
        scale = scale_of(self._rubric, self._questionnaire)
        return reasons(self._questionnaire.completed(case.answers), scale)


def _said(verdict: Verdict, strength: Strength | None, margin: tuple[float, float], given: Sequence[Reason]) -> Said:
    main = sorted(given, key=lambda reason: -reason.points)[:MAIN_REASONS]
    return Said(verdict=verdict, strength=strength, margin=margin, reasons=tuple(main))


def _percentiles(shifts: Iterable[float]) -> dict[int, float]:
    """Nearest rank: each is a shift that some case has."""
    ordered = sorted(shifts)
    return {share: ordered[max(0, -(-share * len(ordered) // 100) - 1)] for share in HUNDREDTHS}
