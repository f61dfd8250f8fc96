"""Real servers for every test: given ones, Docker's where it answers, else the embedded ones."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import docker
import hypothesis
import pytest
from docker.errors import DockerException
from fastapi import FastAPI
from playwright.async_api import Browser, async_playwright
from xdist.scheduler import LoadFileScheduling

from services.laptop import PACKAGES
from shared import access, postgres
from shared.postgres import Database
from shared.service import Settings

hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

TEMPLATE = "advisor_template"
SIGNING_KEY = access.new_signing_key()
JOURNEYS = "tests/journey/"
LONG = (JOURNEYS, "tests/shared/", "tests/browser/")
BROWSERS = ("chromium-headless-shell", "chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first: one left for the end would run alone."""
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in LONG])


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """A worker takes one file after another, but all journeys at once: they share two whole systems."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@dataclass(frozen=True)
class TestServers:
    __test__ = False

    database_url: str
    kafka_bootstrap_servers: str


def _docker_answers() -> bool:
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    try:
        with closing(docker.from_env(timeout=2)) as client:
            return bool(client.ping())
    except DockerException:
        return False


@asynccontextmanager
async def _containers() -> AsyncIterator[TestServers]:
    from testcontainers.community.kafka import KafkaContainer
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer("postgres:18") as database, KafkaContainer("apache/kafka:4.3.1").with_kraft() as kafka:
        yield TestServers(database.get_connection_url(driver=None), kafka.get_bootstrap_server())


@asynccontextmanager
async def _embedded(data: Path) -> AsyncIterator[TestServers]:
    from shared.embedded import Servers

    servers = Servers(data, report=print)
    addresses = await servers.start()
    supervision = asyncio.create_task(servers.supervise())
    try:
        yield TestServers(addresses.database_url, addresses.kafka_bootstrap_servers)
    finally:
        supervision.cancel()
        await servers.stop()


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[TestServers]:
    given = os.environ.get("ADVISOR_TEST_DATABASE_URL"), os.environ.get("ADVISOR_TEST_KAFKA_BOOTSTRAP_SERVERS")
    async with AsyncExitStack() as stack:
        if given[0] and given[1]:
            found = TestServers(given[0], given[1])
        elif _docker_answers():
            found = await stack.enter_async_context(_containers())
        else:
            # not below pytest's own folder: another run closes that one to Postgres, which does not run as root
            folder = stack.enter_context(TemporaryDirectory(prefix="advisor-tests-", ignore_cleanup_errors=True))
            found = await stack.enter_async_context(_embedded(Path(folder)))
        yield found


def database_named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
async def template(servers: TestServers) -> str:
    """The name of a migrated database to copy."""
    owner = await asyncpg.connect(servers.database_url)
    name = f"{TEMPLATE}_{uuid4().hex[:8]}"
    await owner.execute(f"create database {name}")
    await owner.close()
    await postgres.migrate(database_named(servers.database_url, name), PACKAGES)
    return name


# What tables there are, who may use them, and what holds for them: a database that differs is no copy of its template.
_SHAPE = """
    select md5(string_agg(concat_ws(' ', c.oid::regclass, c.relkind, c.relacl, c.relnatts, (
        select string_agg(concat(attname, attnotnull), ',' order by attnum) from pg_attribute where attrelid = c.oid
    )), ';' order by c.oid) || (select count(*) from pg_constraint) || (select count(*) from pg_trigger)
        || (select count(*) from pg_proc) || (select count(*) from pg_namespace where nspname not like 'pg_temp%'))
    from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'S', 'v', 'm', 'i')
"""
_EMPTY = """
    do $$
    declare one regclass;
    begin
        set local session_replication_role = replica;
        for one in select oid from pg_class where oid >= 16384 and relkind = 'r' and relname <> 'migration' loop
            execute format('delete from %s', one);
        end loop;
        for one in select oid from pg_class where oid >= 16384 and relkind = 'S' loop
            perform setval(one, 1, false);
        end loop;
    end $$
"""


@pytest.fixture(scope="session")
async def shape(servers: TestServers, template: str) -> str:
    """What the template is made of, in one figure."""
    connection = await asyncpg.connect(database_named(servers.database_url, template))
    found: str = await connection.fetchval(_SHAPE)
    await connection.close()
    return found


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Databases that a test is done with, empty again: that takes a fraction of the time of a new copy."""
    return []


@pytest.fixture
async def database_url(
    servers: TestServers, template: str, shape: str, spare_databases: list[str]
) -> AsyncIterator[str]:
    """A migrated database that holds nothing. Whoever changes its tables is the last to have it."""
    owner = await asyncpg.connect(servers.database_url)
    if spare_databases:
        name = spare_databases.pop()
    else:
        name = f"test_{uuid4().hex[:12]}"
        await owner.execute(f"create database {name} template {template}")
    url = database_named(servers.database_url, name)
    yield url
    if await _emptied(url, shape):
        spare_databases.append(name)
    else:
        await owner.execute(f"drop database {name} with (force)")
    await owner.close()


async def _emptied(url: str, shape: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """
            select pg_terminate_backend(pid, 5000) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
            """
        )
        if await connection.fetchval(_SHAPE) != shape:
            return False
        await connection.execute(_EMPTY)
        return True
    finally:
        await connection.close()


@pytest.fixture
async def connect(database_url: str) -> AsyncIterator[Callable[[str], Awaitable[Database]]]:
    """Opens the fresh database as one service: `database = await connect("intake")`."""
    async with AsyncExitStack() as stack:

        async def opened(service: str) -> Database:
            return await stack.enter_async_context(postgres.connect(database_url, service))

        yield opened


@pytest.fixture
def settings(servers: TestServers, database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        kafka_bootstrap_servers=servers.kafka_bootstrap_servers,
        public_url="http://testserver",
        link_secret="a secret for tests, long enough to be taken",
        signing_key=SIGNING_KEY,
        verification_keys=[access.public_part(SIGNING_KEY)],
    )


@pytest.fixture
def database(app: FastAPI) -> Database:
    """What the app under test stores in."""
    found: Database = app.state.database
    return found


def browser() -> dict[str, Any]:
    """How Debian's Chromium is launched, the lighter one without windows where it is; skips where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"there is neither {' nor '.join(BROWSERS)}; the pages were not looked at")
    return {"executable_path": found, "args": ["--headless", "--no-sandbox", "--disable-gpu"]}


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A real browser."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(**browser())
        yield opened
        await opened.close()
