"""`python -m bench.desk [--cases N]`: the pages of account managers with many cases stored, beside the bare read."""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import get_args
from uuid import UUID

import asyncpg
import httpx2
import structlog
import uvloop
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from bench.engine import CASES, SEED, cases
from services import laptop
from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from services.recommendation.app import service
from services.recommendation.domain.proposal import propose
from services.recommendation.domain.review import Review, Reviewer
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import proposals, reviews
from services.recommendation.store.cases import advance
from shared import access, postgres
from shared.access import Principal
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import Answer, Company, Headcount, Industry, Submission
from shared.contracts.recommendation import RecommendationProposed
from shared.embedded import Servers
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Service, Settings, build

DIFFERENT = 400
REQUESTS = 200
BATCH = 200
ANNA = Reviewer(uuid7(), "Anna Berg")
BARE = "select * from review_case join proposal using (intake_id, revision) where intake_id = $1"


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


async def bench(folder: Path, count: int) -> list[str]:
    """Fill a system of its own and time its pages; the figures, a line each."""
    async with served(folder, service) as (app, settings):
        ids = await _fill(app.state.database, count)
        await analysed(settings)
        progress(f"{count} cases are stored")
        return await _timed(httpx2.ASGITransport(app), settings, app.state.database, ids)


async def _fill(database: Database, count: int) -> list[UUID]:
    """So many cases from some hundred different assessments, two thirds of them decided on."""
    questionnaire, chance, now = load(), random.Random(SEED), datetime.now(UTC)
    source = files("services.assessment") / "rubrics" / f"{questionnaire.version}.yaml"
    rubric = parse(source.read_text(), questionnaire)
    given = [
        {question: Answer(level=level) for question, level in case.items()} for case in cases(questionnaire, DIFFERENT)
    ]
    assessed = [assess(answers, rubric, questionnaire) for answers in given]
    proposed = [propose(one, PLAYBOOKS[questionnaire.version], questionnaire) for one in assessed]
    ids: list[UUID] = []
    chosen = cycle(range(DIFFERENT))
    while len(ids) < count:
        async with database.transaction() as connection:
            for _ in range(BATCH):
                which, intake_id, at = next(chosen), uuid7(), now - timedelta(minutes=count - len(ids))
                company = Company(
                    name=f"Company {len(ids)}",
                    headcount=chance.choice(get_args(Headcount)),
                    industry=chance.choice(get_args(Industry)),
                    country="DE",
                )
                submission = Submission(
                    intake_id=intake_id,
                    revision=1,
                    questionnaire=questionnaire.version,
                    answers=given[which],
                    company=company,
                    channel="web",
                    language="en",
                    submitted_at=at,
                )
                event = AssessmentCompleted(
                    intake_id=intake_id,
                    version=1,
                    time=at,
                    submission=submission,
                    assessment=assessed[which].model_copy(update={"intake_id": intake_id, "revision": 1}),
                    completed_at=at,
                )
                proposal = proposed[which]
                fact = RecommendationProposed(
                    intake_id=intake_id,
                    version=1,
                    time=at,
                    revision=1,
                    model=proposal.model,
                    strength=proposal.strength,
                    commercial_form=proposal.commercial_form,
                )
                await proposals.open_case(connection, event, proposal, fact)
                if len(ids) % 3:
                    review = Review(
                        version=2,
                        revision=1,
                        decision="approve",
                        by=ANNA,
                        model=proposal.model,
                        commercial_form=proposal.commercial_form,
                        reason_code=None,
                        note=None,
                        at=at,
                    )
                    await reviews.record(connection, intake_id, review)
                    await advance(connection, intake_id, 1, review.version, "approved")
                ids.append(intake_id)
    return ids


async def _timed(transport: httpx2.ASGITransport, settings: Settings, database: Database, ids: list[UUID]) -> list[str]:
    assert settings.signing_key is not None
    principal = Principal(ANNA.id, uuid7(), ANNA.name, ("account_manager",), 1)
    token = access.sign(principal, settings.signing_key, issued=datetime.now(UTC), expires=None)
    some = cycle(random.Random(SEED).sample(ids, min(REQUESTS, len(ids))))
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url, headers=headers) as client:

        async def page(path: str) -> None:
            (await client.get(path)).raise_for_status()

        async def bare() -> None:
            async with database.connection() as connection:
                await connection.fetchrow(BARE, next(some))

        return [
            await line("bare read of a case", bare),
            await line("a case", lambda: page(f"/reviews/{next(some)}")),
            await line("the queue", lambda: page("/reviews/")),
            await line("decided cases", lambda: page("/reviews/?state=approved")),
            await line("one's own cases", lambda: page("/reviews/?tab=mine")),
            await line("the blueprint as JSON", lambda: page(f"/api/recommendation/intakes/{next(some)}/blueprint")),
        ]


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


def main() -> None:
    """Run the benchmark and print its lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser("bench.desk", description="The pages of account managers with many cases stored.")
    parser.add_argument("--cases", type=int, default=CASES, help="how many cases to store first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="advisor-bench-", ignore_cleanup_errors=True) as folder:
        lines = uvloop.run(bench(Path(folder), options.cases))
    print(f"{options.cases} cases stored, {REQUESTS} requests each, in milliseconds; of it own: without the database")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
