import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

from services.intake import handlers
from services.intake.domain.accounts import LastAdmin
from services.intake.store import accounts
from shared.postgres import Database
from shared.service import Settings
from tests.intake.accounts.staff import (
    PASSWORD,
    Browsers,
    enter,
    leads_to,
    person,
)


async def at_once(database: Database, hold: str, *steps: Awaitable[Any]) -> list[Any]:
    """What becomes of steps that one after another have come as far as the rows that `hold` locks."""
    tasks: list[asyncio.Future[Any]] = []
    async with database.transaction() as connection:
        await connection.execute(hold)
        for step in steps:
            tasks.append(asyncio.ensure_future(step))
            while await waiting(database) + sum(task.done() for task in tasks) < len(tasks):
                pass
    return await asyncio.gather(*tasks, return_exceptions=True)


async def waiting(database: Database) -> int:
    """How many transactions wait for a lock."""
    async with database.connection() as connection:
        count: int = await connection.fetchval(
            """
            select count(*) from pg_locks join pg_stat_activity using (pid)
            where not granted and datname = current_database()
            """
        )
    return count


async def test_of_those_who_use_the_first_admin_link_at_once_one_wins(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    link = await handlers.first_admin_link(database, settings)
    assert link is not None
    details = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
    uses = [(await browser()).post(link, data=details | {"email": f"a{n}@company.com"}) for n in range(4)]
    answers = await at_once(database, "select from account_link for update", *uses)
    assert sorted(answer.status_code for answer in answers) == [303, 410, 410, 410]
    async with database.connection() as connection:
        assert len(await accounts.listed(connection, "person")) == 1


async def test_of_those_who_set_a_password_by_one_link_at_once_one_wins(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    link = await handlers.add_account(database, settings, email="ann@company.com", name="Ann", roles=["sales"])
    uses = [
        (await browser()).post(link, data={"password": password, "again": password})
        for password in ("the first new password", "the second new password")
    ]
    answers = await at_once(database, "select from account for update", *uses)
    assert sorted(answer.status_code for answer in answers) == [303, 410]


async def test_of_two_password_changes_at_once_one_counts(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    changes = []
    for new in ("the first new password", "the second new password"):
        client = await browser()
        await enter(client, "ann@company.com")
        changes.append(client.post("/account/password", data={"current": PASSWORD, "password": new, "again": new}))
    answers = await at_once(database, "select from account for update", *changes)
    assert sorted(leads_to(answer) for answer in answers) == [
        "/account/?done=password",
        "/account/sign-in?next=/account/&unsent=yes",
    ]


async def test_of_two_admins_who_remove_each_other_at_once_one_stays(database: Database) -> None:
    ann = await person(database, "ann@company.com", "admin")
    bo = await person(database, "bo@company.com", "admin")
    outcomes = await at_once(
        database,
        "select from account order by id for update",
        handlers.deactivate(database, ann),
        handlers.change_roles(database, bo, ["sales"]),
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [LastAdmin]


async def test_signing_in_while_being_deactivated_leaves_no_session(database: Database, browser: Browsers) -> None:
    ann = await person(database, "ann@company.com", "sales")
    client = await browser()
    await at_once(
        database,
        "select from account for update",
        handlers.deactivate(database, ann),
        enter(client, "ann@company.com"),
    )
    async with database.connection() as connection:
        assert await accounts.open_sessions(connection, ann, datetime.now(UTC)) == []
    await handlers.reactivate(database, ann)
    assert leads_to(await client.get("/account/")).startswith("/account/sign-in")
