"""Two kinds of work in one case, by parts or by phases: which answers say so, and which show that both are there.

What an answer says of splits is packed into one integer, its evidence, so that it adds up over answers as points do and
can be added for thousands of cases at once. Each split has three fields of five bits: whether it is said, and how many
answers show its first and its second portion. A field holds at most 16, so that adding 15 sets its top bit exactly when
it is not empty.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.assessment.domain.document import Fault, Path
from shared.contracts.assessment import Portion, Split
from shared.questionnaire import Condition, Questionnaire

CanChange = Literal["by_choice", "by_events", "never"]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]

MOST_SPLITS = 4
MOST_SHOWING = 16
_BITS = 5
_FIELDS = 3
_FILL = sum(15 << _BITS * field for field in range(MOST_SPLITS * _FIELDS))
_TOPS = sum(16 << _BITS * _FIELDS * split for split in range(MOST_SPLITS))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PortionRule(_Part):
    """A part or a phase, the need it stands for, and the answers of which any one shows that it is there."""

    id: Key
    need: Literal["continuity", "execution"]
    shown_by: Annotated[Condition, Field(min_length=1, max_length=MOST_SHOWING)]


class SplitRule(_Part):
    """Answers to a question without points that divide the work, and its two portions: for phases, in their order."""

    id: Key
    kind: Literal["parts", "phases"]
    question: str
    answers: Annotated[tuple[str, ...], Field(min_length=1)]
    portions: tuple[PortionRule, PortionRule]

    @model_validator(mode="after")
    def _stands_for_both_needs(self) -> Self:
        if {portion.need for portion in self.portions} != {"continuity", "execution"}:
            raise ValueError("one portion has to stand for continuity and the other for execution")
        return self


class Hybrids(_Part):
    """What makes both needs stand although neither scores high enough for it: a split, and both scores in reach.

    Both scores must reach `floor`, and neither lead by `max_margin`, in points. `unscored` are the questions without
    points, each with what could make its answer another one.
    """

    floor: Percent
    max_margin: Annotated[Percent, Field(ge=1)]
    unscored: dict[str, CanChange]
    splits: Annotated[tuple[SplitRule, ...], Field(min_length=1, max_length=MOST_SPLITS)]


def mismatches(hybrids: Hybrids, scored: Collection[str], questionnaire: Questionnaire) -> Iterator[Fault]:
    """What does not fit between these rules, the questions that have points, and the questionnaire."""
    levels = {question.id: {level.key for level in question.levels} for question in questionnaire.questions}
    dividing = {split.question for split in hybrids.splits}
    for question in hybrids.unscored:
        path: Path = ("hybrids", "unscored", question)
        if question not in levels:
            yield Fault(path, f"hybrids unscored: there is no question {question}: take it out")
        elif question in scored:
            yield Fault(path, f"hybrids unscored: question {question} has points: take it out here or there")
        elif questionnaire.question(question).key_question:
            yield Fault(path, f"hybrids unscored: {question} is a key question: give it points")
        elif question not in dividing:
            yield Fault(path, f"hybrids unscored: no split asks {question}: add one, or take the question out")
    for place, split in enumerate(hybrids.splits):
        path = ("hybrids", "splits", place)
        if split.id in [earlier.id for earlier in hybrids.splits[:place]]:
            yield Fault(path, f"hybrids: split {split.id} is there already: keep one")
        if split.question not in hybrids.unscored:
            yield Fault((*path, "question"), f"hybrids {split.id}: list question {split.question} as unscored")
        yield from _unheard((*path, "answers"), split, {split.question: split.answers}, levels)
        for index, portion in enumerate(split.portions):
            inside = (*path, "portions", index, "shown_by")
            yield from _unheard(inside, split, portion.shown_by, levels)
            for question, keys in portion.shown_by.items():
                shown = f"hybrids {split.id}: {portion.id} is shown by"
                if question not in scored:
                    yield Fault((*inside, question), f"{shown} {question}, which has no points: choose one that has")
                if levels.get(question, set()) <= {*keys}:
                    yield Fault((*inside, question), f"{shown} every answer to {question}: leave some out")


def _unheard(path: Path, split: SplitRule, condition: Condition, levels: dict[str, set[str]]) -> Iterator[Fault]:
    for question, keys in condition.items():
        for key in sorted({*keys} - levels.get(question, set())):
            message = f"question {question} has no level {key}: take it out, or mend its spelling"
            yield Fault((*path, question), f"hybrids {split.id}: {message}")


def evidence(hybrids: Hybrids | None, questionnaire: Questionnaire) -> dict[str, dict[str, int]]:
    """What each level of each question says of the splits, packed."""
    splits = hybrids.splits if hybrids else ()
    return {
        question.id: {
            level.key: sum(
                1 << _BITS * (_FIELDS * place + field)
                for place, split in enumerate(splits)
                for field, condition in enumerate(_conditions(split))
                if level.key in condition.get(question.id, ())
            )
            for level in question.levels
        }
        for question in questionnaire.questions
    }


def _conditions(split: SplitRule) -> tuple[Condition, Condition, Condition]:
    first, second = split.portions
    return {split.question: split.answers}, first.shown_by, second.shown_by


def least(evidences: Iterable[int]) -> int:
    """What is said whichever of these levels it is."""
    common = -1
    for one in evidences:
        common &= one
    return common


def most(evidences: Iterable[int]) -> int:
    """What is said by any of these levels."""
    together = 0
    for one in evidences:
        together |= one
    return together


def divides(summed: Any) -> Any:
    """Whether the evidence of all answers makes a split; for arrays, element by element."""
    filled = summed + _FILL
    return (filled & filled >> _BITS & filled >> 2 * _BITS & _TOPS) != 0


def leaves_whole(summed: Any) -> Any:
    """The opposite of `divides`."""
    filled = summed + _FILL
    return (filled & filled >> _BITS & filled >> 2 * _BITS & _TOPS) == 0


def found(answers: Mapping[str, str], hybrids: Hybrids) -> tuple[Split, ...]:
    """The splits that these answers say and show, in the rubric's order."""
    said = [
        Split(
            id=split.id,
            kind=split.kind,
            question=split.question,
            answer=answers[split.question],
            portions=tuple(_shown(portion, answers) for portion in split.portions),
        )
        for split in hybrids.splits
        if answers[split.question] in split.answers
    ]
    return tuple(split for split in said if all(portion.answers for portion in split.portions))


def _shown(portion: PortionRule, answers: Mapping[str, str]) -> Portion:
    showing = {question: answers[question] for question, keys in portion.shown_by.items() if answers[question] in keys}
    return Portion(id=portion.id, need=portion.need, answers=showing)
