from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from services.intake.app import service
from shared.service import Settings, build
from tests.clients import colleague


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Intake without its worker."""
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A prospect's browser without scripts."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
        yield client


@pytest.fixture
def sales(app: FastAPI, settings: Settings) -> AsyncClient:
    """A colleague in sales."""
    return colleague(app, settings, "sales")
