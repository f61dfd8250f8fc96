"""The account managers, and who of them is away."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from services.recommendation.domain.assignment import Absence
from services.recommendation.domain.review import Reviewer
from shared.postgres import Connection


async def account_managers(connection: Connection) -> list[Reviewer]:
    """Everybody who may decide, by name."""
    rows = await connection.fetch(
        """
        select id, name from staff where active and is_person and 'account_manager' = any(roles) order by name, id
        """
    )
    return [Reviewer(row["id"], row["name"]) for row in rows]


async def names(connection: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """What those of these people and keys that are known here are called, by id."""
    rows = await connection.fetch("select id, name from staff where id = any($1)", list(ids))
    return {row["id"]: row["name"] for row in rows}


async def absences(connection: Connection, today: date) -> dict[UUID, Absence]:
    """Who is away on a day, by id."""
    rows = await connection.fetch("select * from absence where until >= $1 order by name, staff_id", today)
    return {
        row["staff_id"]: Absence(
            of=Reviewer(row["staff_id"], row["name"]),
            until=row["until"],
            deputy=Reviewer(row["deputy"], row["deputy_name"]),
        )
        for row in rows
    }


async def leave(connection: Connection, absence: Absence) -> None:
    """Keep an absence in the place of the one before it."""
    await connection.execute(
        """
        insert into absence (staff_id, name, until, deputy, deputy_name) values ($1, $2, $3, $4, $5)
        on conflict (staff_id) do update set name = excluded.name, until = excluded.until, deputy = excluded.deputy,
            deputy_name = excluded.deputy_name
        """,
        absence.of.id,
        absence.of.name,
        absence.until,
        absence.deputy.id,
        absence.deputy.name,
    )


async def come_back(connection: Connection, staff_id: UUID) -> None:
    """End an absence, if there is one."""
    await connection.execute("delete from absence where staff_id = $1", staff_id)
