"""A service's rooms in their frame: one pool, one relay, one consumer, its timers, and its pages."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from shared import outbox, postgres
from shared.access import Verifier
from shared.contracts.base import Event
from shared.kafka import Consumer, Handlers, ensure_topics
from shared.outbox import Relay
from shared.pages import Pages
from shared.postgres import Database
from shared.service.edge import guard
from shared.service.health import Health
from shared.service.settings import Settings

TOPICS_SECONDS = 2
SETTLE_SECONDS = 15
KEEP_ANSWERS_SECONDS = 3600
STOP_SECONDS = 25

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """Work on a timer. It runs in every process; what must happen once says so in its SQL."""

    name: str
    every_seconds: float
    run: Callable[[Database], Awaitable[None]]


def no_jobs(settings: Settings) -> Sequence[Job]:
    """The timers of a service that has none of its own."""
    return ()


@dataclass(frozen=True)
class Service:
    """What one service is made of.

    `hears_within_ms` and `says_within_ms` are how long events may wait to be read, and to be sent, together.
    """

    name: str
    package: str
    routers: Sequence[APIRouter]
    pages: Pages | None = None
    mounts: dict[str, ASGIApp] = field(default_factory=dict)
    publishes: Sequence[type[Event]] = ()
    handlers: Handlers = field(default_factory=dict)
    hears_within_ms: int = 0
    says_within_ms: int = 0
    jobs: Callable[[Settings], Sequence[Job]] = no_jobs
    prepare: Callable[[Database], Awaitable[None]] | None = None


def build(service: Service, settings: Settings, *, web: bool = True, worker: bool = True) -> FastAPI:
    """One service as an ASGI app; `worker` adds its relay, consumer and jobs, `web` its pages and API."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with postgres.connect(settings.database_url.get_secret_value(), service.name) as database:
            app.state.database = database
            app.state.health = Health(database)
            if service.prepare is not None:
                await service.prepare(database)
            tasks = _start_work(service, settings, app.state.health, database) if worker else []
            app.state.health.is_starting = False
            try:
                yield
            finally:
                for task in reversed(tasks):
                    # told again where a library has swallowed it, and only after a batch had its time to end
                    while not task.done():
                        task.cancel()
                        await asyncio.wait([task], timeout=STOP_SECONDS)

    app = FastAPI(
        title=f"Engagement advisor: {service.name}",
        lifespan=lifespan,
        openapi_url=f"/api/{service.name}/openapi.json" if web else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=True,
    )
    app.state.settings = settings
    app.state.verifier = Verifier(settings.verification_keys)
    app.state.pages = service.pages
    if web:
        for router in service.routers:
            app.include_router(router, include_in_schema=_is_api(router))
        for path, mounted in service.mounts.items():
            app.mount(path, mounted)
        guard(app, settings)
    return app


def _is_api(router: APIRouter) -> bool:
    """Pages are for people: only a router of machine calls belongs into the API's description."""
    return router.prefix.startswith("/api/")


def _start_work(service: Service, settings: Settings, health: Health, database: Database) -> list[asyncio.Task[Any]]:
    servers = settings.kafka_bootstrap_servers
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "the watch over topics": lambda: _watch_topics(service, servers, health, database)
    }
    health.relay = Relay(database, servers, service.says_within_ms)
    works["the relay"] = health.relay.run
    for job in [*service.jobs(settings), Job("old answers", KEEP_ANSWERS_SECONDS, _drop_old_answers)]:
        works[f"the job {job.name}"] = _on_timer(job, database)
    if service.handlers:
        health.consumer = Consumer(database, servers, service.handlers, service.hears_within_ms)
        works["the consumer"] = health.consumer.run
    return [asyncio.create_task(health.keep_running(name, work), name=name) for name, work in works.items()]


async def _watch_topics(service: Service, servers: str, health: Health, database: Database) -> None:
    """Create the topics this service speaks on, whenever they are missing; what was said on them is said again.

    It is said twice: at once, and when consumers have settled on the new topic. An offset committed for the old topic
    can make them skip what the new one holds by then.
    """
    settled_at: float | None = None
    recreated: set[str] = set()
    while True:
        try:
            created = await ensure_topics(servers, service.publishes)
            health.kafka_silent_since = None
            if created and await _say_again(database, created):
                recreated |= created
                settled_at = time.monotonic() + SETTLE_SECONDS
            elif settled_at is not None and time.monotonic() > settled_at:
                await _say_again(database, recreated)
                settled_at, recreated = None, set()
        except (KafkaError, *postgres.TRANSIENT):
            health.kafka_silent_since = health.kafka_silent_since or time.monotonic()
        await asyncio.sleep(TOPICS_SECONDS)


async def _say_again(database: Database, topics: set[str]) -> int:
    async with database.transaction() as connection:
        count = await outbox.resay(connection, topics=topics)
    if count:
        log.warning("topics.recreated", service=database.service, topics=sorted(topics), said_again=count)
    return count


def _on_timer(job: Job, database: Database) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        while True:
            try:
                await job.run(database)
            except postgres.TRANSIENT as error:
                log.warning("job.postponed", service=database.service, job=job.name, error=type(error).__name__)
            await asyncio.sleep(job.every_seconds)

    return run


async def _drop_old_answers(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("delete from idempotency where at < now() - interval '30 days'")
