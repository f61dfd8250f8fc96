from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from services.intake.web.account import passwords
from shared.service import Settings
from tests.intake.accounts.staff import QUICK, SAME_SITE, Browsers, serving


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_argon2", QUICK)


@pytest.fixture
async def app(settings: Settings, quick_passwords: None) -> AsyncIterator[FastAPI]:
    async with serving(settings) as app:
        yield app


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Browsers]:
    """Opens browsers that have nothing in common."""
    async with AsyncExitStack() as stack:

        async def opened() -> AsyncClient:
            transport = httpx2.ASGITransport(app=app)
            client = AsyncClient(transport=transport, base_url="http://testserver", headers=SAME_SITE)
            return await stack.enter_async_context(client)

        yield opened
