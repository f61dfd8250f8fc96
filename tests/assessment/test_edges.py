"""Assessment's edges on a real database: events, preview, and the rubric."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from services.assessment import events, store
from services.assessment.app import service
from services.assessment.domain.activations import Step
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import Answer, Company, IntakeErased, IntakeSubmitted, Role, Submission
from shared.kafka import hand_over
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from shared.service import Settings, build
from tests.assessment.archetypes import DEADLINE_MIGRATION
from tests.clients import colleague

URL = "/api/assessment"
NOW = datetime.now(UTC)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def owner(app: FastAPI, settings: Settings) -> httpx2.AsyncClient:
    return colleague(app, settings, "rubric_owner")


def submitted(intake_id: UUID, revision: int = 1) -> IntakeSubmitted:
    submission = Submission(
        intake_id=intake_id,
        revision=revision,
        questionnaire=PUBLISHED,
        answers={question: Answer(level=level) for question, level in DEADLINE_MIGRATION.items()},
        company=Company(name="Nordlicht", headcount="51-250", industry="energy", country="DE"),
        channel="api",
        language="en",
        submitted_at=NOW,
    )
    return IntakeSubmitted(intake_id=intake_id, version=revision, time=NOW, submission=submission)


async def hear(database: Database, *heard: IntakeSubmitted | IntakeErased) -> None:
    async with database.transaction() as connection:
        for event in heard:
            await hand_over(connection, events.HANDLERS, [event])


async def said(database: Database) -> list[AssessmentCompleted]:
    async with database.connection() as connection:
        rows = await connection.fetch("select payload from outbox join fact on fact.id = fact_id order by seq")
    return [AssessmentCompleted.model_validate_json(row["payload"]) for row in rows]


async def test_a_submission_is_scored_once_and_said_again_when_asked_again(database: Database) -> None:
    fact = submitted(uuid4())
    await hear(database, fact, fact)
    first, again = await said(database)
    assert first == again
    assert first.assessment.verdict == "execution"
    assert (first.assessment.intake_id, first.assessment.revision) == (fact.intake_id, 1)
    assert first.submission == fact.submission


async def test_many_at_once_are_scored_or_said_again_each_as_it_stands(database: Database) -> None:
    known, erased, *new = (submitted(uuid4()) for _ in range(5))
    await hear(database, known, IntakeErased(intake_id=erased.intake_id, version=2, time=NOW))
    async with database.autocommit() as connection:
        await hand_over(connection, events.HANDLERS, [known, new[0], erased, *new[1:]])
    facts = await said(database)
    assert [fact.intake_id for fact in facts] == [event.intake_id for event in (known, known, *new)]
    assert facts[0] == facts[1]


async def test_a_new_submission_that_comes_alone_costs_one_statement(database: Database) -> None:
    await hear(database, submitted(uuid4()))
    statements: list[object] = []
    async with database.autocommit() as connection:
        with connection.query_logger(statements.append):
            await hand_over(connection, events.HANDLERS, [submitted(uuid4())])
    assert len(statements) == 1
    assert len(await said(database)) == 2


async def test_each_revision_is_scored_and_the_highest_is_read(database: Database, owner: httpx2.AsyncClient) -> None:
    intake_id = uuid4()
    await hear(database, submitted(intake_id, 2), submitted(intake_id, 1))
    assert [fact.version for fact in await said(database)] == [2, 1]
    assert (await owner.get(f"{URL}/intakes/{intake_id}")).json()["revision"] == 2


async def test_an_erased_intake_is_scored_no_more_and_answers_gone(
    database: Database, owner: httpx2.AsyncClient
) -> None:
    fact = submitted(uuid4())
    await hear(database, fact, IntakeErased(intake_id=fact.intake_id, version=2, time=NOW), fact)
    assert await said(database) == []
    assert (await owner.get(f"{URL}/intakes/{fact.intake_id}")).status_code == 410


async def test_an_erasure_takes_also_what_is_being_stored_meanwhile(database: Database) -> None:
    fact = submitted(uuid4())
    async with database.transaction() as storing:
        await hand_over(storing, events.HANDLERS, [fact])
        erasing = asyncio.create_task(hear(database, IntakeErased(intake_id=fact.intake_id, version=2, time=NOW)))
        await asyncio.wait([erasing], timeout=0.3)
    await erasing
    assert await said(database) == []
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from assessment") == 0


async def test_an_intake_that_was_never_heard_of_is_not_found(owner: httpx2.AsyncClient) -> None:
    assert (await owner.get(f"{URL}/intakes/{uuid4()}")).status_code == 404


async def test_a_preview_scores_any_part_of_the_answers_and_stores_nothing(
    database: Database, owner: httpx2.AsyncClient
) -> None:
    answers = {"requirements": "written", "change_rate": {"level": "weekly", "confidence": "inferred"}}
    preview = (await owner.post(f"{URL}/preview", json={"answers": answers})).json()
    assert preview["verdict"] == "incomplete"
    assert preview["scores"]["continuity"]["value"] is None
    assert preview["answers"]["change_rate"] == {"level": "weekly", "confidence": "inferred"}
    assert [check["id"] for check in preview["checks"]] == ["written_yet_changing_weekly"]
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from assessment") == 0


@pytest.mark.parametrize(
    "body",
    [
        {"answers": {"colour": "blue"}},
        {"answers": {"requirements": "perfect"}},
        {"answers": {"requirements": 1}},
        {"answers": {}, "rubric": "2026-11"},
        {},
    ],
)
async def test_a_preview_of_what_is_not_asked_is_refused_in_words(
    owner: httpx2.AsyncClient, body: dict[str, object]
) -> None:
    answer = await owner.post(f"{URL}/preview", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_the_rubric_in_force_is_published_whole(owner: httpx2.AsyncClient) -> None:
    current = (await owner.get(f"{URL}/rubrics/current")).json()
    assert sum(question["weight_bp"] for question in current["questions"]) == 10_000
    assert (await owner.get(f"{URL}/rubrics/{current['version']}")).json() == current
    assert (await owner.get(f"{URL}/rubrics/1999-01")).status_code == 404


async def test_a_rubric_that_is_in_the_database_already_stays_as_it_is(settings: Settings, database: Database) -> None:
    async def steps() -> list[Step]:
        async with database.connection() as connection:
            return await store.history(connection)

    before = await steps()
    again = build(service, settings, worker=False)
    async with again.router.lifespan_context(again):
        assert await steps() == before


@pytest.mark.parametrize("role", ["sales", "account_manager", "rubric_owner"])
async def test_reading_takes_a_role_that_works_with_assessments(app: FastAPI, settings: Settings, role: Role) -> None:
    assert (await colleague(app, settings, role).get(f"{URL}/rubrics/current")).status_code == 200


async def test_nobody_else_reads_assessments_or_rubrics(app: FastAPI, settings: Settings) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url) as nobody:
        assert (await nobody.get(f"{URL}/rubrics/current")).status_code == 401
    assert (await colleague(app, settings, "admin").get(f"{URL}/rubrics/current")).status_code == 403
