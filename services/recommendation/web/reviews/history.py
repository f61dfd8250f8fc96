"""What colleagues did with a case, as one list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from services.recommendation.domain.assignment import Assignment
from services.recommendation.domain.review import Ending, Review, Reviewer
from services.recommendation.store.cases import CaseFile
from shared.contracts.recommendation import Decision

Kind: TypeAlias = Literal["given", "decided"] | Ending

DECIDED: Mapping[Decision, str] = {
    "approve": "approved it",
    "override": "decided otherwise",
    "return": "returned it with a question",
}
ENDED: Mapping[Kind, str] = {
    "confirmed": "signed the decision",
    "refused": "refused to sign the decision",
    "undone": "took the decision back",
}


@dataclass(frozen=True)
class Deed:
    """One line: a case given to somebody, a decision, or what became of it."""

    kind: Kind
    version: int
    by: Reviewer
    at: datetime
    note: str | None
    review: Review | None = None
    assignment: Assignment | None = None


def history(file: CaseFile) -> list[Deed]:
    """What colleagues did, last first."""
    return sorted(_deeds(file), key=lambda deed: deed.version, reverse=True)


@dataclass(frozen=True)
class Lately:
    """What a colleague did last, in words."""

    words: str
    at: datetime


def lately(file: CaseFile) -> Lately | None:
    """What brought the case to its version; None where no colleague did."""
    done = [(deed.version, Lately(_words(deed), deed.at)) for deed in _deeds(file)]
    done += [(edit.version, Lately(f"{edit.by.name} changed its blueprint", edit.at)) for edit in file.edits]
    return next((one for version, one in done if version == file.version), None)


def _words(deed: Deed) -> str:
    if deed.assignment and deed.assignment.assignee.id == deed.by.id:
        return f"{deed.by.name} took it up"
    if deed.assignment:
        return f"{deed.by.name} gave it to {deed.assignment.assignee.name}"
    if deed.kind == "decided" and deed.review:
        return f"{deed.by.name} {DECIDED[deed.review.decision]}"
    return f"{deed.by.name} {ENDED[deed.kind]}"


def _deeds(file: CaseFile) -> Iterator[Deed]:
    for given in file.assignments:
        yield Deed("given", given.version, given.by, given.at, given.reason, assignment=given)
    for review in file.reviews:
        yield Deed("decided", review.version, review.by, review.at, review.note, review=review)
        for sequel in review.sequels:
            yield Deed(sequel.kind, sequel.version, sequel.by, sequel.at, sequel.note, review=review)
