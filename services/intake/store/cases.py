"""What staff add to a case: who owns it and why, who is away, and notes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.intake.domain.ownership import Absence
from services.intake.store.pipeline import COLLEAGUE
from shared.postgres import Connection, rows_affected


@dataclass(frozen=True)
class Colleague:
    """Somebody who can own a case, and until when they are away."""

    id: UUID
    name: str
    away_until: date | None
    deputy_name: str | None


@dataclass(frozen=True)
class Handover:
    """A case came into somebody's hands; `instead_of` was meant to have it and was away."""

    at: datetime
    by: str
    owner: str
    instead_of: str | None
    is_own: bool
    reason: str | None


@dataclass(frozen=True)
class Note:
    """What a colleague wrote about a case."""

    id: UUID
    author: UUID
    author_name: str
    text: str
    at: datetime
    edited_at: datetime | None


async def own(
    connection: Connection,
    intake_id: UUID,
    owner: UUID,
    *,
    by: UUID,
    at: datetime,
    instead_of: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Put a case into somebody's hands and remember it."""
    await connection.execute("update intake set owner = $2 where id = $1", intake_id, owner)
    await connection.execute(
        "insert into ownership (intake_id, owner, instead_of, by, reason, at) values ($1, $2, $3, $4, $5, $6)",
        intake_id,
        owner,
        instead_of,
        by,
        reason,
        at,
    )


async def owner_of(connection: Connection, intake_id: UUID) -> UUID | None:
    """Who looks after a case."""
    owner: UUID | None = await connection.fetchval("select owner from intake where id = $1", intake_id)
    return owner


async def handovers(connection: Connection, intake_id: UUID) -> list[Handover]:
    """Each time a case came into somebody's hands, oldest first."""
    rows = await connection.fetch(
        """
        select at, coalesce(giving.name, $2) as by, coalesce(owning.name, $2) as owner,
            case when instead_of is not null then coalesce(away.name, $2) end as instead_of,
            ownership.owner = ownership.by as is_own, reason
        from ownership
            left join staff as giving on giving.id = ownership.by
            left join staff as owning on owning.id = ownership.owner
            left join staff as away on away.id = ownership.instead_of
        where intake_id = $1 order by at, ownership.id
        """,
        intake_id,
        COLLEAGUE,
    )
    return [Handover(**row) for row in rows]


async def colleagues(connection: Connection, today: date) -> list[Colleague]:
    """Who can own a case: people with an account for the console, by name."""
    rows = await connection.fetch(
        """
        select account.id, account.name, absence.until as away_until, deputy.name as deputy_name
        from account
            left join absence on absence.person = account.id and absence.until >= $1
            left join account as deputy on deputy.id = absence.deputy
        where account.kind = 'person' and account.active and account.roles && array['sales', 'account_manager']
        order by lower(account.name), account.id
        """,
        today,
    )
    return [Colleague(**row) for row in rows]


async def absences(connection: Connection) -> dict[UUID, Absence]:
    """Who has said to be away, by person."""
    rows = await connection.fetch("select person, until, deputy from absence")
    return {row["person"]: Absence(row["until"], row["deputy"]) for row in rows}


async def go_away(connection: Connection, person: UUID, absence: Absence) -> None:
    """Note that a person with an account is away."""
    await connection.execute(
        """
        insert into absence (person, until, deputy) values ($1, $2, $3)
        on conflict (person) do update set until = excluded.until, deputy = excluded.deputy
        """,
        person,
        absence.until,
        absence.deputy,
    )


async def come_back(connection: Connection, person: UUID) -> None:
    """The person takes new cases again."""
    await connection.execute("delete from absence where person = $1", person)


async def names(connection: Connection, people: Collection[UUID]) -> dict[UUID, str]:
    """The names of those who are known."""
    rows = await connection.fetch("select id, name from staff where id = any($1)", list(people))
    return {row["id"]: row["name"] for row in rows}


async def notes(connection: Connection, intake_id: UUID) -> list[Note]:
    """The notes of a case, oldest first."""
    rows = await connection.fetch(
        """
        select note.id, author, coalesce(staff.name, $2) as author_name, text, at, edited_at
        from note left join staff on staff.id = author where intake_id = $1 order by at, note.id
        """,
        intake_id,
        COLLEAGUE,
    )
    return [Note(**row) for row in rows]


async def add_note(connection: Connection, intake_id: UUID, author: UUID, text: str, at: datetime) -> bool:
    """Write a note; False where the case was erased."""
    status = await connection.execute(
        """
        insert into note (intake_id, author, text, at)
        select id, $2, $3, $4 from intake where id = $1 and state <> 'erased' for share
        """,
        intake_id,
        author,
        text,
        at,
    )
    return rows_affected(status) == 1


async def edit_note(connection: Connection, note_id: UUID, author: UUID, text: str, at: datetime) -> bool:
    """Replace the words of one's own note; False where there is none."""
    status = await connection.execute(
        "update note set text = $3, edited_at = $4 where id = $1 and author = $2", note_id, author, text, at
    )
    return rows_affected(status) == 1


async def delete_note(connection: Connection, note_id: UUID, author: UUID) -> bool:
    """Delete one's own note; False where there is none."""
    return (
        rows_affected(await connection.execute("delete from note where id = $1 and author = $2", note_id, author)) == 1
    )
