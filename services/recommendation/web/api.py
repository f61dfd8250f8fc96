"""The JSON API of recommendation: proposals, the queue, reviews, and the document that is released."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from services.recommendation import handlers
from services.recommendation.domain.alternatives import Alternative
from services.recommendation.domain.blueprint import Blueprint
from services.recommendation.domain.offer import Kind
from services.recommendation.domain.proposal import AppliedRule, Leaning, Stage
from services.recommendation.domain.review import WAITING, Case, OutOfStep, ReviewRequest, Unfit
from services.recommendation.handlers import UnknownCase
from services.recommendation.store import cases, documents
from services.recommendation.store.cases import CaseFile, Queued
from services.recommendation.web import pdf
from services.recommendation.web.callers import AccountManager, Reader, reviewer
from services.recommendation.web.documents import link_address
from services.recommendation.web.releases import Shown, shown
from shared.contracts.assessment import Strength, VersionHash
from shared.contracts.intake import Company
from shared.contracts.recommendation import ClientAnswer, CommercialForm, Decision, DeclineReason, Model, ProposalState
from shared.postgres import Connection, Database
from shared.service import Problem, answer_once, read_json

router = APIRouter(prefix="/api/recommendation")


class ReleaseRequest(BaseModel):
    """Release the document of the case as the caller saw it at `version`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """How a body that is read by hand is described."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PersonView(_View):
    """A member of staff."""

    id: UUID
    name: str


class ReviewView(_View):
    """One decision; `version` is the case's after it."""

    decision: Decision
    model: Model | None
    commercial_form: CommercialForm | None
    reason_code: str | None
    note: str | None
    by: PersonView
    at: datetime
    version: int
    revision: int


class EarlierView(_View):
    """A revision that another has replaced."""

    revision: int
    state: ProposalState
    model: Model
    commercial_form: CommercialForm
    proposed_at: datetime


class ClientAnswerView(_View):
    """What the client answered. After erasure name and note are null."""

    answer: ClientAnswer
    reason_code: DeclineReason | None
    name: str | None
    note: str | None
    at: datetime


class DocumentView(_View):
    """A released document: the SHA-256 of what it says, and the client's link while it is open."""

    number: int
    revision: int
    hash: str
    released_by: PersonView
    released_at: datetime
    link: str | None
    expires_at: datetime
    opened: int
    downloaded: int
    answers: tuple[ClientAnswerView, ...]


class CaseView(_View):
    """A proposal as the playbook made it, its state, and what people decided.

    `review` is the last decision on the current revision, `documents` are the released ones, latest first, and
    `what_would_change` holds the smallest sets of other answers under which another model would be proposed. After
    erasure the contents are null.
    """

    intake_id: UUID
    revision: int | None
    version: int
    state: ProposalState
    model: Model | None
    strength: Strength | None
    commercial_form: CommercialForm | None
    second_line: CommercialForm | None
    kind: Kind | None
    leaning: Leaning | None
    deciding_questions: tuple[str, ...] | None
    vetoes: tuple[str, ...] | None
    conditions: tuple[str, ...] | None
    rules: tuple[AppliedRule, ...] | None
    what_would_change: tuple[Alternative, ...] | None
    staging: tuple[Stage, ...] | None
    playbook: VersionHash | None
    company: Company | None
    assessment: dict[str, Any] | None
    submitted_at: datetime | None
    proposed_at: datetime | None
    assignee: PersonView | None
    review: ReviewView | None
    reviews: tuple[ReviewView, ...]
    earlier: tuple[EarlierView, ...]
    documents: tuple[DocumentView, ...]


class QueuedView(_View):
    """A case in the queue; `checks` and `unknown` count open contradictions and unanswered questions."""

    intake_id: UUID
    revision: int
    version: int
    state: ProposalState
    model: Model
    strength: Strength | None
    commercial_form: CommercialForm
    kind: Kind | None
    vetoes: tuple[str, ...] | None
    conditions: tuple[str, ...] | None
    checks: int
    unknown: int
    company: Company | None
    assignee: PersonView | None
    proposed_at: datetime
    age_seconds: int


class QueueView(_View):
    """At most a page of cases; `next` is what to send as `after` for the following page."""

    items: tuple[QueuedView, ...]
    next: UUID | None


class DecidedView(ReviewView):
    """A decision, and the state it led to."""

    intake_id: UUID
    state: ProposalState


class ReleasedView(_View):
    """A released document: its number, the SHA-256 of what it says, and the client's link while it is open."""

    intake_id: UUID
    version: int
    state: ProposalState
    document: int
    document_hash: str
    link: str
    expires_at: datetime


PROPOSED = (
    "second_line",
    "kind",
    "leaning",
    "deciding_questions",
    "vetoes",
    "conditions",
    "rules",
    "what_would_change",
    "staging",
    "playbook",
)


def _case(file: CaseFile, released: Sequence[Shown]) -> CaseView:
    proposed = {name: getattr(file.proposal, name, None) for name in PROPOSED}
    return CaseView.model_validate(
        {**vars(file), **proposed, "review": file.review, "documents": list(map(_document, released))}
    )


