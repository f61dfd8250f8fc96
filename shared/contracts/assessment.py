"""What assessment says, and the shape of an assessment wherever one is shown."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, IntakeEvent
from shared.contracts.intake import Answer, Submission

Verdict = Literal["continuity", "execution", "both", "unclear", "incomplete", "contradictory"]
Strength = Literal["clear", "leaning"]
Severity = Literal["hard", "soft"]


class Score(Contract):
    """Points, one decimal. `value` is null while an answer it needs is unknown; `low` and `high` hold either way."""

    value: float | None
    low: float
    high: float


class Scores(Contract):
    """The two axes, each 0 to 100."""

    continuity: Score
    execution: Score


class Dimension(Contract):
    """The two axes over one dimension's questions alone, and their margin."""

    dimension: str
    scores: Scores
    margin: Score


class Contribution(Contract):
    """What one answer adds to the margin, in points: above zero towards continuity. Null where the answer is unknown.

    `low` and `high` are the least and the most that any level of the question would add.
    """

    question: str
    dimension: str
    answer: str
    margin: float | None
    low: float
    high: float


class Reason(Contract):
    """An answer that pushes to one side; `points` is its distance from the mean of the question's levels."""

    side: Literal["continuity", "execution"]
    question: str
    answer: str
    points: float


class Check(Contract):
    """A contradiction between answers that is still open."""

    id: str
    severity: Severity
    questions: tuple[str, ...]


class Outlook(Contract):
    """Share of the ways in which the unknown answers could fall that lead to each verdict, over `ways` of them.

    Ways that would be asked back, because answers contradict each other, are left out; `contradictory` leads, with all
    of the share, only where no way fits together. `exact` says that these are all ways, and not a sample.

    An unanswered question without points stays unanswered in all of them. `towards_both` has each of these with the
    largest share that one of its answers would give to `both`.
    """

    shares: dict[Verdict, float]
    leading: Verdict
    ways: int
    exact: bool
    towards_both: dict[str, float] = Field(default_factory=dict)


class Change(Contract):
    """One answer, as it is and as it would have to be."""

    question: str
    from_: str = Field(alias="from")
    to: str


class Counterfactual(Contract):
    """A smallest set of changed answers that gives this verdict in place of the present one."""

    verdict: Verdict
    strength: Strength | None
    changes: tuple[Change, ...]


class Portion(Contract):
    """A part or a phase of the work, the need it stands for, and the answers by question id that show it."""

    id: str
    need: Literal["continuity", "execution"]
    answers: dict[str, str]


class Split(Contract):
    """The work is of two kinds: parts beside each other, or phases in this order; and the answer that says so."""

    id: str
    kind: Literal["parts", "phases"]
    question: str
    answer: str
    portions: tuple[Portion, ...]


class CentralWeights(Contract):
    """For each side the mean of the weightings that prefer it, by question id; null for a side that none prefers."""

    continuity: dict[str, float] | None
    execution: dict[str, float] | None


class IfAnswered(Contract):
    """Where the outlook leads once a question has this answer."""

    answer: str
    leading: Verdict
    share: float


class NextQuestion(Contract):
    """The unanswered question to ask first, and where each of its answers leads."""

    question: str
    if_answered: tuple[IfAnswered, ...]


class VersionHash(Contract):
    """Which version of a document was used, and the SHA-256 of its canonical JSON."""

    version: str
    hash: str


class Assessment(Contract):
    """How the answers score, how firm that is, why, and what would change it. It knows nothing of delivery models.

    `contributions` of the known answers add up to `margin.value` exactly at one decimal. `unknown` lists unanswered
    questions, the one that is expected to move the outlook most first, those with points before those without.

    `splits` says which parts or phases of the work stand for which need, where these are known and the verdict is
    `both`; a verdict of `both` without any comes from two high scores.

    `robustness` is the share of plausible weightings in which continuity leads, `acceptability` that of all weightings;
    `central_weights` is what one would have to believe to prefer each side. `stability` is the share of the whole
    weight at which a question, and `dimension_stability` at which a dimension, turns the margin to the other side.
    These are null or empty while an answer with points is unknown. `outlook` is null once none is unknown at all, and
    `next_question` also where no way to answer fits the other answers. Shares have four decimals; `weight_bank` is the
    SHA-256 of the plausible weightings.
    """

    intake_id: UUID | None = None
    revision: int | None = None
    verdict: Verdict
    strength: Strength | None
    scores: Scores
    margin: Score
    dimensions: tuple[Dimension, ...]
    contributions: tuple[Contribution, ...]
    reasons: tuple[Reason, ...]
    answered_weight: float
    checks: tuple[Check, ...]
    unknown: tuple[str, ...]
    answers: dict[str, Answer]
    questionnaire: VersionHash
    rubric: VersionHash
    robustness: float | None = None
    acceptability: float | None = None
    outlook: Outlook | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()
    stability: dict[str, float] = Field(default_factory=dict)
    dimension_stability: dict[str, float] = Field(default_factory=dict)
    central_weights: CentralWeights | None = None
    next_question: NextQuestion | None = None
    weight_bank: str | None = None
    splits: tuple[Split, ...] = ()


class AssessmentCompleted(IntakeEvent):
    """A submission was scored. Its version is the revision it speaks of."""

    topic: ClassVar[str] = "assessment.completed.v1"
    partitions: ClassVar[int] = 6

    submission: Submission
    assessment: Assessment
    completed_at: datetime
