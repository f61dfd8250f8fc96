"""Which list of cases somebody is walking through: carried in the address from the queue to its cases and back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self, TypeAlias, get_args
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends

from services.recommendation.domain.assignment import Absence, covered_by
from services.recommendation.domain.review import WAITING
from services.recommendation.store.queue import Wanted
from shared.access import Principal
from shared.contracts.recommendation import Model, ProposalState
from shared.service import Problem

Tab: TypeAlias = Literal["all", "mine", "unassigned", "covered"]

MAX_NAME = 200
STATES: tuple[ProposalState, ...] = tuple(state for state in get_args(ProposalState) if state != "superseded")


@dataclass(frozen=True)
class Listing:
    """Whose cases, in which state and of which model, with this part in the company's name. Empty is all of them."""

    tab: Tab = "all"
    state: ProposalState | Literal[""] = ""
    model: Model | Literal[""] = ""
    company: str = ""

    @property
    def query(self) -> str:
        """The end of an address that leads to this list, or to a case in it."""
        said = {name: value for name, value in vars(self).items() if value != getattr(EVERYTHING, name)}
        return f"?{urlencode(said)}" if said else ""

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out anything that waits."""
        return self != EVERYTHING

    @property
    def is_waiting(self) -> bool:
        """Whether its cases wait for a decision."""
        return self.state == "" or self.state in WAITING

    def of(self, tab: Tab) -> Self:
        """The same list of somebody else's cases."""
        return replace(self, tab=tab)

    def wanted(self, staff: Principal, absences: Mapping[UUID, Absence]) -> Wanted:
        """What to ask the store for."""
        covered = [absence.of.id for absence in covered_by(staff.id, absences)]
        assignees = {"mine": [staff.id], "covered": covered}.get(self.tab)
        return Wanted(
            states=(self.state,) if self.state else WAITING,
            assignees=assignees,
            unassigned=self.tab == "unassigned",
            model=self.model or None,
            company=self.company,
            newest_first=not self.is_waiting,
        )


EVERYTHING = Listing()


def _listing(tab: str = "all", state: str = "", model: str = "", company: str = "") -> Listing:
    if tab not in get_args(Tab) or state not in ("", *STATES) or model not in ("", *get_args(Model)):
        raise Problem(404, "There is no such list", "Go back to the reviews and choose one of the lists there.")
    company = company.replace("\x00", "").strip()[:MAX_NAME]
    return Listing(tab, state, model, company)  # type: ignore[arg-type]  # they are in their lists


Listed = Annotated[Listing, Depends(_listing)]
