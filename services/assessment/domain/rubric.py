"""The rubric: what each answer is worth on the two axes, and the rule that turns scores into a verdict."""

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.assessment.domain.weight_bank import CONCENTRATION, VECTORS, bank_of
from shared.questionnaire import Questionnaire, canonical_hash

WHOLE_WEIGHT = 10_000

Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
BasisPoints = Annotated[int, Field(strict=True, ge=0, le=WHOLE_WEIGHT)]


class RubricRefused(ValueError):
    """The rubric cannot be used; the message says what to mend."""


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
    can_change: Literal["by_choice", "by_events", "never"] = "by_choice"
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
    """One immutable version of weights, level values and thresholds, for one version of the questionnaire."""

    version: str
    questionnaire: str
    questions: tuple[ScoredQuestion, ...]
    rule: Rule

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
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RubricRefused(f"the text is not YAML; mend it here: {error}") from error
    try:
        rubric = Rubric.model_validate(document)
    except ValidationError as error:
        faults = [f"{_place(fault['loc'], document)}: {fault['msg']}" for fault in error.errors()]
        raise RubricRefused("; ".join(faults)) from error
    if rubric.questionnaire != questionnaire.version:
        raise RubricRefused(
            f"questionnaire: the rubric is for {rubric.questionnaire}, and this is {questionnaire.version}; "
            "give the version that it scores"
        )
    if faults := _mismatches(rubric, questionnaire) or _imbalances(rubric, questionnaire):
        raise RubricRefused("; ".join(faults))
    return rubric


def _place(path: tuple[int | str, ...], document: object) -> str:
    """Where a fault lies, with a question by its id where it has one."""
    match path, document:
        case ("questions", int(index), *inside), {"questions": [*questions]}:
            match questions[index]:
                case {"id": str(question_id)}:
                    return " ".join(["question", question_id, *map(str, inside)])
    return " ".join(map(str, path)) or "rubric"


def _mismatches(rubric: Rubric, questionnaire: Questionnaire) -> list[str]:
    asked = {question.id: [level.key for level in question.levels] for question in questionnaire.questions}
    faults = _differences("question", asked, [question.id for question in rubric.questions])
    for question in rubric.questions:
        if question.id in asked:
            faults += _differences(f"question {question.id} level", asked[question.id], list(question.levels))
    return faults


def _differences(what: str, asked: Collection[str], scored: list[str]) -> list[str]:
    times = Counter(scored)
    return [
        *(f"{what} {key} is missing: add it" for key in asked if key not in times),
        *(f"{what} {key} is not in the questionnaire: take it out" for key in times if key not in asked),
        *(f"{what} {key} is there {count} times: keep one" for key, count in times.items() if count > 1),
    ]


def _imbalances(rubric: Rubric, questionnaire: Questionnaire) -> list[str]:
    faults = []
    weight = sum(question.weight_bp for question in rubric.questions)
    if weight != WHOLE_WEIGHT:
        faults.append(f"the weights add up to {weight}: make them {WHOLE_WEIGHT}")
    for dimension in questionnaire.dimensions:
        ids = {question.id for question in questionnaire.of_dimension(dimension.key)}
        capacities = capacity(question for question in rubric.questions if question.id in ids)
        faults += [
            f"dimension {dimension.key}: nothing in it speaks for {axis}: raise a level or a weight"
            for axis, most in zip(("continuity", "execution"), capacities, strict=True)
            if most == 0
        ]
    return faults


def as_published(rubric: Rubric, questionnaire: Questionnaire) -> dict[str, Any]:
    """The whole rubric as JSON for machines: enough to recompute every score and verdict.

    An axis is 100 x sum(weight_bp x level value) / capacity; `min_answered_weight` and
    `robustness_for_clear` are shares of 1.
    """
    scored = {question.id: question for question in rubric.questions}
    continuity, execution = capacity(rubric.questions)
    bank = bank_of(tuple(scored[question.id].weight_bp for question in questionnaire.questions))
    return {
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
            for question in questionnaire.questions
        ],
        "rule": {
            **rubric.rule.model_dump(exclude={"min_answered_weight_bp", "robustness_for_clear"}),
            "min_answered_weight": rubric.rule.min_answered_weight_bp / WHOLE_WEIGHT,
            "robustness_for_clear": rubric.rule.robustness_for_clear / 100,
            "weight_bank": {"distribution": f"Dirichlet({CONCENTRATION}*w)", "n": VECTORS, "hash": bank.hash},
            "key_required": [question.id for question in questionnaire.questions if question.key_question],
        },
    }
