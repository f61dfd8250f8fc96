"""Whether a process is alive, whether it would do its work now, and its figures; on the management port only."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import structlog
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from shared import outbox, postgres
from shared.kafka import Consumer, dead_letters
from shared.outbox import Relay
from shared.postgres import Database

PROBE_SECONDS = 2
TOLERATED_SECONDS = 5
BACKLOG_SECONDS = 20
RESTART_SECONDS = 1

log = structlog.get_logger(__name__)


class Health:
    """What is wrong with one service now, by sentence."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.relay: Relay | None = None
        self.consumer: Consumer | None = None
        self.kafka_silent_since: float | None = None
        self.crashed: dict[str, str] = {}
        self.is_starting = True

    async def problems(self) -> list[str]:
        """Every reason why this service would not do its work now; empty when it is ready."""
        found = [f"{task} stopped with {error} and is being started again" for task, error in self.crashed.items()]
        if self.is_starting:
            found.append("starting")
        try:
            async with asyncio.timeout(PROBE_SECONDS), self._database.connection() as connection:
                waiting, age = await outbox.depth(connection)
        except postgres.TRANSIENT as error:
            found.append(f"the database does not answer ({type(error).__name__})")
        else:
            if self.relay is not None and age > BACKLOG_SECONDS:
                found.append(f"{waiting} facts wait to be sent, the oldest for {age:.0f} seconds")
        if _lasts(self.kafka_silent_since):
            found.append("Kafka does not answer")
        if self.relay is not None and _lasts(self.relay.failing_since):
            found.append("facts cannot be sent to Kafka")
        if self.consumer is not None:
            found += self.consumer.problems()
        return found

    async def figures(self) -> dict[str, float]:
        """Figures for a dashboard, by name."""
        async with asyncio.timeout(PROBE_SECONDS), self._database.connection() as connection:
            waiting, age = await outbox.depth(connection)
            figures = {
                "outbox_waiting": float(waiting),
                "outbox_oldest_seconds": age,
                "dead_letters_open": float(await dead_letters.count_open(connection)),
            }
        if self.relay is not None:
            figures["facts_sent"] = float(self.relay.sent)
        if self.consumer is not None:
            figures["events_consumed"] = float(self.consumer.consumed)
        return figures

    async def keep_running(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until cancelled; when it stops by itself that is logged and shown, and it is started again."""
        while True:
            started = time.monotonic()
            try:
                await work()
                self.crashed[name] = "no error"
            except Exception as error:
                log.exception("task.crashed", service=self._database.service, task=name)
                self.crashed[name] = type(error).__name__
            await asyncio.sleep(
                RESTART_SECONDS if time.monotonic() - started > TOLERATED_SECONDS else TOLERATED_SECONDS
            )
            self.crashed.pop(name, None)


def _lasts(since: float | None) -> bool:
    return since is not None and time.monotonic() - since > TOLERATED_SECONDS


def management_app(services: Mapping[str, Health]) -> FastAPI:
    """`/health/live`, `/health/ready` and `/metrics` of the services in this process."""
    app = FastAPI(openapi_url=None)

    @app.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        found = {name: await health.problems() for name, health in services.items()}
        is_ready = not any(found.values())
        return JSONResponse({"ready": is_ready, "problems": found}, 200 if is_ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        registry = CollectorRegistry()
        gauges: dict[str, Gauge] = {}
        for service, health in services.items():
            with suppress(*postgres.TRANSIENT):
                for name, figure in (await health.figures()).items():
                    if name not in gauges:
                        gauges[name] = Gauge(f"advisor_{name}", name.replace("_", " "), ["service"], registry=registry)
                    gauges[name].labels(service).set(figure)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    logging.getLogger("uvicorn.access").disabled = True
    return app
