"""Pages with many cases stored: a service served for them, what it is filled with, and how they are timed."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID

import asyncpg
import httpx2
import structlog
import uvloop
from fastapi import FastAPI

from bench.engine import CASES, cases
from services import laptop
from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from shared import access, postgres
from shared.access import Principal
from shared.contracts.assessment import Assessment
from shared.contracts.intake import Answer
from shared.embedded import Servers
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Service, Settings, build

DIFFERENT = 400
REQUESTS = 200

Fill = Callable[[Database, int], Awaitable[list[UUID]]]
Timed = Callable[[FastAPI, Settings, list[UUID]], Awaitable[list[str]]]


def main(description: str, service: Service, fill: Fill, timed: Timed) -> None:
    """Fill a system of its own with `--cases`, time its pages, and print the figures, a line each."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=int, default=CASES, help="how many cases to store first")
    count = parser.parse_args().cases

    async def run(folder: Path) -> list[str]:
        async with served(folder, service) as (app, settings):
            ids = await fill(app.state.database, count)
            await analysed(settings)
            progress(f"{count} cases are stored")
            return await timed(app, settings, ids)

    with tempfile.TemporaryDirectory(prefix="advisor-bench-", ignore_cleanup_errors=True) as folder:
        lines = uvloop.run(run(Path(folder)))
    print(f"{count} cases stored, {REQUESTS} requests each, in milliseconds; of it own: without the database")
    print(*lines, sep="\n")


def different_cases() -> tuple[list[dict[str, Answer]], list[Assessment]]:
    """Some hundred different answers, and how each scores under the published rubric."""
    questionnaire = load()
    source = files("services.assessment") / "rubrics" / f"{questionnaire.version}.yaml"
    rubric = parse(source.read_text(), questionnaire)
    given = [
        {question: Answer(level=level) for question, level in case.items()} for case in cases(questionnaire, DIFFERENT)
    ]
    return given, [assess(answers, rubric, questionnaire) for answers in given]


def colleague(app: FastAPI, settings: Settings, principal: Principal) -> httpx2.AsyncClient:
    """A client that is signed in."""
    assert settings.signing_key is not None
    token = access.sign(principal, settings.signing_key, issued=datetime.now(UTC), expires=None)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )


@asynccontextmanager
async def served(folder: Path, service: Service) -> AsyncIterator[tuple[FastAPI, Settings]]:
    """A service without its worker, on servers of its own that keep their data in the folder."""
    addresses = await (servers := Servers(folder, report=progress)).start()
    supervision = asyncio.create_task(servers.supervise())
    try:
        await postgres.migrate(addresses.database_url, laptop.PACKAGES)
        settings = Settings(
            database_url=addresses.database_url,
            kafka_bootstrap_servers=addresses.kafka_bootstrap_servers,
            **laptop.own_secrets(folder),
        )
        app = build(service, settings, worker=False)
        async with app.router.lifespan_context(app):
            yield app, settings
    finally:
        supervision.cancel()
        with suppress(asyncio.CancelledError):
            await supervision
        await servers.stop()


async def analysed(settings: Settings) -> None:
    """Let the planner know what was filled in, as it does by itself after a while."""
    owner = await asyncpg.connect(settings.database_url.get_secret_value())
    await owner.execute("vacuum analyze")
    await owner.close()


async def line(name: str, work: Callable[[], Awaitable[None]]) -> str:
    """How long the work takes, done again and again after a warm-up."""
    seconds, own = [], []
    for number in range(REQUESTS + REQUESTS // 10):
        began, processed = time.perf_counter(), time.process_time()
        await work()
        if number >= REQUESTS // 10:
            seconds.append(time.perf_counter() - began)
            own.append(time.process_time() - processed)
    hundredths = quantiles(seconds, n=100, method="inclusive")
    p50, p95, slowest = hundredths[49] * 1000, hundredths[94] * 1000, max(seconds) * 1000
    return (
        f"{name:<24}p50 {p50:6.1f}   p95 {p95:6.1f}   slowest {slowest:6.1f}   of it own p50 {median(own) * 1000:6.1f}"
    )


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
