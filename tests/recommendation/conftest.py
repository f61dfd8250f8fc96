from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from services.recommendation.app import service
from shared import access
from shared.access import Principal
from shared.contracts.intake import Role
from shared.postgres import Database
from shared.service import Settings, build

SignIn = Callable[..., httpx2.AsyncClient]


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Recommendation without its worker."""
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def database(app: FastAPI) -> Database:
    found: Database = app.state.database
    return found


@pytest.fixture
def sign_in(app: FastAPI, settings: Settings) -> SignIn:
    """A client with the token of a colleague: `sign_in("account_manager", name="Anna Berg")`."""
    assert settings.signing_key is not None
    signing_key = settings.signing_key

    def signed_in(*roles: Role, name: str = "Anna Berg") -> httpx2.AsyncClient:
        principal = Principal(uuid7(), uuid7(), name, roles, 1)
        token = access.sign(principal, signing_key, issued=datetime.now(UTC), expires=None)
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url=settings.public_url,
            headers={"authorization": f"Bearer {token}"},
        )

    return signed_in


@pytest.fixture
async def connect_as_owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do what the service may not, such as letting time pass."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
