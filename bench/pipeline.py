"""`python -m bench.pipeline [--cases N]`: the pages of sales with many cases stored, beside the bare read."""

import random
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from bench.engine import SEED
from bench.pages import DIFFERENT, colleague, different_cases, line, main
from services.intake.app import service
from services.intake.domain.pipeline import STATES
from shared.access import Principal
from shared.contracts.intake import Channel, Headcount, Industry
from shared.postgres import Database
from shared.service import Settings

COLLEAGUES = [uuid7() for _ in range(30)]
ANNA = COLLEAGUES[0]
TOPICS = ("intake.submitted.v1", "assessment.completed.v1", "recommendation.proposed.v1", "recommendation.reviewed.v1")
BARE = "select * from intake join revision on intake_id = id order by intake.submitted_at desc limit 50"


async def _fill(database: Database, count: int) -> list[UUID]:
    """So many cases in every state, with some hundred different assessments, a third of them nobody's."""
    chance, now = random.Random(SEED), datetime.now(UTC)
    given, assessments = different_cases()
    assessed = [one.model_dump(mode="json", by_alias=True) for one in assessments]
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


async def _timed(app: FastAPI, settings: Settings, ids: list[UUID]) -> list[str]:
    database: Database = app.state.database
    chance = random.Random(SEED)
    async with colleague(app, settings, Principal(ANNA, uuid7(), "Anna Berg", ("sales",), 1)) as client:

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


if __name__ == "__main__":
    main("The pages of sales with many cases stored.", service, _fill, _timed)
