"""Apps that a real browser can reach."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI

from services.intake.app import service
from shared.service import Settings, build


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The app behind an address of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task


@pytest.fixture
async def app(settings: Settings) -> FastAPI:
    """Intake without its worker."""
    return build(service, settings, worker=False)


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """Where the app listens."""
    async with serving(app) as address:
        yield address
