"""A service, topics and a network of a test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import client

from shared import postgres
from shared.postgres import Database
from tests.conftest import TestServers, database_named
from tests.shared.plumbing import Bus, Proxy


@pytest.fixture
async def bus(servers: TestServers) -> AsyncIterator[Bus]:
    opened = Bus(servers.kafka_bootstrap_servers)
    await opened.admin.start()
    yield opened
    await opened.admin.close()
    await opened.clear()


@pytest.fixture(scope="session")
async def database_url(servers: TestServers, template: str) -> AsyncIterator[str]:
    """One migrated database for all tests here: what each of them writes to is its own `service`."""
    name = f"test_{uuid4().hex[:12]}"
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(f"create database {name} template {template}")
    yield database_named(servers.database_url, name)
    await owner.execute(f"drop database {name} with (force)")
    await owner.close()


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[str]:
    """The name of a service that has the plumbing's tables and one of its own, `heard`; also its consumer group."""
    name = f"test_{uuid4().hex[:12]}"
    await postgres.migrate(database_url, {name: "shared"})
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        f"create table {name}.heard (seq bigint generated always as identity, event_id uuid, subject uuid, text text)"
    )
    yield name
    await owner.execute(f"drop schema {name} cascade; drop role {postgres.role_of(name)}")
    await owner.close()


@pytest.fixture
async def database(connect: Callable[[str], Awaitable[Database]], service: str) -> Database:
    return await connect(service)


@pytest.fixture
async def kafka_proxy(servers: TestServers) -> AsyncIterator[Proxy]:
    """A hop on the way of every client's connections to Kafka, the advertised address included."""
    real = client.create_conn
    host, _, port = servers.kafka_bootstrap_servers.partition(",")[0].rpartition(":")

    async def redirected(*_: Any, **settings: Any) -> Any:
        return await real("127.0.0.1", proxy.port, **settings)

    async with Proxy(lambda: asyncio.open_connection(host, int(port))).open() as proxy:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "create_conn", redirected)
            yield proxy
