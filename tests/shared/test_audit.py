"""The chain of who did what: whole as it is written, and telling of whatever its database's owner does to it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from shared import audit
from shared.audit import Chain
from shared.postgres import Database

AT = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
ROWS = 5


@pytest.fixture
async def written(database: Database) -> Database:
    """A service whose chain has some rows."""
    for number in range(ROWS):
        async with database.transaction() as connection:
            await audit.record(connection, "reviewed", uuid7(), AT, {"version": number, "note": None}, actor=uuid7())
    return database


@pytest.fixture
async def owner(service: str, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, server_settings={"search_path": service})
    yield connection
    await connection.close()


async def checked(database: Database, *heads: str) -> Chain:
    async with database.connection() as connection:
        return await audit.verify(connection, database.service, heads)


async def test_a_chain_holds_as_it_was_written_however_many_rows_are_read_at_once(
    written: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await checked(written)
    assert (found.rows, found.broken) == (ROWS, None)
    monkeypatch.setattr(audit, "BATCH", 2)
    assert await checked(written) == found


async def test_an_empty_chain_holds(database: Database) -> None:
    assert await checked(database) == Chain(0, database.service, None, frozenset())


@pytest.mark.parametrize(
    ("tampering", "holds", "broken"),
    [
        ("update audit set action = 'approved' where seq = 3", 2, "row 3 is not what was written there"),
        ("update audit set actor = null where seq = 3", 2, "row 3 is not what was written there"),
        ("update audit set at = at + interval '1 microsecond' where seq = 1", 0, "row 1 is not"),
        ("update audit set detail = replace(detail, ':', ': ') where seq = 5", 4, "row 5 is not"),
        ("update audit set hash = repeat('0', 64) where seq = 5", 4, "row 5 is not"),
        ("delete from audit where seq = 3", 2, "row 3 is missing, and row 4 stands in its place"),
        ("delete from audit where seq = 1", 0, "row 1 is missing, and row 2 stands in its place"),
        ("delete from audit where seq = 3; update audit set seq = seq - 1 where seq > 3", 2, "row 3 is not"),
        ("insert into audit select 0, at, actor, action, subject, detail, hash from audit where seq = 1", 0, "row 0"),
        (
            "update audit set seq = seq + 100 where seq > 2; update audit set seq = seq - 99 where seq > 100;"
            "insert into audit select 3, at, actor, action, subject, detail, hash from audit where seq = 2",
            2,
            "row 3 is not",
        ),
        (
            "update audit set seq = 100 where seq = 2; update audit set seq = 2 where seq = 3;"
            "update audit set seq = 3 where seq = 100",
            1,
            "row 2 is not",
        ),
    ],
    ids=[
        "an act changed",
        "an actor taken out",
        "a time changed",
        "spaces put in",
        "a hash changed",
        "removed",
        "the first removed",
        "removed and closed up",
        "put in before the first",
        "put in",
        "two swapped",
    ],
)
async def test_the_first_broken_row_is_named(
    written: Database, owner: asyncpg.Connection, tampering: str, holds: int, broken: str
) -> None:
    await owner.execute(tampering)
    found = await checked(written)
    assert found.rows == holds
    assert found.broken is not None
    assert broken in found.broken


async def test_a_row_with_a_hash_of_its_own_breaks_the_chain_behind_it(
    written: Database, owner: asyncpg.Connection
) -> None:
    second, third = [
        audit.Entry(**row) for row in await owner.fetch("select * from audit where seq in (2, 3) order by 1")
    ]
    forged = audit.Entry(**(vars(third) | {"action": "approved"})).hash_after(second.hash)
    await owner.execute("update audit set action = 'approved', hash = $1 where seq = 3", forged)
    found = await checked(written)
    assert (found.rows, found.broken) == (3, "row 4 is not what was written there")


async def test_a_head_that_was_noted_down_shows_what_is_gone_from_the_end(
    written: Database, owner: asyncpg.Connection
) -> None:
    head = (await checked(written)).head
    async with written.transaction() as connection:
        await audit.record(connection, "released", uuid7(), AT)
    assert (await checked(written, head)).missing == frozenset()
    await owner.execute("delete from audit where seq >= 5")
    found = await checked(written, head)
    assert found == Chain(4, found.head, None, frozenset({head}))


async def test_a_service_adds_rows_and_does_nothing_else_to_them(written: Database) -> None:
    for statement in ("update audit set action = 'x'", "delete from audit", "truncate audit"):
        async with written.connection() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_of_many_at_once_each_finds_its_place_and_what_fails_leaves_none(written: Database) -> None:
    subject = uuid7()

    async def act(number: int) -> None:
        async with written.transaction() as connection:
            await audit.record(connection, "opened", subject, AT, {"document": number})
            if number % 3 == 0:
                raise InterruptedError

    await asyncio.gather(*(act(number) for number in range(12)), return_exceptions=True)
    found = await checked(written)
    assert (found.rows, found.broken) == (ROWS + 8, None)
    async with written.connection() as connection:
        entries = await audit.of(connection, subject)
        assert [entry.seq for entry in entries] == list(range(ROWS + 8, ROWS, -1))
        assert await audit.of(connection, subject, before=entries[-1].seq) == []
        assert await audit.of(connection, UUID(int=0)) == []
