import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from services.laptop import PACKAGES
from shared import postgres
from shared.postgres import POOL_SIZE, Database, is_transient, role_of
from tests.conftest import TestServers, database_named
from tests.shared.plumbing import by_way_of, database_behind, until


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with one migration of its own, which makes the table `thing`."""
    name = f"package_{uuid4().hex[:8]}"
    (tmp_path / name / "migrations").mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "migrations" / "0001_things.sql").write_text("create table thing (id int primary key);")
    monkeypatch.syspath_prepend(tmp_path)
    return name


async def tables(url: str, schema: str) -> set[str]:
    owner = await asyncpg.connect(url)
    try:
        rows = await owner.fetch("select tablename from pg_tables where schemaname = $1", schema)
        return {row["tablename"] for row in rows}
    finally:
        await owner.close()


async def test_migrating_again_applies_nothing(database_url: str) -> None:
    assert await postgres.migrate(database_url, PACKAGES) == []


async def test_migrations_are_applied_in_order_and_named(database_url: str, service: str, package: str) -> None:
    assert await postgres.migrate(database_url, {service: package}) == [f"{service}: {package}/0001_things.sql"]
    assert "thing" in await tables(database_url, service)


async def test_concurrent_migrations_wait_for_each_other(database_url: str, service: str, package: str) -> None:
    every = await asyncio.gather(*(postgres.migrate(database_url, {service: package}) for _ in range(5)))
    assert sorted(every) == [[], [], [], [], [f"{service}: {package}/0001_things.sql"]]


async def test_a_failing_migration_leaves_nothing_and_is_tried_again(
    database_url: str, service: str, package: str, tmp_path: Path
) -> None:
    second = tmp_path / package / "migrations" / "0002_more.sql"
    second.write_text("create table half_done (id int); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await postgres.migrate(database_url, {service: package})
    assert {"thing", "half_done"} & await tables(database_url, service) == {"thing"}
    second.write_text("create table whole (id int);")
    assert await postgres.migrate(database_url, {service: package}) == [f"{service}: {package}/0002_more.sql"]


@pytest.fixture
async def empty_databases(servers: TestServers) -> AsyncIterator[list[str]]:
    names = [f"test_{uuid4().hex[:12]}" for _ in range(3)]
    owner = await asyncpg.connect(servers.database_url)
    for name in names:
        await owner.execute(f"create database {name}")
    yield [database_named(servers.database_url, name) for name in names]
    for name in names:
        await owner.execute(f"drop database {name} with (force)")
    await owner.close()


async def test_databases_of_one_server_share_their_roles_and_can_be_migrated_at_once(
    empty_databases: list[str], servers: TestServers
) -> None:
    name = f"test_{uuid4().hex[:12]}"
    await asyncio.gather(*(postgres.migrate(url, {name: "shared"}) for url in empty_databases))
    for url in empty_databases:
        assert "fact" in await tables(url, name)
        owner = await asyncpg.connect(url)
        await owner.execute(f"drop owned by {role_of(name)} cascade")
        await owner.close()
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(f"drop role {role_of(name)}")
    await owner.close()


@pytest.mark.parametrize(("reader", "owner"), list(permutations(PACKAGES, 2)))
async def test_a_service_cannot_touch_another_services_tables(
    connect: Callable[[str], Awaitable[Database]], database_url: str, reader: str, owner: str
) -> None:
    database = await connect(reader)
    names = await tables(database_url, owner)
    assert {"fact", "outbox", "dead_letter", "migration"} <= names
    async with database.connection() as connection:
        for name in names:
            for statement in ("select * from {}", "delete from {}", "insert into {} default values"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement.format(f"{owner}.{name}"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"create table {owner}.planted (id int)")


async def test_a_service_works_on_its_own_tables_without_naming_its_schema(
    database: Database, database_url: str, service: str
) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute("create table public.heard (trap int)")
    try:
        async with database.transaction() as connection:
            await connection.execute("insert into heard (text) values ('here')")
            assert await connection.fetchval(f"select text from {service}.heard") == "here"
    finally:
        await owner.execute("drop table public.heard")
        await owner.close()


async def test_a_services_own_login_cannot_take_another_role(database_url: str, service: str) -> None:
    await postgres.migrate(database_url, {service: "shared"}, {service: "it's a password"})
    parts = urlsplit(database_url)
    server = parts.netloc.rpartition("@")[2]
    own_url = urlunsplit(parts._replace(netloc=f"{role_of(service)}:it's%20a%20password@{server}"))
    async with postgres.connect(own_url, service) as database, database.connection() as connection:
        await connection.execute("insert into heard (text) values ('mine')")
        for other in map(role_of, PACKAGES):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"set role {other}")


async def test_a_transaction_that_fails_leaves_nothing_and_wakes_nobody(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("insert into heard (text) values ('gone')")
            raise ZeroDivisionError
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from heard") == 0
    assert not database.committed.is_set()
    async with database.transaction():
        pass
    assert database.committed.is_set()


async def test_statements_that_commit_themselves_stay_whatever_follows_and_wake_the_relay(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.autocommit() as connection:
            await connection.execute("insert into heard (text) values ('stays')")
            raise ZeroDivisionError
    async with database.autocommit() as connection:
        assert await connection.fetchval("select count(*) from heard") == 1
        assert not database.committed.is_set()
    assert database.committed.is_set()


async def test_json_columns_take_and_give_objects(database: Database) -> None:
    content = {"answers": ["a", None, 1.5], "name": "Łódź"}
    async with database.connection() as connection:
        assert await connection.fetchval("select $1::jsonb", content) == content


async def a_lock_held_too_long(database: Database) -> None:
    async with database.transaction() as holder, database.connection() as waiting:
        await holder.execute("lock table heard")
        await waiting.execute("set lock_timeout = '20ms'")
        await waiting.execute("select * from heard")


async def a_terminated_backend(database: Database) -> None:
    async with database.transaction() as connection:
        async with database.connection() as other:
            await other.execute("set role none")
            await other.execute("select pg_terminate_backend($1)", connection.get_server_pid())
        await connection.execute("select 1")


async def a_statement_after_the_connection_went(database: Database) -> None:
    async with database.connection() as connection:
        with suppress(asyncpg.AdminShutdownError):
            await connection.execute("set role none; select pg_terminate_backend(pg_backend_pid())")
        await connection.execute("select 1")


async def a_transaction_left_idle(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("set idle_in_transaction_session_timeout = '20ms'")
        await asyncio.sleep(0.1)
        await connection.execute("select 1")


async def a_statement_that_takes_too_long(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("set statement_timeout = '20ms'; select pg_sleep(1)")


async def an_answer_that_takes_too_long(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("select pg_sleep(1)", timeout=0.02)


async def a_deadlock(database: Database) -> None:
    async with database.transaction() as first, database.transaction() as second:
        await first.execute("set local role none; set local deadlock_timeout = '10ms'; select pg_advisory_xact_lock(1)")
        await second.execute("select pg_advisory_xact_lock(2)")
        other = asyncio.create_task(second.execute("select pg_advisory_xact_lock(1)"))
        try:
            await first.execute("select pg_advisory_xact_lock(2)")
        finally:
            await other


async def two_transactions_that_cannot_both_be_right(database: Database) -> None:
    async with (
        database.connection() as first,
        database.connection() as second,
        first.transaction(isolation="serializable"),
        second.transaction(isolation="serializable"),
    ):
        for one in (first, second):
            await one.execute("insert into heard (text) select count(*) from heard")


async def a_pool_with_nothing_free(database: Database) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(POOL_SIZE + 1):
            await stack.enter_async_context(database.connection())


async def a_read_only_server(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("set transaction_read_only = on; insert into heard default values")


PASSING = (
    a_lock_held_too_long,
    a_terminated_backend,
    a_statement_after_the_connection_went,
    a_transaction_left_idle,
    a_statement_that_takes_too_long,
    an_answer_that_takes_too_long,
    a_deadlock,
    two_transactions_that_cannot_both_be_right,
    a_pool_with_nothing_free,
    a_read_only_server,
)


async def failure(fault: Callable[[Database], Awaitable[None]], database: Database) -> Exception:
    try:
        await fault(database)
    except Exception as error:
        return error
    raise AssertionError("nothing failed")


@pytest.mark.parametrize("fault", PASSING)
async def test_a_passing_fault_is_told_from_a_lasting_one(
    database: Database, fault: Callable[[Database], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ACQUIRE_SECONDS", 0.2)
    assert is_transient(await failure(fault, database))


LASTING = {
    "two rows with one key": ("insert into tombstone values ($1, now()), ($1, now())", uuid4()),
    "a missing table": ("select * from nowhere",),
    "a value of another type": ("select $1::int", "seven"),
    "a number that is too large": ("select $1::int", 2**40),
    "text that cannot be stored": ("select $1::text", "nul \0"),
    "half a surrogate pair": ("select $1::text", "\ud800"),
    "one value too many": ("select $1::int", 1, 2),
    "another service's table": ("select * from assessment.fact",),
    "a broken rule": ("insert into dead_letter (identity) values ('x')",),
}


@pytest.mark.parametrize("statement", LASTING.values(), ids=LASTING)
async def test_what_can_never_work_is_not_tried_again(database: Database, statement: tuple[str, ...]) -> None:
    async def fault(database: Database) -> None:
        async with database.connection() as connection:
            await connection.execute(*statement)

    assert not is_transient(await failure(fault, database))


async def test_two_statements_at_once_on_one_connection_are_a_mistake_not_a_fault(database: Database) -> None:
    async def fault(database: Database) -> None:
        async with database.connection() as connection:
            await asyncio.gather(connection.execute("select pg_sleep(0.1)"), connection.execute("select 1"))

    assert not is_transient(await failure(fault, database))


async def test_a_server_that_is_away_or_hangs_is_a_passing_fault_found_in_bounded_time(
    database_url: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(postgres, "COMMAND_SECONDS", 0.3)
    monkeypatch.setattr(postgres, "ACQUIRE_SECONDS", 0.3)

    async def ask(database: Database) -> None:
        async with database.transaction() as connection:
            await connection.execute("select 1")

    async with (
        database_behind(database_url).open() as proxy,
        postgres.connect(by_way_of(proxy, database_url), service) as database,
    ):
        proxy.cut()
        assert is_transient(await failure(ask, database))
        proxy.mend()
        await ask(database)
        proxy.freeze()
        assert is_transient(await failure(ask, database))
        proxy.mend()
        await until(lambda: works(ask(database)))


async def works(attempt: Coroutine[Any, Any, None]) -> bool:
    try:
        await attempt
    except postgres.TRANSIENT:
        return False
    return True
