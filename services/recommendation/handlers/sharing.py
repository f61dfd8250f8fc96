"""Releasing a case's document, and the client's link to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.recommendation.domain import release as releases
from services.recommendation.domain.document import Content, draw_up, sha256
from services.recommendation.domain.release import Document, Link
from services.recommendation.domain.review import Reviewer
from services.recommendation.handlers.case import locked
from services.recommendation.handlers.lines import basis
from services.recommendation.store import cases, documents
from services.recommendation.store.cases import CaseFile
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationLinkClosed, RecommendationReleased
from shared.postgres import Connection


@dataclass(frozen=True)
class Released:
    """A document, the link that opens it, and its case's version since."""

    document: Document
    link: Link
    version: int


async def release(
    connection: Connection,
    intake_id: UUID,
    version: int,
    reviewer: Reviewer,
    now: datetime,
    *,
    render: Callable[[Content, str], Awaitable[bytes]],
) -> Released:
    """Freeze a case's document, open it to the client and say so. Raises UnknownCase or OutOfStep.

    `render` makes the file from the content and its hash.
    """
    case = await locked(connection, intake_id)
    decision = releases.release(case, version)
    file = await cases.read(connection, intake_id)
    assert file is not None, "a case that is locked can be read"
    content = drawn(file, await documents.next_number(connection, intake_id), now)
    canonical = content.canonical
    document = Document(
        intake_id=intake_id,
        number=content.number,
        revision=case.revision,
        review_version=decision.version,
        hash=sha256(canonical),
        model=decision.model or case.model,
        commercial_form=decision.commercial_form or case.commercial_form,
        questionnaire=content.questionnaire.version,
        rubric=content.rubric.version,
        playbook=content.playbook.version,
        released_by=reviewer,
        released_at=now,
    )
    released = Released(document, releases.link(uuid7(), document.number, now), case.version + 1)
    await documents.add(connection, document, canonical, await render(content, document.hash), released.link)
    await cases.advance(connection, intake_id, case.revision, released.version, "released")
    await outbox.say(connection, _released(released, reviewer, now))
    await _record_link(connection, "released", released, reviewer, now)
    return released


async def share_again(connection: Connection, intake_id: UUID, reviewer: Reviewer, now: datetime) -> Released:
    """Make a new link in the place of the last and say so. Raises UnknownCase, or OutOfStep where nothing is out."""
    case = await locked(connection, intake_id)
    state = releases.share_again(case)
    document = await documents.latest(connection, intake_id)
    assert document is not None, "what is released has a document"
    shared = Released(document, releases.link(uuid7(), document.number, now), case.version + 1)
    await documents.add_link(connection, intake_id, shared.link, reviewer.id)
    await cases.advance(connection, intake_id, case.revision, shared.version, state)
    await outbox.say(connection, _released(shared, reviewer, now, state))
    await _record_link(connection, "link_made", shared, reviewer, now)
    return shared


async def _record_link(connection: Connection, act: str, released: Released, by: Reviewer, now: datetime) -> None:
    document = released.document
    acted = {"version": released.version, "document": document.number, "hash": document.hash, "link": released.link.id}
    await audit.record(connection, act, document.intake_id, now, acted, actor=by.id)


async def stop_sharing(connection: Connection, intake_id: UUID, reviewer: Reviewer, now: datetime) -> None:
    """Close the link that stands and say so, if one does. Raises UnknownCase."""
    case = await locked(connection, intake_id)
    link = await documents.close_link(connection, intake_id, now)
    if link is None:
        return
    closed = RecommendationLinkClosed(
        intake_id=intake_id,
        version=case.version + 1,
        time=now,
        revision=case.revision,
        document=link.number,
        link_id=link.id,
        by=reviewer.id,
    )
    await cases.advance(connection, intake_id, case.revision, closed.version)
    await outbox.say(connection, closed)
    acted = {"version": closed.version, "document": link.number, "link": link.id}
    await audit.record(connection, "link_closed", intake_id, now, acted, actor=reviewer.id)


def drawn(file: CaseFile, number: int, now: datetime) -> Content:
    """The document of a case that has not been erased, as reviews and edits left it."""
    assert file.company is not None, "only an erased case has no company"
    decision = file.review if file.review and file.review.decision != "return" else None
    reviewed_by = decision.by.name if decision else None
    return draw_up(basis(file), number=number, company=file.company.name, reviewed_by=reviewed_by, day=now.date())


def _released(
    released: Released, by: Reviewer, now: datetime, state: releases.Shared = "released"
) -> RecommendationReleased:
    document = released.document
    return RecommendationReleased(
        intake_id=document.intake_id,
        version=released.version,
        time=now,
        revision=document.revision,
        by=by.id,
        model=document.model,
        commercial_form=document.commercial_form,
        document=document.number,
        document_hash=document.hash,
        link_id=released.link.id,
        expires_at=released.link.expires_at,
        state=state,
    )
