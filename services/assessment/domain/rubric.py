"""The rubric: what each answer is worth on the two axes, and the rule that turns scores into a verdict."""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.assessment.domain import splits
from services.assessment.domain.document import Fault, Path, misfits_of, read
from services.assessment.domain.splits import CanChange, Hybrids, Percent
from services.assessment.domain.weight_bank import CONCENTRATION, VECTORS, bank_of
from shared.contracts.assessment import Verdict
from shared.questionnaire import Questionnaire, canonical_hash

WHOLE_WEIGHT = 10_000
IN_FORCE = "current"
AXES = ("continuity", "execution")


def _of_its_own(version: str) -> str:
    if version == IN_FORCE:
        raise ValueError(f"{version} is how the version in force is asked for: give another name")
    return version


Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,39}$"), AfterValidator(_of_its_own)]
BasisPoints = Annotated[int, Field(strict=True, ge=0, le=WHOLE_WEIGHT)]


class RubricRefused(ValueError):
    """The rubric cannot be used; the message says what to mend."""

    @classmethod
    def because(cls, faults: Iterable[Fault]) -> Self:
        """The refusal that names all of these."""
        return cls("; ".join(fault.message for fault in faults))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Values(_Part):
    """What one level says for each axis, in percent."""

    continuity: Percent
    execution: Percent


class ScoredQuestion(_Part):
    """A question's weight in basis points of the whole, and what its levels are worth by key.

    `can_change` says what could make the answer another one; no change is proposed to what never can.
    """

    id: str
    weight_bp: BasisPoints
    can_change: CanChange = "by_choice"
    levels: dict[str, Values]


class Rule(_Part):
    """The thresholds of the verdict and its strength, in points.

    But for the answered weight, the count of contradictions, and the percentage of plausible weightings.
    """

    min_answered_weight_bp: BasisPoints
    soft_contradictions_for_call: Annotated[int, Field(strict=True, ge=1)]
    hybrid_floor: Percent
    hybrid_max_margin: Percent
    margin_needed: Annotated[Percent, Field(ge=1)]
    leader_floor: Percent
    margin_for_clear: Percent
    robustness_for_clear: Annotated[Percent, Field(gt=50)]


class Rubric(_Part):
    """One immutable version of weights, level values and thresholds, for one version of the questionnaire.

    Every question has points, or is one of the unscored ones of `hybrids`. A rubric without these keeps the hash that
    it had before there were any. `intended_changes` names the golden cases that get another verdict, with that verdict.
    It scores nothing, so the hash leaves it out.
    """

    version: Version
    questionnaire: str
    questions: tuple[ScoredQuestion, ...]
    rule: Rule
    hybrids: Hybrids | None = Field(default=None, exclude_if=lambda hybrids: hybrids is None)
    intended_changes: dict[str, Verdict] = Field(default_factory=dict, exclude=True)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return canonical_hash(self)


def capacity(questions: Iterable[ScoredQuestion]) -> tuple[int, int]:
    """The most these questions can add to continuity and to execution: weights in basis points times percent."""
    continuity = execution = 0
    for question in questions:
        continuity += question.weight_bp * max(values.continuity for values in question.levels.values())
        execution += question.weight_bp * max(values.execution for values in question.levels.values())
    return continuity, execution


def parse(text: str, questionnaire: Questionnaire) -> Rubric:
    """The rubric in this YAML (or JSON) text; RubricRefused unless it scores exactly this questionnaire."""
    document = read(text)
    if document.faults:
        raise RubricRefused.because(document.faults)
    try:
        rubric = Rubric.model_validate(document.content)
    except ValidationError as error:
        raise RubricRefused.because(misfits_of(error, document)) from error
    if rubric.questionnaire != questionnaire.version:
        raise RubricRefused(
            f"questionnaire: the rubric is for {rubric.questionnaire}, and this is {questionnaire.version}; "
            "give the version that it scores"
        )
    keys = [(question.id, list(question.levels)) for question in rubric.questions]
    faults = mismatches(keys, rubric.hybrids, questionnaire) or [
        *imbalances([question.weight_bp for question in rubric.questions]),
        *silences(rubric.questions, questionnaire),
    ]
    if faults:
        raise RubricRefused.because(faults)
    return rubric


