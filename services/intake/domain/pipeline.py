"""How the pipeline is looked at: what is asked for, in which order, and what can hold a case up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self, TypeAlias, get_args
from urllib.parse import urlencode
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.contracts.intake import Channel, Headcount, Industry
from shared.contracts.recommendation import ProposalState

State: TypeAlias = Literal["submitted", "assessed"] | ProposalState
Block = Literal[
    "stuck", "unreadable", "question", "review", "release", "asked", "unopened", "expiring", "expired", "nobody"
]
Sort = Literal["newest", "oldest", "waiting", "company"]
View = Literal["board", "table"]
Age = Literal["1", "3", "7", "14", "30"]

STATES: tuple[State, ...] = ("submitted", "assessed", *get_args(ProposalState))
OPEN: tuple[State, ...] = (
    "submitted",
    "assessed",
    "proposed",
    "in_review",
    "returned",
    "approved",
    "overridden",
    "released",
    "expired",
)
EXPIRES_SOON = timedelta(days=3)


def _owner(owner: str) -> str:
    try:
        return owner if owner in ("", "mine", "nobody") else str(UUID(owner))
    except ValueError as error:
        raise ValueError("Use mine, nobody, or the id of a colleague.") from error


def _storable(words: str) -> str:
    """Without NUL, the one character that Postgres cannot look for."""
    return words.replace("\x00", "")


class Filters(BaseModel):
    """What is asked of the pipeline, as its address says it; an empty value asks for nothing.

    Words of `q` must all occur in company, contact, e-mail address or id; `age` is the least number of days in the
    present state; `blocked` is what holds a case up.
    """

    model_config = ConfigDict(frozen=True)

    q: Annotated[str, Field(max_length=200), AfterValidator(_storable)] = ""
    state: State | Literal["", "open"] = ""
    owner: Annotated[str, AfterValidator(_owner)] = ""
    channel: Channel | Literal[""] = ""
    industry: Industry | Literal[""] = ""
    headcount: Headcount | Literal[""] = ""
    age: Age | Literal[""] = ""
    blocked: Block | Literal["", "any"] = ""
    sort: Sort = "newest"

    @property
    def set(self) -> dict[str, str]:
        """The filters that ask for something."""
        return {name: getattr(self, name) for name in FILTERS if getattr(self, name)}

    def address(self, **changes: str) -> str:
        """The query of an address that asks for the same, with changes; empty where it asks for nothing."""
        values = self.model_dump(exclude_defaults=True) | changes
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def words(self) -> list[str]:
        """What to look for, folded as the database folds what it looks in."""
        return self.q.casefold().split()

    @property
    def states(self) -> tuple[State, ...]:
        """The states asked for."""
        if self.state == "open":
            return OPEN
        return (self.state,) if self.state else STATES


FILTERS = tuple(name for name in Filters.model_fields if name != "sort")


@dataclass(frozen=True)
class Asked:
    """What is asked, by whom (`mine` is theirs), and when."""

    filters: Filters
    person: UUID
    now: datetime

    @property
    def owner(self) -> UUID | None:
        """Whose cases, where somebody's are asked for."""
        if self.filters.owner == "mine":
            return self.person
        return None if self.filters.owner in ("", "nobody") else UUID(self.filters.owner)


@dataclass(frozen=True)
class Cursor:
    """The last row of a page: what it is sorted by, and its id."""

    key: datetime | str
    id: UUID

    def __str__(self) -> str:
        return f"{self.id}~{self.key.isoformat() if isinstance(self.key, datetime) else self.key}"

    @classmethod
    def read(cls, text: str, sort: Sort) -> Self | None:
        """The cursor that was written so for this order, or None for an empty one; raises ValueError."""
        if not text:
            return None
        found, _, key = text.partition("~")
        if sort == "company":
            return cls(key, UUID(found))
        moment = datetime.fromisoformat(key)
        if moment.tzinfo is None:
            raise ValueError("A time needs its zone.")
        return cls(moment, UUID(found))
