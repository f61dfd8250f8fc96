"""How often people agree with what is proposed, counted so that a rate never stands without its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Part: TypeAlias = Literal["model", "reason", "person", "month"]
Reading: TypeAlias = Literal["few", "quiet", "look", "limit"]

FEW = 20
"""Below this many decisions a single override is over 5 of 100 already."""
LOOK = 0.05
LIMIT = 0.10
"""In lending, overrides of scores are looked into above about 5 of 100, with 10 of 100 as an informal limit."""


@dataclass(frozen=True)
class Count:
    """Decisions that stand, how many of them override the proposal, and how many of those choose another model."""

    decided: int
    overridden: int
    other_model: int

    @property
    def agreed(self) -> int:
        """How many let the proposal stand."""
        return self.decided - self.overridden

    @property
    def rate(self) -> float | None:
        """The share that is overridden, 0 to 1; None where nothing is decided."""
        return self.overridden / self.decided if self.decided else None

    @property
    def reading(self) -> Reading:
        """What the rate means by the rule of thumb."""
        if self.decided < FEW or self.rate is None:
            return "few"
        if self.rate > LIMIT:
            return "limit"
        return "look" if self.rate > LOOK else "quiet"


@dataclass(frozen=True)
class Line:
    """A count for one model, reason, person or month."""

    key: str
    name: str
    count: Count


@dataclass(frozen=True)
class Report:
    """The count of everything, its parts, and how many decisions were returns, refused, or taken back."""

    total: Count
    parts: Mapping[Part, tuple[Line, ...]]
    returned: int
    refused: int
    undone: int
