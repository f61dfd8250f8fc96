"""Asking assessment for a preview over a real connection that answers, stalls, refuses or breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request

from shared.access import COOKIE
from shared.service import Settings
from shared.service.preview import NoPreview, preview
from tests.assessment.published import assessed, said

LEVELS = {"aim": "steady_growth", "deadline": "firm"}


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server with one answer, None for never; its address, and what it was sent."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


def http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


def asking(settings: Settings, address: str) -> Request:
    """A request of somebody who is signed in by cookie."""
    app = FastAPI()
    app.state.settings = settings.model_copy(update={"assessment_url": address})
    return Request({"type": "http", "app": app, "headers": [(b"cookie", f"{COOKIE}=the-token".encode())]})


async def test_a_preview_is_asked_for_with_the_token_of_whoever_asks(settings: Settings) -> None:
    assessment = assessed(LEVELS)
    body = assessment.model_dump_json(by_alias=True).encode()
    async with answering(http("200 OK", body)) as (address, heard):
        assert await preview(asking(settings, f"{address}/"), said(LEVELS)) == assessment
    assert heard[0].startswith(b"POST /api/assessment/preview HTTP/1.1")
    assert b"Bearer the-token" in heard[0]


@pytest.mark.parametrize(
    "answer",
    [None, b"", http("503 Service Unavailable", b"{}"), http("401 Unauthorized", b"{}"), http("200 OK", b"<p>Hello")],
    ids=["silence", "a cut", "busy", "signed out", "something else"],
)
async def test_whatever_goes_wrong_there_is_no_preview(settings: Settings, answer: bytes | None) -> None:
    async with answering(answer) as (address, _):
        with pytest.raises(NoPreview):
            await preview(asking(settings, address), said(LEVELS))
