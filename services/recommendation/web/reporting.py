"""Which decisions a report is asked for, in an address."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Self, get_args
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends

from services.recommendation.store.report import Asked
from shared.contracts.recommendation import Model
from shared.service import Problem

BACKWARDS = "Choose a last day that is not before the first."


@dataclass(frozen=True)
class Filters:
    """What was typed, as text; empty leaves nothing out."""

    since: str = ""
    until: str = ""
    model: str = ""
    reason: str = ""
    person: str = ""

    def but(self, **changes: str) -> Self:
        """The same with other values."""
        return replace(self, **changes)

    @property
    def query(self) -> str:
        """The end of an address that leads to this report."""
        said = {name: value for name, value in vars(self).items() if value}
        return f"?{urlencode(said)}" if said else ""

    @property
    def is_backwards(self) -> bool:
        """True where the last day lies before the first. Raises ValueError."""
        asked = self.asked
        return asked.since is not None and asked.until is not None and asked.until < asked.since

    @property
    def asked(self) -> Asked:
        """What to ask the store for. Raises ValueError."""
        if self.model not in ("", *get_args(Model)):
            raise ValueError
        return Asked(
            since=date.fromisoformat(self.since) if self.since else None,
            until=date.fromisoformat(self.until) if self.until else None,
            model=self.model or None,  # type: ignore[arg-type]  # it is one of Model
            reason=self.reason.replace("\x00", "") or None,
            person=UUID(self.person) if self.person else None,
        )


def _filters(since: str = "", until: str = "", model: str = "", reason: str = "", person: str = "") -> Filters:
    found = Filters(since, until, model, reason, person)
    try:
        _ = found.asked
    except ValueError as error:
        advice = "Give days as 2026-11-30, and a model and a person as they are listed."
        raise Problem(422, "This report cannot be drawn", advice) from error
    return found


Typed = Annotated[Filters, Depends(_filters)]


def _in_order(typed: Typed) -> Filters:
    if typed.is_backwards:
        raise Problem(422, "This report cannot be drawn", BACKWARDS)
    return typed


Wanted = Annotated[Filters, Depends(_in_order)]