def _document(one: Shown) -> DocumentView:
    document = {**vars(one.document), **vars(one), "link": one.address, "expires_at": one.link.expires_at}
    return DocumentView.model_validate(document)


def _queued(item: Queued, now: datetime) -> QueuedView:
    proposed = {name: getattr(item.proposal, name, None) for name in ("kind", "vetoes", "conditions")}
    age = int((now - item.proposed_at).total_seconds())
    return QueuedView.model_validate({**vars(item), **proposed, "age_seconds": age})


@router.get("/intakes/{intake_id}")
async def read(request: Request, intake_id: UUID, caller: Reader) -> CaseView:
    """The proposal for the current revision, its review and its state."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
        released = await shown(request, connection, intake_id)
    if file is None:
        raise unknown(UnknownCase())
    return _case(file, released)


@router.get("/intakes/{intake_id}/blueprint")
async def blueprint(request: Request, intake_id: UUID, caller: Reader) -> Blueprint:
    """How the work would be set up: people, responsibilities, handoffs, meetings, terms, steps and risks.

    Worked out from what is stored, each line with the rule and the answers behind it. A discovery call has an agenda
    instead. 404 where there is none, as after erasure.
    """
    database: Database = request.app.state.database
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    if file is None:
        raise unknown(UnknownCase())
    found = handlers.blueprint_of(file)
    if found is None:
        raise Problem(404, "There is no blueprint", "What the client sent was erased, and its blueprint with it.")
    return found


@router.get("/reviews")
async def queue(
    request: Request, caller: Reader, state: ProposalState | None = None, after: UUID | None = None
) -> QueueView:
    """The cases in a state, or all that wait for a decision; the longest waiting first."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await cases.queue(connection, WAITING if state is None else (state,), after=after)
    now = datetime.now(UTC)
    return QueueView(
        items=tuple(_queued(item, now) for item in found),
        next=found[-1].intake_id if len(found) == cases.PAGE else None,
    )


@router.post("/intakes/{intake_id}/review", response_model=DecidedView, openapi_extra=_body(ReviewRequest))
async def review(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Approve, override or return the proposal that the caller saw at `version`."""
    decision, body = await read_json(request, ReviewRequest)
    database: Database = request.app.state.database

    try:
        async with _changing(database) as connection:

            async def work() -> tuple[int, dict[str, Any]]:
                case = await handlers.review(connection, intake_id, decision, reviewer(caller), datetime.now(UTC))
                return 200, _decided(case).model_dump(mode="json")

            return await answer_once(request, connection, caller.id, body, work)
    except Unfit as refusal:
        fault = {"field": refusal.field, "message": str(refusal)}
        detail = f"{refusal.field}: {refusal}"
        raise Problem(422, "The decision needs something else", detail, errors=[fault]) from refusal


@router.post("/intakes/{intake_id}/release", response_model=ReleasedView, openapi_extra=_body(ReleaseRequest))
async def release(request: Request, intake_id: UUID, caller: AccountManager) -> Response:
    """Freeze the document of an approved or overridden proposal and make the client's link."""
    asked, body = await read_json(request, ReleaseRequest)
    database: Database = request.app.state.database

    async with _changing(database) as connection:

        async def work() -> tuple[int, dict[str, Any]]:
            released = await handlers.release(
                connection, intake_id, asked.version, reviewer(caller), datetime.now(UTC), render=pdf.render
            )
            view = ReleasedView(
                intake_id=intake_id,
                version=released.version,
                state="released",
                document=released.document.number,
                document_hash=released.document.hash,
                link=link_address(request, released.link),
                expires_at=released.link.expires_at,
            )
            return 200, view.model_dump(mode="json")

        return await answer_once(request, connection, caller.id, body, work)


@router.get(
    "/intakes/{intake_id}/document.pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The file as it was released."}},
)
async def document(request: Request, intake_id: UUID, caller: Reader) -> Response:
    """The last document that was released."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        last = await documents.latest(connection, intake_id)
        file = None if last is None else await documents.pdf(connection, intake_id, last.number)
    if last is None:
        raise Problem(404, "No document here", "Nothing was released for this intake yet.")
    if file is None:
        raise Problem(410, "The document is erased", "It was deleted on request.")
    return Response(file, media_type="application/pdf")


def unknown(refusal: UnknownCase) -> Problem:
    """The refusal to show what is not there."""
    return Problem(404, "No proposal here", str(refusal))


@asynccontextmanager
async def _changing(database: Database) -> AsyncIterator[Connection]:
    """A transaction on a case; what keeps it from being changed becomes the answer."""
    try:
        async with database.transaction() as connection:
            yield connection
    except UnknownCase as refusal:
        raise unknown(refusal) from refusal
    except OutOfStep as refusal:
        raise _moved_on(refusal) from refusal


def _moved_on(refusal: OutOfStep) -> Problem:
    case = refusal.case
    review = None if case.review is None else ReviewView.model_validate(case.review).model_dump(mode="json")
    return Problem(409, "The case has moved on", str(refusal), state=case.state, version=case.version, review=review)


def _decided(case: Case) -> DecidedView:
    return DecidedView.model_validate({**vars(case.review), "intake_id": case.intake_id, "state": case.state})
