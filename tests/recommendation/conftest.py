import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import asyncpg
import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from services.recommendation.app import service
from services.recommendation.domain.review import Reviewer
from shared.contracts.intake import Role
from shared.service import Settings, build
from tests.clients import colleague

SignIn = Callable[..., httpx2.AsyncClient]


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Recommendation without its worker."""
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def sign_in(app: FastAPI, settings: Settings) -> SignIn:
    """A client with the token of a colleague, new or known: `sign_in("account_manager", name="Anna Berg")`."""

    def signed_in(*roles: Role, name: str = "Anna Berg", of: Reviewer | None = None) -> httpx2.AsyncClient:
        person = of or Reviewer(uuid7(), name)
        return colleague(app, settings, *roles, name=person.name, person=person.id)

    return signed_in


@pytest.fixture
def anna(sign_in: SignIn) -> httpx2.AsyncClient:
    return sign_in("account_manager", name="Anna Berg")


@pytest.fixture
def client(app: FastAPI, settings: Settings) -> httpx2.AsyncClient:
    """Somebody without an account."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url)


@pytest.fixture
async def connect_as_owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do what the service may not, such as letting time pass."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """Where the app listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