def mismatches(
    scored: Sequence[tuple[str, Sequence[str]]], hybrids: Hybrids | None, questionnaire: Questionnaire
) -> list[Fault]:
    """Where ids and level keys, in the rubric's order, and its splits are not those of the questionnaire."""
    asked = {question.id: [level.key for level in question.levels] for question in questionnaire.questions}
    ids = [question_id for question_id, _ in scored]
    unscored = hybrids.unscored if hybrids else {}
    needed = [key for key in asked if key in ids or key not in unscored]
    faults = _differences("question", needed, ids, ("questions",))
    for index, (question_id, keys) in enumerate(scored):
        if question_id in asked:
            path = ("questions", index, "levels")
            faults += _differences(f"question {question_id} level", asked[question_id], keys, path)
    if hybrids:
        faults += splits.mismatches(hybrids, ids, questionnaire)
    return faults


def _differences(what: str, asked: Collection[str], scored: Sequence[str], path: Path) -> list[Fault]:
    faults = [Fault(path, f"{what} {key} is missing: add it") for key in asked if key not in scored]
    for index, key in enumerate(scored):
        here = (*path, index if what == "question" else key)
        if key not in asked:
            faults.append(Fault(here, f"{what} {key} is not in the questionnaire: take it out"))
        elif key in scored[:index]:
            faults.append(Fault(here, f"{what} {key} is there already: keep one"))
    return faults


def imbalances(weights: Iterable[int]) -> list[Fault]:
    """Where the weights do not make up the whole."""
    weight = sum(weights)
    if weight == WHOLE_WEIGHT:
        return []
    change = (
        f"raise some by {WHOLE_WEIGHT - weight}" if weight < WHOLE_WEIGHT else f"lower some by {weight - WHOLE_WEIGHT}"
    )
    return [Fault(("questions",), f"the weights add up to {weight}, not to {WHOLE_WEIGHT}: {change} in all")]


def silences(questions: Sequence[ScoredQuestion], questionnaire: Questionnaire) -> list[Fault]:
    """Where nothing speaks for a need: in the whole, or in a dimension."""
    parts = {"the whole rubric": {question.id for question in questions}}
    for dimension in questionnaire.dimensions:
        parts[f"dimension {dimension.key}"] = {question.id for question in questionnaire.of_dimension(dimension.key)}
    return [
        Fault(("questions",), f"{name}: nothing in it speaks for {axis}: raise a level or a weight")
        for name, ids in parts.items()
        for axis, most in zip(AXES, capacity(question for question in questions if question.id in ids), strict=True)
        if most == 0
    ]


def as_published(rubric: Rubric, questionnaire: Questionnaire) -> dict[str, Any]:
    """The whole rubric as JSON for machines: enough to recompute every score and verdict.

    An axis is 100 x sum(weight_bp x level value) / capacity; `min_answered_weight` and
    `robustness_for_clear` are shares of 1. `hybrids` is there where the rubric has them.
    """
    scored = {question.id: question for question in rubric.questions}
    asked = [question for question in questionnaire.questions if question.id in scored]
    continuity, execution = capacity(rubric.questions)
    bank = bank_of(tuple(scored[question.id].weight_bp for question in asked))
    published = {
        "version": rubric.version,
        "hash": rubric.hash,
        "questionnaire": rubric.questionnaire,
        "capacity": {"continuity": continuity, "execution": execution},
        "questions": [
            {
                "id": question.id,
                "dimension": question.dimension,
                "weight_bp": scored[question.id].weight_bp,
                "can_change": scored[question.id].can_change,
                "levels": [
                    {"key": level.key, **scored[question.id].levels[level.key].model_dump()}
                    for level in question.levels
                ],
            }
            for question in asked
        ],
        "rule": {
            **rubric.rule.model_dump(exclude={"min_answered_weight_bp", "robustness_for_clear"}),
            "min_answered_weight": rubric.rule.min_answered_weight_bp / WHOLE_WEIGHT,
            "robustness_for_clear": rubric.rule.robustness_for_clear / 100,
            "weight_bank": {"distribution": f"Dirichlet({CONCENTRATION}*w)", "n": VECTORS, "hash": bank.hash},
            "key_required": [question.id for question in questionnaire.questions if question.key_question],
        },
    }
    if rubric.hybrids:
        published["hybrids"] = rubric.hybrids.model_dump(mode="json")
    return published
