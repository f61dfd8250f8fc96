"""What intake says: submissions, withdrawals, erasures, and changes of staff."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, Event, IntakeEvent

Headcount = Literal["1-10", "11-50", "51-250", "251-1000", "1001-5000", "over-5000"]
Industry = Literal[
    "agriculture",
    "mining",
    "manufacturing",
    "energy",
    "water_and_waste",
    "construction",
    "trade",
    "transport",
    "accommodation_and_food",
    "information_and_communication",
    "finance_and_insurance",
    "real_estate",
    "professional_services",
    "administrative_services",
    "public_administration",
    "education",
    "health",
    "arts_and_recreation",
    "other_services",
    "households",
    "international_organisations",
    "software",
]
Channel = Literal["web", "console", "api", "link"]
Confidence = Literal["said", "inferred"]
Role = Literal["sales", "account_manager", "rubric_owner", "admin"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]


class Company(Contract):
    """Who asks. The name may travel; people's names and addresses never do. Country is ISO 3166-1 alpha-2."""

    name: str
    headcount: Headcount
    industry: Industry
    country: str


class Answer(Contract):
    """A level key of the question or `unknown`, and whether the client said it or the salesperson inferred it."""

    level: str
    confidence: Confidence = "said"


class Campaign(Contract):
    """What a personal link was part of, in the words that marketing counts by: lower-case slugs, never a person."""

    source: Slug | None = None
    medium: Slug | None = None
    campaign: Slug | None = None


class Submission(Contract):
    """What was answered: carried from the submission to everything that follows from it.

    `author` is the colleague who took the answers down; None where the prospect or a machine sent them.
    """

    intake_id: UUID
    revision: int
    questionnaire: str
    answers: dict[str, Answer]
    company: Company
    channel: Channel
    language: str
    submitted_at: datetime
    author: UUID | None = None
    campaign: Campaign | None = None


class IntakeSubmitted(IntakeEvent):
    """A questionnaire was accepted, for good."""

    topic: ClassVar[str] = "intake.submitted.v1"
    partitions: ClassVar[int] = 6

    submission: Submission


class IntakeWithdrawn(IntakeEvent):
    """The prospect or sales took the request back; what is stored stays readable."""

    topic: ClassVar[str] = "intake.withdrawn.v1"


class IntakeErased(IntakeEvent):
    """Everything personal about the intake is gone and must go everywhere."""

    topic: ClassVar[str] = "intake.erased.v1"


class StaffChanged(Event):
    """The whole present state of one account or API key, with the ended sessions whose tokens still run.

    `is_person` is false for a key.
    """

    topic: ClassVar[str] = "intake.staff-changed.v1"

    staff_id: UUID
    name: str
    roles: tuple[Role, ...]
    active: bool
    sessions_ended: tuple[UUID, ...] = ()
    is_person: bool = True

    @property
    def aggregate_id(self) -> UUID:
        """The account or key."""
        return self.staff_id
