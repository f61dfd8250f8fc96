"""Everything on one machine: the embedded servers, their secrets, and where a running system can be reached."""

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from services import running
from services.running import CannotRun
from shared import access, postgres
from shared.embedded import Addresses, EmbeddedError, Servers
from shared.embedded.folder import Folder
from shared.service import PREFIXES, DatabaseSettings, Settings

DEFAULT_DATA = Path(".advisor")
AnySettings = TypeVar("AnySettings", bound=DatabaseSettings)
PACKAGES = {name: f"services.{name}" for name in PREFIXES}


def settings_of(data: Path | None, kind: type[AnySettings]) -> AnySettings:
    """The settings of the system to talk to: the environment's, or those of the one running on a data folder."""
    if data is None and "ADVISOR_DATABASE_URL" in os.environ:
        return kind()
    data = data or DEFAULT_DATA
    try:
        run = json.loads((data / "run.json").read_text())
        known = json.loads((data / "secrets.json").read_text())
    except FileNotFoundError as error:
        raise CannotRun(f"No system runs on the folder {data}. Start one with `advisor up --data {data}`.") from error
    if not psutil.pid_exists(run["pid"]):
        raise CannotRun(f"The system on the folder {data} is not running. Start it with `advisor up --data {data}`.")
    return kind(
        database_url=run["database_url"],
        kafka_bootstrap_servers=run["kafka_bootstrap_servers"],
        public_url=run["url"],
        **known,
    )


def own_secrets(data: Path) -> dict[str, Any]:
    """A data folder's signing key, its public part and its link secret; made the first time, for its owner alone."""
    path = data / "secrets.json"
    if not path.exists():
        signing_key = access.new_signing_key()
        made = {
            "signing_key": signing_key,
            "verification_keys": [access.public_part(signing_key)],
            "link_secret": secrets.token_urlsafe(32),
        }
        draft = data / "secrets.json.new"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
        draft.replace(path)
    known: dict[str, Any] = json.loads(path.read_text())
    return known


async def up(data: Path, host: str, port: int, when_ready: Callable[[Settings], Awaitable[None]]) -> None:
    """Start everything and serve until told to stop; raises CannotRun with the reason when that is not possible.

    `when_ready` is called once, as soon as an intake posted then would be answered.
    """
    asked = running.stop_on_signals()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _listening(data, host, port) as listener:
            async with _servers(data, asked) as (addresses, supervision):
                if addresses is not None:
                    await _serve(
                        data,
                        addresses,
                        listener=listener,
                        asked=asked,
                        supervise=supervision,
                        when_ready=when_ready,
                    )
    except EmbeddedError as error:
        raise CannotRun(str(error)) from error


@contextmanager
def _listening(data: Path, host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = running.listen(host, port)
    except CannotRun:
        # most often it is this folder's own system that has the port, and saying so helps more
        folder = Folder(data)
        folder.claim()
        folder.release()
        raise
    with listener:
        yield listener


@asynccontextmanager
async def _servers(
    data: Path, asked: asyncio.Event
) -> AsyncIterator[tuple[Addresses | None, Callable[[], Coroutine[Any, Any, None]]]]:
    """The servers' addresses, None when asked to stop meanwhile, and what watches over them while they run."""
    url, kafka = os.environ.get("ADVISOR_DATABASE_URL"), os.environ.get("ADVISOR_KAFKA_BOOTSTRAP_SERVERS")
    if url and kafka:
        yield Addresses(url, kafka), _for_ever
        return
    if url or kafka:
        raise CannotRun("Set both ADVISOR_DATABASE_URL and ADVISOR_KAFKA_BOOTSTRAP_SERVERS, or neither.")
    servers = Servers(data, report=report, maven_mirror=os.environ.get("ADVISOR_MAVEN_MIRROR"))
    starting, stopping = asyncio.create_task(servers.start()), asyncio.create_task(asked.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            yield starting.result(), servers.supervise
        else:
            starting.cancel()
            await asyncio.wait([starting])
            yield None, servers.supervise
    finally:
        stopping.cancel()
        await servers.stop()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _serve(
    data: Path,
    addresses: Addresses,
    *,
    listener: socket.socket,
    asked: asyncio.Event,
    supervise: Callable[[], Coroutine[Any, Any, None]],
    when_ready: Callable[[Settings], Awaitable[None]],
) -> None:
    host, port = listener.getsockname()[:2]
    url = os.environ.get("ADVISOR_PUBLIC_URL", f"http://{host}:{port}")
    own_secrets(data)
    with running.listen("127.0.0.1", 0) as management:
        run_file = data / "run.json"
        run_file.write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "url": url,
                    "management_url": f"http://127.0.0.1:{management.getsockname()[1]}",
                    "database_url": addresses.database_url,
                    "kafka_bootstrap_servers": addresses.kafka_bootstrap_servers,
                }
            )
        )
        settings = settings_of(data, Settings)
        await postgres.migrate(addresses.database_url, PACKAGES)
        watch = asyncio.create_task(supervise())
        watch.add_done_callback(lambda _: asked.set())
        try:
            await running.run(
                settings,
                list(PACKAGES),
                listener=listener,
                management=management,
                until=asked,
                when_ready=lambda: when_ready(settings),
            )
        finally:
            run_file.unlink(missing_ok=True)
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


def report(progress: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(progress, file=sys.stderr, flush=True)  # noqa: T201 - this is what the command line says
