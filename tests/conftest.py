"""Real servers for every test: given ones, Docker's where it answers, else the embedded ones."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import docker
import hypothesis
import pytest
from docker.errors import DockerException
from playwright.async_api import Browser, async_playwright

from services.laptop import PACKAGES
from shared import access, postgres
from shared.postgres import Database
from shared.service import Settings

hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

TEMPLATE = "advisor_template"
SIGNING_KEY = access.new_signing_key()
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


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


@pytest.fixture
async def database_url(servers: TestServers, template: str) -> AsyncIterator[str]:
    """A fresh migrated database, dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(f"create database {name} template {template}")
    yield database_named(servers.database_url, name)
    await owner.execute(f"drop database {name} with (force)")
    await owner.close()


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


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A real browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}; the pages were not looked at")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        await browser.close()
