"""Released documents: what they say, who may read them, who has, and what clients answered."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.recommendation.domain.document import Content
from services.recommendation.domain.release import Answer, Document, Link, Reply, Visit
from services.recommendation.domain.review import Reviewer
from shared.contracts.recommendation import Model, ProposalState
from shared.postgres import Connection


@dataclass(frozen=True)
class Shelf:
    """A document as its account manager sees it: its last link, how often it was read, and what was answered."""

    document: Document
    link: Link
    opened: int
    first_opened_at: datetime | None
    downloaded: int
    answers: tuple[Answer, ...]
    replies: tuple[Reply, ...]


@dataclass(frozen=True)
class Behind:
    """What a link leads to. `content` is None after erasure; `state` is that of the document's own proposal.

    `host` is who takes calls about it: whoever has the case in hand, else who released the document.
    """

    intake_id: UUID
    version: int
    revision: int
    link: Link
    hash: str
    state: ProposalState
    is_read: bool
    content: Content | None
    model: Model
    host: Reviewer
    answers: tuple[Answer, ...]
    replies: tuple[Reply, ...]


async def add(connection: Connection, document: Document, canonical: str, pdf: bytes, link: Link) -> None:
    """Keep a document with its contents and its first link."""
    await connection.execute(
        """
        with released as (
            insert into document (intake_id, number, revision, review_version, hash, model, commercial_form,
                questionnaire, rubric, playbook, released_by, released_by_name, released_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        )
        insert into document_content (intake_id, number, content, pdf) values ($1, $2, $14, $15)
        """,
        document.intake_id,
        document.number,
        document.revision,
        document.review_version,
        document.hash,
        document.model,
        document.commercial_form,
        document.questionnaire,
        document.rubric,
        document.playbook,
        document.released_by.id,
        document.released_by.name,
        document.released_at,
        canonical,
        pdf,
    )
    await add_link(connection, document.intake_id, link, document.released_by.id)


async def add_link(connection: Connection, intake_id: UUID, link: Link, by: UUID) -> None:
    """Make a link in the place of the one before it, whatever document that was for."""
    await close_link(connection, intake_id, link.made_at)
    await connection.execute(
        """
        insert into document_link (id, intake_id, number, made_by, made_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        link.id,
        intake_id,
        link.number,
        by,
        link.made_at,
        link.expires_at,
    )


async def close_link(connection: Connection, intake_id: UUID, at: datetime) -> Link | None:
    """Let nobody read by the link that stands, if one does; that link."""
    row = await connection.fetchrow(
        "update document_link set closed_at = $2 where intake_id = $1 and closed_at is null returning *", intake_id, at
    )
    return None if row is None else _link(row)


async def next_number(connection: Connection, intake_id: UUID) -> int:
    """What the next document of an intake will be called."""
    number: int = await connection.fetchval(
        "select coalesce(max(number), 0) + 1 from document where intake_id = $1", intake_id
    )
    return number


async def shelf(connection: Connection, intake_id: UUID) -> list[Shelf]:
    """The documents of an intake, latest first."""
    rows = await connection.fetch(
        """
        select document.*, link.id, link.made_at, link.expires_at, link.closed_at,
            opened.times as opened, opened.first_at as first_opened_at, downloaded.times as downloaded
        from document
            cross join lateral (
                select * from document_link where intake_id = document.intake_id and number = document.number
                order by made_at desc limit 1
            ) link
            cross join lateral (
                select count(*) as times, min(at) as first_at from document_visit
                where intake_id = document.intake_id and number = document.number and kind = 'opened'
            ) opened
            cross join lateral (
                select count(*) as times from document_visit
                where intake_id = document.intake_id and number = document.number and kind = 'downloaded'
            ) downloaded
        where document.intake_id = $1 order by number desc
        """,
        intake_id,
    )
    answers, replies = await _answers(connection, intake_id), await _replies(connection, intake_id)
    return [
        Shelf(
            document=_document(row),
            link=_link(row),
            opened=row["opened"],
            first_opened_at=row["first_opened_at"],
            downloaded=row["downloaded"],
            answers=tuple(answer for answer in answers if answer.number == row["number"]),
            replies=tuple(reply for reply in replies if reply.number == row["number"]),
        )
        for row in rows
    ]


async def latest(connection: Connection, intake_id: UUID) -> Document | None:
    """The last document of an intake, or None."""
    row = await connection.fetchrow(
        "select * from document where intake_id = $1 order by number desc limit 1", intake_id
    )
    return None if row is None else _document(row)


async def behind(connection: Connection, link_id: UUID) -> Behind | None:
    """What a link leads to, open or not; None where it leads nowhere."""
    row = await connection.fetchrow(
        """
        select link.*, version, document.revision, document.model, hash, state, content.content,
            coalesce(assignee, released_by) as host, coalesce(assignee_name, released_by_name) as host_name,
            exists (
                select from document_visit visit
                where visit.intake_id = link.intake_id and visit.number = link.number and kind = 'opened'
            ) as is_read
        from document_link link
            join review_case using (intake_id)
            join document using (intake_id, number)
            join proposal on proposal.intake_id = link.intake_id and proposal.revision = document.revision
            left join document_content content
                on content.intake_id = link.intake_id and content.number = link.number
        where link.id = $1
        """,
        link_id,
    )
    if row is None:
        return None
    return Behind(
        intake_id=row["intake_id"],
        version=row["version"],
        revision=row["revision"],
        link=_link(row),
        hash=row["hash"],
        state=row["state"],
        is_read=row["is_read"],
        content=None if row["content"] is None else Content.model_validate_json(row["content"]),
        model=row["model"],
        host=Reviewer(row["host"], row["host_name"]),
        answers=tuple(
            answer for answer in await _answers(connection, row["intake_id"]) if answer.number == row["number"]
        ),
        replies=tuple(reply for reply in await _replies(connection, row["intake_id"]) if reply.number == row["number"]),
    )


async def lock_behind(connection: Connection, link_id: UUID) -> Behind | None:
    """The same, for nobody else to change its case until the transaction ends."""
    await connection.execute(
        "select from review_case where intake_id = (select intake_id from document_link where id = $1) for update",
        link_id,
    )
    return await behind(connection, link_id)


async def pdf(connection: Connection, intake_id: UUID, number: int) -> bytes | None:
    """The file of a document as it was released; None where it is erased or was never there."""
    found: bytes | None = await connection.fetchval(
        "select pdf from document_content where intake_id = $1 and number = $2", intake_id, number
    )
    return found


async def record_visit(connection: Connection, intake_id: UUID, number: int, kind: Visit, at: datetime) -> bool:
    """Note that a client opened or downloaded a document; True where it is the first time of that kind."""
    first: bool = await connection.fetchval(
        """
        with noted as (
            insert into document_visit (intake_id, number, kind, at) values ($1, $2, $3, $4)
        )
        select not exists (select from document_visit where intake_id = $1 and number = $2 and kind = $3)
        """,
        intake_id,
        number,
        kind,
        at,
    )
    return first


async def record_answer(connection: Connection, intake_id: UUID, answer: Answer) -> None:
    """Keep what a client answered."""
    await connection.execute(
        """
        insert into document_answer (intake_id, version, number, answer, reason_code, name, note, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        intake_id,
        answer.version,
        answer.number,
        answer.answer,
        answer.reason_code,
        answer.name,
        answer.note,
        answer.at,
    )


async def record_reply(connection: Connection, intake_id: UUID, reply: Reply) -> None:
    """Keep what a colleague replied to a client."""
    await connection.execute(
        """
        insert into document_reply (intake_id, version, number, replied_by, replied_by_name, note, at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        intake_id,
        reply.version,
        reply.number,
        reply.by.id,
        reply.by.name,
        reply.note,
        reply.at,
    )


async def run_out(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Intakes whose client has no last word, no open link and no call to come."""
    rows = await connection.fetch(
        """
        select intake_id
        from proposal join review_case using (intake_id, revision)
            join document using (intake_id, revision)
            cross join lateral (
                select max(expires_at) as until from document_link link
                where link.intake_id = document.intake_id and link.number = document.number
            ) open
        where state = 'released' and until <= $1 and not exists (
            select from call where call.intake_id = document.intake_id and status = 'booked' and ends_at > $1
        )
        limit $2
        """,
        now,
        limit,
    )
    return [row["intake_id"] for row in rows]


async def erase(connection: Connection, intake_id: UUID, at: datetime) -> None:
    """Delete what the documents say and what clients wrote, and close the link; hashes, codes and times stay."""
    await close_link(connection, intake_id, at)
    await connection.execute("delete from document_content where intake_id = $1", intake_id)
    await connection.execute("update document_answer set name = null, note = null where intake_id = $1", intake_id)
    await connection.execute("update document_reply set note = null where intake_id = $1", intake_id)


async def _answers(connection: Connection, intake_id: UUID) -> list[Answer]:
    """What a client has answered, latest first."""
    rows = await connection.fetch(
        """
        select version, number, answer, reason_code, name, note, at from document_answer
        where intake_id = $1 order by version desc
        """,
        intake_id,
    )
    return [Answer(**row) for row in rows]


async def _replies(connection: Connection, intake_id: UUID) -> list[Reply]:
    """What colleagues have replied, latest first."""
    rows = await connection.fetch("select * from document_reply where intake_id = $1 order by version desc", intake_id)
    return [
        Reply(
            row["version"], row["number"], Reviewer(row["replied_by"], row["replied_by_name"]), row["note"], row["at"]
        )
        for row in rows
    ]


def _document(row: asyncpg.Record) -> Document:
    return Document(
        intake_id=row["intake_id"],
        number=row["number"],
        revision=row["revision"],
        review_version=row["review_version"],
        hash=row["hash"],
        model=row["model"],
        commercial_form=row["commercial_form"],
        questionnaire=row["questionnaire"],
        rubric=row["rubric"],
        playbook=row["playbook"],
        released_by=Reviewer(row["released_by"], row["released_by_name"]),
        released_at=row["released_at"],
    )


def _link(row: asyncpg.Record) -> Link:
    return Link(row["id"], row["number"], row["made_at"], row["expires_at"], row["closed_at"])
