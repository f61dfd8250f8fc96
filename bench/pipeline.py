"""`python -m bench.pipeline [--cases N]`: the pages of sales with many cases stored, beside the bare read."""

import argparse
import logging
import random
import tempfile
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import get_args
from uuid import UUID

import httpx2
import structlog
import uvloop
from uuid_utils.compat import uuid7

from bench.desk import REQUESTS, analysed, line, progress, served
from bench.engine import CASES, SEED, cases
from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from services.intake.app import service
from services.intake.domain.pipeline import STATES
from shared import access
from shared.access import Principal
from shared.contracts.intake import Answer, Channel, Headcount, Industry
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Settings

DIFFERENT = 400
COLLEAGUES = [uuid7() for _ in range(30)]
ANNA = COLLEAGUES[0]
TOPICS = ("intake.submitted.v1", "assessment.completed.v1", "recommendation.proposed.v1", "recommendation.reviewed.v1")
BARE = "select * from intake join revision on intake_id = id order by intake.submitted_at desc limit 50"


async def bench(folder: Path, count: int) -> list[str]:
    """Fill a system of its own and time its pages; the figures, a line each."""
    async with served(folder, service) as (app, settings):
        ids = await _fill(app.state.database, count)
        await analysed(settings)
        progress(f"{count} cases are stored")
        return await _timed(httpx2.ASGITransport(app), settings, app.state.database, ids)


async def _fill(database: Database, count: int) -> list[UUID]:
    """So many cases in every state, with some hundred different assessments, a third of them nobody's."""
    questionnaire, chance, now = load(), random.Random(SEED), datetime.now(UTC)
    source = files("services.assessment") / "rubrics" / f"{questionnaire.version}.yaml"
    rubric = parse(source.read_text(), questionnaire)
    given = [
        {question: Answer(level=level) for question, level in case.items()} for case in cases(questionnaire, DIFFERENT)
    ]
    assessed = [assess(answers, rubric, questionnaire).model_dump(mode="json", by_alias=True) for answers in given]
    ids = [uuid7() for _ in range(count)]
    intakes, revisions, timeline = [], [], []
    for number, intake_id in enumerate(ids):
        at = now - timedelta(minutes=13 * number)
        which, owner = number % DIFFERENT, chance.choice([*[None] * 15, *COLLEAGUES])
        name, email = f"Person {number}", f"person{number}@company{number % 3000}.example"
        state, channel = chance.choice(STATES), chance.choice(get_args(Channel))
        intakes.append((intake_id, channel, name, email, at, state, owner, assessed[which]))
        company = {"headcount": chance.choice(get_args(Headcount)), "industry": chance.choice(get_args(Industry))}
        answers = {question: answer.model_dump() for question, answer in given[which].items()}
        revisions.append((intake_id, uuid7(), answers, company | {"name": f"Company {number}", "country": "DE"}, at))
        timeline += [(uuid7(), intake_id, topic, at, {"revision": 1}) for topic in TOPICS]
    async with database.transaction() as connection:
        await connection.executemany(
            """
            insert into intake (id, channel, language, contact_name, contact_email, consent, revision, version,
                                submitted_at, state, state_since, owner, assessment)
            values ($1, $2, 'en', $3, $4, '{}', 1, 1, $5::timestamptz, $6, $5, $7, $8)
            """,
            intakes,
            timeout=60,
        )
        await connection.executemany(
            "insert into revision values ($1, 1, $2, '2026-12', $3, $4, $5)", revisions, timeout=60
        )
        await connection.executemany("insert into timeline values ($1, $2, $3, $4, $5)", timeline, timeout=60)
    return ids


async def _timed(transport: httpx2.ASGITransport, settings: Settings, database: Database, ids: list[UUID]) -> list[str]:
    assert settings.signing_key is not None
    principal = Principal(ANNA, uuid7(), "Anna Berg", ("sales",), 1)
    token = access.sign(principal, settings.signing_key, issued=datetime.now(UTC), expires=None)
    headers = {"authorization": f"Bearer {token}"}
    chance = random.Random(SEED)
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url, headers=headers) as client:

        async def page(path: str) -> None:
            (await client.get(path)).raise_for_status()

        async def bare() -> None:
            async with database.connection() as connection:
                await connection.fetch(BARE)

        async def next_pages() -> None:
            following = (await client.get("/api/intake/intakes?state=open&limit=50")).json()["next"]
            await page(following)

        return [
            await line("bare read of 50 cases", bare),
            await line("the board", lambda: page("/console/")),
            await line("the table", lambda: page("/console/?view=table")),
            await line("a search", lambda: page(f"/console/?view=table&q=person{chance.randrange(len(ids))}@")),
            await line("one's own, held up", lambda: page("/console/?state=open&owner=mine&blocked=any")),
            await line("by company, 7 days", lambda: page("/console/?view=table&sort=company&age=7&industry=trade")),
            await line("nothing found", lambda: page("/console/?q=nobody&state=proposed")),
            await line("two pages as JSON", next_pages),
            await line("a case", lambda: page(f"/console/{chance.choice(ids)}")),
        ]


def main() -> None:
    """Run the benchmark and print its lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser("bench.pipeline", description="The pages of sales with many cases stored.")
    parser.add_argument("--cases", type=int, default=CASES, help="how many cases to store first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="advisor-bench-", ignore_cleanup_errors=True) as folder:
        lines = uvloop.run(bench(Path(folder), options.cases))
    print(f"{options.cases} cases stored, {REQUESTS} requests each, milliseconds in the service", *lines, sep="\n")


if __name__ == "__main__":
    main()
