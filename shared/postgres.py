"""One schema and one role per service: connecting, migrating, and telling passing faults from lasting ones."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import TypeAlias

import asyncpg
import orjson

Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

POOL_SIZE = 12
CONNECT_SECONDS = 3
COMMAND_SECONDS = 5
ACQUIRE_SECONDS = 2

TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)


def is_transient(error: BaseException) -> bool:
    """True when the same statement may succeed later: the server is away, busy, or chose another transaction."""
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg has one class for a connection that went away and for a call that can never work
        return any(word in str(error) for word in ("closed", "closing", "released", "cancelling"))
    return isinstance(error, TRANSIENT)


def role_of(service: str) -> str:
    """The database role that one service works as."""
    return f"advisor_{service}"


class Database:
    """A service's pool. Every statement runs as its role in its schema; `committed` is set after each commit."""

    def __init__(self, pool: asyncpg.Pool, service: str) -> None:
        self.pool = pool
        self.service = service
        self.committed = asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection without a transaction, for reads and for statements that say nothing."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Connection]:
        """One connection whose statements commit themselves; wakes the relay when the block ends."""
        async with self.connection() as connection:
            yield connection
        self.committed.set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that commits when the block ends and wakes the relay."""
        async with self.connection() as connection, connection.transaction():
            yield connection
        self.committed.set()


async def _speak_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


async def _keep_session(connection: asyncpg.Connection) -> None:
    """No statement here changes its session, so a connection given back needs no round trip to clean it."""


@asynccontextmanager
async def connect(url: str, service: str) -> AsyncIterator[Database]:
    """A pool for one service; `url` may be the owner's or the service's own login."""
    settings = {
        "role": role_of(service),
        "search_path": service,
        "application_name": f"advisor {service}",
        "idle_in_transaction_session_timeout": "60s",
        "lock_timeout": "4s",
    }
    async with asyncpg.create_pool(
        url,
        min_size=1,
        max_size=POOL_SIZE,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        server_settings=settings,
        init=_speak_json,
        reset=_keep_session,
    ) as pool:
        yield Database(pool, service)


async def migrate(url: str, services: Mapping[str, str], passwords: Mapping[str, str] | None = None) -> list[str]:
    """Bring every schema up to date and return the names of what was applied.

    `services` maps a service's name to its package, whose `migrations/` holds numbered, forward-only SQL. `passwords`
    gives a service's role a login of its own. Concurrent callers wait for each other.
    """
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    try:
        await connection.execute("select pg_advisory_lock(hashtext('advisor migrations'))")
        applied = []
        for service, package in services.items():
            await _ensure_schema(connection, service, (passwords or {}).get(service))
            for source in ("shared", package):
                applied += await _apply(connection, service, source)
        return applied
    finally:
        await connection.close()


async def _ensure_schema(connection: asyncpg.Connection, service: str, password: str | None) -> None:
    role = role_of(service)
    if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
        # roles belong to the whole server: another database's migration may make it at this moment
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await connection.execute(f"create role {role} nologin")
    await connection.execute(f"grant {role} to current_user")
    if password is not None:
        quoted = await connection.fetchval("select quote_literal($1::text)", password)
        await connection.execute(f"alter role {role} login password {quoted}")
    await connection.execute(f"""
        create schema if not exists {service};
        grant usage on schema {service} to {role};
        alter default privileges in schema {service} grant select, insert, update, delete on tables to {role};
        alter default privileges in schema {service} grant usage on sequences to {role};
        create table if not exists {service}.migration (
            name text primary key, applied_at timestamptz not null default now()
        );
    """)


async def _apply(connection: asyncpg.Connection, service: str, package: str) -> list[str]:
    done = {row["name"] for row in await connection.fetch(f"select name from {service}.migration")}  # noqa: S608
    scripts = sorted((files(package) / "migrations").iterdir(), key=lambda script: script.name)
    applied = []
    for script in scripts:
        name = f"{package}/{script.name}"
        if not script.name.endswith(".sql") or name in done:
            continue
        async with connection.transaction():
            await connection.execute(f"set local search_path = {service}; set local lock_timeout = '5s'")
            await connection.execute(script.read_text(encoding="utf-8"))
            await connection.execute("insert into migration (name) values ($1)", name)
        applied.append(f"{service}: {name}")
    return applied


def rows_affected(status: str) -> int:
    """The count in a command tag such as `UPDATE 1`."""
    return int(status.rsplit(" ", 1)[-1])
