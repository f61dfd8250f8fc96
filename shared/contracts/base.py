"""What every event has: a topic, the aggregate it speaks of, and a version that makes its id."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

EVENT_NAMESPACE = UUID("6f1c8e2e-5b0a-4d53-9a7e-0d2f3d9c1b55")


class Contract(BaseModel):
    """Immutable, and tolerant of fields that a newer publisher has added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Contract):
    """A fact. `version` rises with each fact about one aggregate, so a fact said again has the same id."""

    topic: ClassVar[str]
    partitions: ClassVar[int] = 1

    version: int
    time: datetime

    @property
    def aggregate_id(self) -> UUID:
        """The Kafka key: what the event is about."""
        raise NotImplementedError

    @property
    def event_id(self) -> UUID:
        """Deterministic: saying a fact again gives the same id."""
        return uuid5(EVENT_NAMESPACE, f"{self.topic}/{self.aggregate_id}/{self.version}")


class IntakeEvent(Event):
    """A fact about one intake."""

    intake_id: UUID

    @property
    def aggregate_id(self) -> UUID:
        """The intake."""
        return self.intake_id
