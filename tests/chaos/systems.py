"""The advisor as it really runs, in processes to kill: all in one, or three services beside their servers."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import choice
from typing import TypeAlias, TypeVar

import asyncpg
import httpx2
import psutil

from services.laptop import PACKAGES, own_secrets
from shared import postgres
from shared.embedded.folder import Folder
from shared.embedded.kafka import Kafka
from shared.embedded.postgres import Postgres
from shared.service.prefixes import service_for

ADVISOR = Path(sys.executable).with_name("advisor")
SECONDS_TO_START = 60
POLL_SECONDS = 0.05


async def eventually(condition: Callable[[], Awaitable[str | None]], seconds: float) -> None:
    """Returns when the condition names nothing that is missing; fails with what it named last."""
    deadline = time.monotonic() + seconds
    while missing := await condition():
        assert time.monotonic() < deadline, f"After {seconds:.0f} seconds: {missing}"
        await asyncio.sleep(POLL_SECONDS)


async def ready(system: "System", seconds: float = SECONDS_TO_START) -> None:
    """Returns when every process of the system says that it would do its work now."""
    await _healthy(system, "/health/ready", seconds)


async def running(system: "System") -> None:
    """Returns when every process of the system has come so far that it can be told to stop."""
    await _healthy(system, "/health/live", SECONDS_TO_START)


async def _healthy(system: "System", path: str, seconds: float) -> None:
    async def unhealthy() -> str | None:
        async with httpx2.AsyncClient(timeout=5) as client:
            for url in system.management_urls():
                try:
                    answer = await client.get(f"{url}{path}")
                except httpx2.TransportError as error:
                    return f"{url} does not answer ({type(error).__name__})"
                if answer.status_code != httpx2.codes.OK:
                    return f"{url} is not ready: {answer.json()['problems']}"
        return None

    await eventually(unhealthy, seconds)


def free_port() -> int:
    """Below those that the kernel gives to outgoing connections, so that it is free again after each restart."""
    while True:
        try:
            socket.create_server(("127.0.0.1", port := choice(range(20_000, 32_000)))).close()
        except OSError:
            continue
        return port


class Child:
    """One advisor process, its standard output and standard error in files that each start adds to."""

    def __init__(self, name: str, folder: Path, command: Sequence[str], environment: dict[str, str]) -> None:
        self.command = [str(word) for word in command]
        self.output, self.errors = folder / f"{name}.out", folder / f"{name}.err"
        self._name = name
        self._environment = os.environ | environment
        self._popen: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def is_down(self) -> bool:
        return self._popen is None or self._popen.poll() is not None

    def start(self) -> None:
        with self.output.open("ab") as output, self.errors.open("ab") as errors:
            self._said_before = output.tell()
            self._popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=self._environment
            )

    async def ready(self) -> None:
        async def unsaid() -> str | None:
            if "ready http://" in self.said():
                return None
            missing = f"{self._name} has not said that it is ready; it wrote {self.last_words()}"
            assert not self.is_down, missing
            return missing

        await eventually(unsaid, SECONDS_TO_START)

    def said(self) -> str:
        """What it has printed since its last start."""
        return self.output.read_text()[self._said_before :]

    def last_words(self) -> str:
        return self.errors.read_text()[-2000:]

    def signal(self, which: signal.Signals) -> None:
        if not self.is_down:
            os.kill(self.pid, which)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        return await asyncio.to_thread(self.wait)

    def wait(self) -> int:
        assert self._popen is not None
        return self._popen.wait(timeout=SECONDS_TO_START)


def servers_of(data: Path, name: str) -> list[psutil.Process]:
    """The processes of a folder's own Postgres or Kafka that nobody but it has started."""
    mark, program = Folder(data).mark, {"Kafka": "java", "Postgres": "postgres"}[name]
    return [process for process in psutil.process_iter() if _is_server(process, program, mark)]


