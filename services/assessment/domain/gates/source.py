"""A document that was read from a file, and what is wrong with it by line."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from services.assessment.domain.document import Document, Fault, misfits_of

Model = TypeVar("Model", bound=BaseModel)


class Source(NamedTuple):
    """A document, and the file it was read from as people name it."""

    file: str
    document: Document


class Mend(NamedTuple):
    """What is wrong on a line of a file, and what to do about it."""

    file: str
    line: int
    message: str


def at(source: Source, faults: Iterable[Fault]) -> list[Mend]:
    """The same faults, by file and line."""
    return [Mend(source.file, source.document.line(fault.path), fault.message) for fault in faults]


def validated(model: type[Model], source: Source) -> tuple[Model | None, list[Mend]]:
    """What a document says where it fits the model, and all that does not."""
    mends = at(source, source.document.faults)
    if source.document.content is None and mends:
        return None, mends
    try:
        return model.model_validate(source.document.content), mends
    except ValidationError as error:
        return None, mends + at(source, misfits_of(error, source.document))


def has_levels(entry: Any, kind: type) -> bool:
    """True for a question, not yet validated, that has an id and its levels in this form."""
    match entry:
        case {"id": str(), "levels": levels}:
            return isinstance(levels, kind)
    return False
