"""Services in one process: chosen by prefix on one port, their health on another, stopped in good order."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Literal

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.service import PREFIXES, Service, Settings, build
from shared.service.health import Health, management_app
from shared.service.prefixes import service_for

ServiceName = Literal["intake", "assessment", "recommendation"]
Part = Literal["web", "worker"]

READY_POLL_SECONDS = 0.1
GRACE_SECONDS = 20


class CannotRun(Exception):
    """The reason in one sentence, for the person who started it."""


def service(name: str) -> Service:
    """One service's parts; the others are not imported."""
    found: Service = import_module(f"services.{name}.app").service
    return found


@asynccontextmanager
async def started(
    settings: Settings, names: Sequence[str], only: Part | None = None
) -> AsyncIterator[dict[str, FastAPI]]:
    """The services' apps with their pools, relays, consumers and jobs at work."""
    async with AsyncExitStack() as stack:
        apps = {}
        for name in names:
            app = build(service(name), settings, web=only != "worker", worker=only != "web")
            await stack.enter_async_context(app.router.lifespan_context(app))
            apps[name] = app
        _keep_out_of_collection()
        yield apps


def _keep_out_of_collection() -> None:
    """Leave what was imported and built out of garbage collection: to walk it stops everything for 70 ms each time.

    What requests and events leave behind is collected in larger lots; nearly all of it has gone by then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def by_prefix(apps: dict[str, FastAPI]) -> ASGIApp:
    """One ASGI app that hands each request to the service whose prefix it has."""
    if len(apps) < len(PREFIXES):
        (alone,) = apps.values()
        return alone

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[service_for(scope["path"])](scope, receive, send)

    return dispatch


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; CannotRun where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise CannotRun(
            f"Port {port} on {host} cannot be used ({error.strerror}). Choose another with --port."
        ) from error
    return listener


async def run(
    settings: Settings,
    names: Sequence[str],
    *,
    listener: socket.socket,
    management: socket.socket,
    only: Part | None = None,
    until: asyncio.Event,
    when_ready: Callable[[], Awaitable[None]],
) -> None:
    """Serve until `until` is set; `when_ready` is called once all of it would do its work."""
    async with started(settings, names, only) as apps:
        health = {name: app.state.health for name, app in apps.items()}
        servers = [_Server(_config(management_app(health)))]
        works = [servers[0].serve([management])]
        if only != "worker":
            servers.append(_Server(_config(by_prefix(apps))))
            works.append(servers[1].serve([listener]))
        tasks = [asyncio.create_task(work) for work in works]
        ready = asyncio.create_task(_announce(health, when_ready))
        stopped = asyncio.create_task(until.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            stopped.cancel()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*tasks)


async def _announce(health: dict[str, Health], when_ready: Callable[[], Awaitable[None]]) -> None:
    while any([await one.problems() for one in health.values()]):
        await asyncio.sleep(READY_POLL_SECONDS)
    await when_ready()


class _Server(uvicorn.Server):
    """The process's owner handles signals, not each server in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def stop_on_signals() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, asked.set)
    return asked
