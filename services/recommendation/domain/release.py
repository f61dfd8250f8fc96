"""How a document comes to a client: released after a review alone, shared by a link that ends, answered once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.recommendation.domain.review import (
    DECIDED,
    Case,
    OutOfStep,
    Review,
    Reviewer,
    StaleVersion,
    Unfit,
    readable,
)
from shared.contracts.recommendation import ClientAnswer, CommercialForm, DeclineReason, Model, ProposalState

KEPT_OPEN = timedelta(days=30)
MAX_NAME = 200
OUT: tuple[ProposalState, ...] = ("released", "accepted", "declined", "expired")
SHAREABLE: tuple[ProposalState, ...] = ("released", "accepted", "expired")

Visit = Literal["opened", "downloaded"]
Shared = Literal["released", "accepted"]


@dataclass(frozen=True)
class Link:
    """What lets a client read one document, until it expires or is closed."""

    id: UUID
    number: int
    made_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """True while the client may use it."""
        return self.closed_at is None and now < self.expires_at


@dataclass(frozen=True)
class Document:
    """What was released, and from which review; the content's SHA-256 is its hash."""

    intake_id: UUID
    number: int
    revision: int
    review_version: int
    hash: str
    model: Model
    commercial_form: CommercialForm
    questionnaire: str
    rubric: str
    playbook: str
    released_by: Reviewer
    released_at: datetime


@dataclass(frozen=True)
class Answer:
    """What a client answered to a document; `version` is the case's after it. Name and note are gone after erasure."""

    version: int
    number: int
    answer: ClientAnswer
    reason_code: DeclineReason | None
    name: str | None
    note: str | None
    at: datetime


@dataclass(frozen=True)
class Reply:
    """What a colleague answered to a client's questions. The note is gone after erasure."""

    version: int
    number: int
    by: Reviewer
    note: str | None
    at: datetime


class AnswerRequest(BaseModel):
    """An answer as the client sends it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: ClientAnswer
    reason_code: DeclineReason | None = None
    name: Annotated[str, Field(max_length=MAX_NAME), AfterValidator(readable)] | None = None
    note: Annotated[str, AfterValidator(readable)] | None = None

    @property
    def why_declined(self) -> DeclineReason | None:
        """The reason, unless it stands there from an answer that was changed since."""
        return self.reason_code if self.answer == "declined" else None


class NotReleasable(OutOfStep):
    """Nobody has let the proposal pass, or it is no longer the current one."""


class AlreadyReleased(OutOfStep):
    """Its document is out."""


class NotShared(OutOfStep):
    """There is no document out that a link could be for."""


class NothingAsked(OutOfStep):
    """The client has no question that a reply could be to."""


class NotAnswerable(Exception):
    """The document takes no answer any more."""


def release(case: Case, version: int) -> Review:
    """The review that lets this case's document pass. Raises OutOfStep."""
    if case.state in OUT:
        raise AlreadyReleased(case, "The document is released already. You find it and its link below.")
    if case.state not in DECIDED or case.review is None or case.review.decision == "return":
        raise NotReleasable(case, "Nothing is released before it is approved or overridden. Decide first.")
    if case.version != version:
        raise StaleVersion(case, "The case moved on while you read. Look again, then release it.")
    return case.review


def link(link_id: UUID, number: int, now: datetime) -> Link:
    """A link to a document, open from now."""
    return Link(link_id, number, now, now + KEPT_OPEN)


def share_again(case: Case) -> Shared:
    """The state of a case with a new link: what was accepted stays so. Raises NotShared where there is nothing out."""
    if case.state not in SHAREABLE:
        raise NotShared(case, f"There is nothing to share: this case is {case.state}.")
    return "accepted" if case.state == "accepted" else "released"


def reply(
    case: Case, link: Link | None, answers: Collection[Answer], note: str | None, *, by: Reviewer, now: datetime
) -> Reply:
    """The reply to what the client has asked, at the next version. Raises OutOfStep, or Unfit where it says nothing."""
    if case.state not in ("released", "expired") or link is None:
        raise NotShared(case, f"Nobody can read a reply here: this case is {case.state}.")
    if not any(one.answer == "asked" and one.number == link.number for one in answers):
        raise NothingAsked(case, "The client has asked nothing about this document.")
    if not link.is_open(now):
        raise NotShared(case, "The client's link opens nothing any more. Make a new one, then reply.")
    if note is None:
        raise Unfit("reply", "Write what the client should know.")
    return Reply(case.version + 1, link.number, by, note, now)


def thread(answers: Collection[Answer], replies: Collection[Reply]) -> list[Answer | Reply]:
    """The client's questions and the replies to them, in the order they were written."""
    asked = [one for one in answers if one.answer == "asked"]
    return sorted([*asked, *replies], key=lambda one: one.version)


def has_run_out(state: ProposalState, link: Link, now: datetime) -> bool:
    """True where the client has had time for a last word and did not use it."""
    return state == "released" and link.expires_at <= now


def answered(state: ProposalState, request: AnswerRequest) -> ProposalState:
    """The state that an answer leads to. Raises NotAnswerable, or Unfit where a field is missing."""
    if state != "released":
        raise NotAnswerable
    if request.name is None:
        raise Unfit("name", "Give your name, so that we know who answers.")
    if request.answer == "asked" and request.note is None:
        raise Unfit("note", "Write what you would like to know.")
    if request.answer == "declined" and request.reason_code is None:
        raise Unfit("reason_code", "Choose the reason that comes nearest.")
    return "released" if request.answer == "asked" else request.answer
