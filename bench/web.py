"""The product as people run it: `advisor up` in a process of its own, asked over HTTP from this one."""

import asyncio
import json
import os
import re
import statistics
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from services import laptop
from services.demo import companies
from shared import access
from shared.access import Principal
from shared.embedded import Addresses
from shared.service import Settings

CONNECTIONS = 32
LOOK_SECONDS = 0.002
PAUSE_SECONDS = 0.5
CALLER = UUID("5b1c3f0a-7c62-4f0e-9d57-3a1f6f3f2f10")


@dataclass(frozen=True)
class Advisor:
    """A running system: its process, where and as whom to reach it, and how long it took to be ready."""

    process_id: int
    settings: Settings
    seconds_to_ready: float


@asynccontextmanager
async def advisor(data: Path, servers: Addresses | None = None) -> AsyncIterator[Advisor]:
    """`advisor up` on a data folder, with its embedded servers or the given ones, until the block ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ADVISOR_")}
    if servers is not None:
        environment["ADVISOR_DATABASE_URL"] = servers.database_url
        environment["ADVISOR_KAFKA_BOOTSTRAP_SERVERS"] = servers.kafka_bootstrap_servers
    data.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with (data / "advisor.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services", "up", "--port", "0", "--data", str(data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environment,
        )
    assert process.stdout is not None
    try:
        if not (await process.stdout.readline()).startswith(b"ready"):
            raise RuntimeError((data / "advisor.log").read_text())
        yield Advisor(process.pid, laptop.settings_of(data, Settings), time.monotonic() - began)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Client:
    """Connections kept alive and hardly more: a full client library would cost more than the answers it waits for."""

    def __init__(self, settings: Settings) -> None:
        assert settings.signing_key is not None
        now = datetime.now(UTC)
        caller = Principal(CALLER, CALLER, "Benchmark", ("account_manager",), version=1)
        token = access.sign(caller, settings.signing_key, issued=now, expires=now + timedelta(hours=1))
        self._address = urlsplit(settings.public_url)
        self._head = f"HTTP/1.1\r\nHost: {self._address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        self._bodies = cycle([json.dumps(company.submission()).encode() for company in companies()])
        self._free: asyncio.LifoQueue[tuple[StreamReader, StreamWriter]] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Connect."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection(self._address.hostname, self._address.port))

    def close(self) -> None:
        """Disconnect."""
        while not self._free.empty():
            self._free.get_nowait()[1].close()

    async def submit(self) -> UUID:
        """Send the next example company in; the id it was given."""
        body = next(self._bodies)
        headers = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {uuid4()}\r\n"
        status, answer = await self._ask(f"POST /api/intake/intakes {self._head}{headers}\r\n".encode() + body)
        if status != 202:
            raise RuntimeError(f"A submission was answered with {status}: {answer.decode()}")
        return UUID(json.loads(answer)["intake_id"])

    async def has_proposal(self, intake_id: UUID) -> bool:
        """Whether an account manager can see the proposal."""
        status, _ = await self._ask(f"GET /api/recommendation/intakes/{intake_id} {self._head}\r\n".encode())
        return status == 200

    async def preview(self, body: bytes) -> bytes:
        """The assessment of these answers, as it was sent."""
        headers = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        status, answer = await self._ask(f"POST /api/assessment/preview {self._head}{headers}\r\n".encode() + body)
        if status != 200:
            raise RuntimeError(f"A preview was answered with {status}: {answer.decode()}")
        return answer

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = connection = await self._free.get()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        body = await reader.readexactly(int(length[1]))
        self._free.put_nowait(connection)
        return int(head[9:12]), body


@asynccontextmanager
async def client(settings: Settings) -> AsyncIterator[Client]:
    """A connected client, signed in as an account manager's key."""
    opened = Client(settings)
    await opened.open()
    try:
        yield opened
    finally:
        opened.close()


async def seconds_to_proposal(client: Client, times: int) -> float:
    """On an idle system: from sending a submission until its proposal is answered, the median of so many times."""
    seconds = []
    for _ in range(times):
        await asyncio.sleep(PAUSE_SECONDS)
        sent = time.monotonic()
        intake_id = await client.submit()
        while not await client.has_proposal(intake_id):
            await asyncio.sleep(LOOK_SECONDS)
        seconds.append(time.monotonic() - sent)
    return statistics.median(seconds)
