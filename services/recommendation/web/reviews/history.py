"""What colleagues did with a case, as one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from services.recommendation.domain.assignment import Assignment
from services.recommendation.domain.review import Ending, Review, Reviewer
from services.recommendation.store.cases import CaseFile

Kind: TypeAlias = Literal["given", "decided"] | Ending


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


def _deeds(file: CaseFile) -> Iterator[Deed]:
    for given in file.assignments:
        yield Deed("given", given.version, given.by, given.at, given.reason, assignment=given)
    for review in file.reviews:
        yield Deed("decided", review.version, review.by, review.at, review.note, review=review)
        for sequel in review.sequels:
            yield Deed(sequel.kind, sequel.version, sequel.by, sequel.at, sequel.note, review=review)
