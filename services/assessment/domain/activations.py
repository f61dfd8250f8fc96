"""Which rubric is in force: a history of steps, each put in force or taken back by two people, and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.intake import Role

Kind = Literal["packaged", "published", "rolled_back"]
State = Literal["in force", "due", "replaced", "taken back"]


class StepRefused(Exception):
    """A rubric is not put in force or taken back; the message says what to do."""


class NotAnOwner(StepRefused):
    """Somebody who does not look after rubrics."""

    def __init__(self, person: "Person") -> None:
        super().__init__(
            f"{person.name} has no active account with the role rubric_owner. Name somebody who has, or give the role."
        )


class SamePerson(StepRefused):
    """Author and signer are one."""

    def __init__(self, person: "Person") -> None:
        super().__init__(f"{person.name} cannot sign their own work. Name somebody else as signer.")


class VersionTaken(StepRefused):
    """A published version never changes."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"Rubric {version} is published with other content, and what is published never changes. "
            "Give the draft a version of its own."
        )


class BegunAlready(StepRefused):
    """Nothing is put in force from a time that has passed."""

    def __init__(self, active_from: datetime) -> None:
        super().__init__(f"{active_from:%Y-%m-%d %H:%M %Z} has passed. Give a time to come, or none for at once.")


class NothingBefore(StepRefused):
    """There is no rubric to go back to."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"There is no rubric before {version} to go back to. Publish another one, and it takes its place."
        )


class NothingToTakeBack(StepRefused):
    """The version has no part in what is in force or due."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is neither in force nor due. `advisor rubric list` shows what is.")


@dataclass(frozen=True)
class Person:
    """Somebody with an account, as it is now."""

    id: UUID
    name: str
    roles: tuple[Role, ...]
    active: bool


@dataclass(frozen=True)
class Signed:
    """Who answers for a step, and why it is taken."""

    author: Person
    signer: Person
    reason: str | None


@dataclass(frozen=True)
class Step:
    """One step of the history. `rubric` is what was put in force, or what is so no more where the step `undoes` one."""

    id: int
    kind: Kind
    rubric: str
    questionnaire: str
    hash: str
    active_from: datetime
    at: datetime
    undoes: int | None
    author_name: str | None
    signer_name: str | None
    reason: str | None


def agreed(signed: Signed) -> None:
    """Raise NotAnOwner or SamePerson unless two different people who look after rubrics answer for a step."""
    for person in (signed.author, signed.signer):
        if not (person.active and "rubric_owner" in person.roles):
            raise NotAnOwner(person)
    if signed.author.id == signed.signer.id:
        raise SamePerson(signed.author)


def standing(history: Sequence[Step]) -> list[Step]:
    """The steps that put a rubric in force and were not taken back, by when they begin."""
    undone = {step.undoes for step in history}
    steps = [step for step in history if step.kind != "rolled_back" and step.id not in undone]
    return sorted(steps, key=lambda step: (step.active_from, step.id))


def in_force(history: Sequence[Step], at: datetime) -> Step | None:
    """The step by which a rubric is in force at a time, in the history of one questionnaire."""
    return next((step for step in reversed(standing(history)) if step.active_from <= at), None)


def state(step: Step, history: Sequence[Step], at: datetime) -> State | None:
    """How a step stands in the history of its questionnaire; None for one that takes another back."""
    if step.kind == "rolled_back":
        return None
    if step not in standing(history):
        return "taken back"
    if step.active_from > at:
        return "due"
    return "in force" if step == in_force(history, at) else "replaced"


def already(history: Sequence[Step], version: str, at: datetime) -> Step | None:
    """The step by which a version is in force or due, if it is."""
    return next((step for step in _open(history, at) if step.rubric == version), None)


def taken_back(history: Sequence[Step], version: str | None, at: datetime) -> Step:
    """The step that a rollback undoes: the one in force, or the one by which a named version is in force or due.

    Raises NothingToTakeBack, or NothingBefore where no rubric would be in force after it.
    """
    current = in_force(history, at)
    step = current if version is None else already(history, version, at)
    if step is None:
        raise NothingToTakeBack("The rubric" if version is None else f"Rubric {version}")
    if step == current and len([one for one in standing(history) if one.active_from <= at]) == 1:
        raise NothingBefore(step.rubric)
    return step


def _open(history: Sequence[Step], at: datetime) -> list[Step]:
    current = in_force(history, at)
    return [step for step in standing(history) if step == current or step.active_from > at]
