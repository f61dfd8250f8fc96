"""Who looks after a case: handed over in sight of who has it, and kept from people who are away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.language import gettext_noop

MAX_REASON = 1000


class OwnedMeanwhile(Exception):
    """The case came into other hands since it was looked at."""

    def __init__(self) -> None:
        super().__init__(
            gettext_noop("It came into other hands while you were looking. See who has it now, then decide again.")
        )


class ReasonNeeded(Exception):
    """A case changes hands only with a reason that its next owner can read."""

    def __init__(self) -> None:
        super().__init__(gettext_noop("Write why, so that the next owner knows what to do."))


class ReasonTooLong(Exception):
    """The reason is longer than what is kept."""

    def __init__(self) -> None:
        super().__init__(gettext_noop("Use at most 1,000 characters for the reason."))


class UnknownColleague(Exception):
    """Whoever is to have the case cannot use the console."""

    def __init__(self) -> None:
        super().__init__(gettext_noop("Choose a colleague from the list."))


@dataclass(frozen=True)
class Absence:
    """Until when somebody is away, that day included, and who takes new cases meanwhile."""

    until: date
    deputy: UUID


def check_handover(owner: UUID | None, *, to: UUID, by: UUID, seen: UUID | None, reason: str) -> None:
    """Only what nobody owns may be taken without a reason; raises OwnedMeanwhile, ReasonNeeded or ReasonTooLong."""
    if owner != seen:
        raise OwnedMeanwhile
    if not reason and not (owner is None and to == by):
        raise ReasonNeeded
    if len(reason) > MAX_REASON:
        raise ReasonTooLong


def present(person: UUID, absences: Mapping[UUID, Absence], today: date) -> UUID:
    """Who takes a case meant for a person: the first deputy who is not away, or the person where all of them are."""
    asked, found = {person}, person
    while (absence := absences.get(found)) and absence.until >= today:
        found = absence.deputy
        if found in asked:
            return person
        asked.add(found)
    return found