def _is_server(process: psutil.Process, program: str, mark: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return bool(words) and Path(words[0]).name == program and any(mark in word for word in words)


def kill_servers(data: Path, *names: str) -> None:
    """End the folder's own Postgres or Kafka by SIGKILL, and return when they are gone."""
    killed = [process for name in names for process in servers_of(data, name)]
    for process in killed:
        process.kill()
    psutil.wait_procs(killed, timeout=10)


class Laptop:
    """`advisor up`: one process, which starts its own Postgres and Kafka again when they die.

    `parts` are what can be killed.
    """

    parts = ("advisor", "Kafka", "Postgres", "everything")

    def __init__(self, data: Path, logs: Path) -> None:
        self.data = data
        self.port = free_port()
        self.process = Child("up", logs, [str(ADVISOR), "up", "--data", str(data), "--port", str(self.port)], {})

    @property
    def database_url(self) -> str:
        return self._run("database_url")

    @property
    def bootstrap_servers(self) -> str:
        return self._run("kafka_bootstrap_servers")

    def _run(self, name: str) -> str:
        return str(json.loads((self.data / "run.json").read_text())[name])

    def url(self, path: str) -> str:
        """Where a path is answered."""
        return f"http://127.0.0.1:{self.port}{path}"

    def management_urls(self) -> list[str]:
        """Where each process tells of its health."""
        return [self._run("management_url")]

    async def start(self) -> None:
        self.process.start()
        await self.process.ready()

    def kill(self, part: str) -> None:
        """End a part by SIGKILL, and return when it is gone."""
        if part in ("advisor", "everything"):
            self.process.kill()
        if part in ("Kafka", "Postgres"):
            kill_servers(self.data, part)
        if part == "everything":
            kill_servers(self.data, "Kafka", "Postgres")

    async def restore(self) -> None:
        """Start what is down; returns when it has been started, which may be before the system is ready."""
        if self.process.is_down:
            await self.start()

    async def wipe_kafka(self) -> None:
        """Take everything Kafka has, down to the cluster's id, and start it empty."""
        self.kill("everything")
        await asyncio.to_thread(shutil.rmtree, self.data / "kafka" / "data")
        await self.restore()

    async def stop(self) -> list[int]:
        """End the advisor's processes by SIGTERM, and return their exit codes."""
        return [await self.process.stop()]

    async def close(self) -> None:
        if not self.process.is_down:
            await self.stop()
        kill_servers(self.data, "Kafka", "Postgres")

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line against this system to its end."""
        return _advisor([*arguments, "--data", str(self.data)], {})

    def logs(self) -> list[Path]:
        """Every log file that this system writes."""
        return [self.process.output, self.process.errors, *server_logs(self.data)]


class Trio:
    """Three `advisor serve` processes beside a Postgres and a Kafka of their own, which stay down until restored."""

    parts = (*PACKAGES, "Kafka", "Postgres", "everything")

    def __init__(self, data: Path, logs: Path) -> None:
        self.data = data
        self._logs = logs
        self._ports = {name: free_port() for name in PACKAGES}
        self._management_ports = {name: free_port() for name in PACKAGES}
        self._folder = Folder(data)
        self._postgres = Postgres(self._folder, report=_unheard)
        self._kafka = self._new_kafka()
        self._environment: dict[str, str] = {}
        self.processes: dict[str, Child] = {}
        self.database_url = ""
        self.bootstrap_servers = ""

    def _new_kafka(self) -> Kafka:
        return Kafka(self._folder, report=_unheard, maven_mirror=os.environ.get("ADVISOR_MAVEN_MIRROR"))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._ports[service_for(path)]}{path}"

    def management_urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._management_ports.values()]

    async def start(self) -> None:
        await asyncio.to_thread(self._folder.claim)
        self.database_url, self.bootstrap_servers = await asyncio.gather(self._postgres.start(), self._kafka.start())
        known = own_secrets(self.data)
        self._environment = {
            "ADVISOR_DATABASE_URL": self.database_url,
            "ADVISOR_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "ADVISOR_LINK_SECRET": known["link_secret"],
            "ADVISOR_SIGNING_KEY": json.dumps(known["signing_key"]),
            "ADVISOR_VERIFICATION_KEYS": json.dumps(known["verification_keys"]),
        }
        await postgres.migrate(self.database_url, PACKAGES)
        for name in PACKAGES:
            self.run(name)
        await asyncio.gather(*(process.ready() for process in self.processes.values()))

    def run(self, name: str, command: Sequence[str] = (str(ADVISOR),)) -> None:
        """Start a service, by another command where a test tampers with it."""
        ports = ["--port", str(self._ports[name]), "--management-port", str(self._management_ports[name])]
        self.processes[name] = Child(name, self._logs, [*command, "serve", name, *ports], self._environment)
        self.processes[name].start()

    def kill(self, part: str) -> None:
        if part in ("Kafka", "Postgres"):
            kill_servers(self.data, part)
        elif part == "everything":
            for process in self.processes.values():
                process.kill()
            kill_servers(self.data, "Kafka", "Postgres")
        else:
            self.processes[part].kill()

    async def restore(self) -> None:
        """The same; what was frozen goes on."""
        for name, server in (("Postgres", self._postgres.process), ("Kafka", self._kafka.process)):
            if not servers_of(self.data, name):
                await asyncio.to_thread(server.launch)
        await eventually(self._missing_database, SECONDS_TO_START)
        for process in self.processes.values():
            process.signal(signal.SIGCONT)
            if process.is_down:
                process.start()

    async def _missing_database(self) -> str | None:
        try:
            await (await asyncpg.connect(self.database_url)).close()
        except (OSError, asyncpg.PostgresError) as error:
            return f"Postgres does not answer ({type(error).__name__})"
        return None

    async def wipe_kafka(self) -> None:
        """The same, while the services and Postgres go on."""
        self.kill("Kafka")
        await asyncio.to_thread(shutil.rmtree, self.data / "kafka" / "data")
        self._kafka = self._new_kafka()
        assert await self._kafka.start() == self.bootstrap_servers

    async def stop(self) -> list[int]:
        return await asyncio.gather(*(process.stop() for process in self.processes.values()))

    async def close(self) -> None:
        await self.stop()
        await asyncio.to_thread(self._postgres.stop)
        await asyncio.to_thread(self._kafka.process.stop)
        self._folder.release()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return _advisor(arguments, self._environment)

    def logs(self) -> list[Path]:
        written = [file for process in self.processes.values() for file in (process.output, process.errors)]
        return [*written, *server_logs(self.data)]


def _advisor(arguments: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ADVISOR, *arguments], env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def server_logs(data: Path) -> list[Path]:
    """The logs of a folder's own servers."""
    return [*data.glob("*.log"), *data.glob("kafka/*.log")]


def _unheard(_: str) -> None:
    """The rig shows its own progress."""


System: TypeAlias = Laptop | Trio
Started = TypeVar("Started", Laptop, Trio)


@asynccontextmanager
async def started(kind: type[Started], logs: Path) -> AsyncIterator[Started]:
    """A system of its own, ready; ended with all that belongs to it. Its processes' output stays in `logs`."""
    # not in pytest's folder: each session of pytest closes that to Postgres' account where everything runs as root
    with tempfile.TemporaryDirectory(prefix="advisor-", ignore_cleanup_errors=True) as folder:
        system = kind(Path(folder) / "data", logs)
        try:
            await system.start()
            await ready(system)
            yield system
        finally:
            await system.close()
