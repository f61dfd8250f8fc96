"""The JSON API of intake on a real database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from shared import access, audit
from shared.access import Principal
from shared.contracts.intake import IntakeErased, IntakeSubmitted, IntakeWithdrawn
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from shared.service import Settings
from tests.clients import colleague, submission

URL = "/api/intake/intakes"


@pytest.fixture
def admin(app: FastAPI, settings: Settings) -> httpx2.AsyncClient:
    return colleague(app, settings, "admin")


async def accepted(client: httpx2.AsyncClient, **changes: Any) -> str:
    answer = await client.post(URL, json=submission(**changes))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["intake_id"])


async def payloads(app: FastAPI, topic: str) -> list[str]:
    database: Database = app.state.database
    async with database.connection() as connection:
        rows = await connection.fetch(
            "select payload from outbox join fact on fact.id = fact_id where topic = $1 order by seq", topic
        )
    return [row["payload"] for row in rows]


async def counts(app: FastAPI) -> dict[str, int]:
    database: Database = app.state.database
    tables = ("intake", "revision", "fact", "outbox", "timeline")
    async with database.connection() as connection:
        return {table: await connection.fetchval(f"select count(*) from {table}") for table in tables}


async def test_the_questionnaire_needs_no_key(app: FastAPI, settings: Settings) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url) as anybody:
        answer = (await anybody.get("/api/intake/questionnaire")).json()
    assert (answer["version"], len(answer["questions"])) == (PUBLISHED, 26)
    assert {"id", "dimension", "key_question", "text", "levels"} <= answer["questions"][0].keys()


async def test_an_accepted_submission_is_stored_with_its_fact_and_read_back(
    app: FastAPI, sales: httpx2.AsyncClient
) -> None:
    answer = await sales.post(URL, json=submission())
    assert answer.status_code == 202
    body = answer.json()
    assert body["revision"] == 1
    (payload,) = await payloads(app, IntakeSubmitted.topic)
    submitted = IntakeSubmitted.model_validate_json(payload).submission
    assert (str(submitted.intake_id), submitted.channel) == (body["intake_id"], "api")
    assert len(submitted.answers) == 26
    status = (await sales.get(body["status_url"])).json()
    assert (status["state"], status["revision"], status["stuck"]) == ("submitted", 1, False)
    assert [event["type"] for event in status["timeline"]] == ["intake.submitted.v1"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"company": {}, "company": {}}', 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"{}", 422),
        (b"x" * 10_000_000, 413),
    ],
    ids=["a repeated key", "half JSON", "not UTF-8", "deep nesting", "a list", "nothing in it", "10 MB"],
)
async def test_bad_input_is_refused_in_words_and_nothing_is_stored(
    app: FastAPI, sales: httpx2.AsyncClient, content: bytes, status: int
) -> None:
    answer = await sales.post(URL, content=content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= answer.json().keys()
    assert set((await counts(app)).values()) == {0}


async def test_every_field_that_needs_another_value_is_named(sales: httpx2.AsyncClient) -> None:
    body = submission(consent=None, campaign="spring", answers={"requirements": "perfect"})
    answer = await sales.post(URL, json=body)
    assert {fault["field"] for fault in answer.json()["errors"]} == {"consent", "campaign", "answers"}


async def test_a_repeated_key_gets_the_first_answer_and_another_body_is_refused(
    app: FastAPI, sales: httpx2.AsyncClient
) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await sales.post(URL, json=submission(), headers=headers)
    again = await sales.post(URL, json=submission(), headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    other = await sales.post(URL, json=submission(answers={}), headers=headers)
    assert other.status_code == 422
    assert (await counts(app))["intake"] == 1


async def test_fifty_concurrent_repeats_make_one_intake(app: FastAPI, sales: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "at once"}
    answers = await asyncio.gather(*(sales.post(URL, json=submission(), headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["intake_id"] for answer in answers}) == 1
    assert set((await counts(app)).values()) == {1}


async def test_two_callers_may_use_the_same_key(app: FastAPI, settings: Settings, sales: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "1"}
    other = colleague(app, settings, "account_manager")
    await sales.post(URL, json=submission(), headers=headers)
    await other.post(URL, json=submission(), headers=headers)
    assert (await counts(app))["intake"] == 2


@pytest.mark.parametrize("key", ["", "k" * 201])
async def test_a_key_has_a_length(sales: httpx2.AsyncClient, key: str) -> None:
    assert (await sales.post(URL, json=submission(), headers={"Idempotency-Key": key})).status_code == 400


async def test_a_revision_changes_only_the_answers_it_names(app: FastAPI, sales: httpx2.AsyncClient) -> None:
    intake_id = await accepted(sales)
    answer = await sales.post(f"{URL}/{intake_id}/revisions", json={"answers": {"change_rate": "weekly"}})
    assert (answer.status_code, answer.json()["revision"]) == (202, 2)
    submissions = [
        IntakeSubmitted.model_validate_json(payload) for payload in await payloads(app, IntakeSubmitted.topic)
    ]
    assert [fact.version for fact in submissions] == [1, 2]
    assert submissions[1].submission.answers["change_rate"].level == "weekly"
    assert submissions[1].submission.answers["requirements"].level == "written"


async def test_revisions_at_once_are_numbered_one_by_one(sales: httpx2.AsyncClient) -> None:
    intake_id = await accepted(sales)
    body = {"answers": {"change_rate": "weekly"}}
    answers = await asyncio.gather(*(sales.post(f"{URL}/{intake_id}/revisions", json=body) for _ in range(8)))
    assert sorted(answer.json()["revision"] for answer in answers) == list(range(2, 10))


async def test_a_withdrawn_request_stays_readable_and_takes_no_revision(
    app: FastAPI, sales: httpx2.AsyncClient
) -> None:
    intake_id = await accepted(sales)
    for _ in range(2):
        assert (await sales.post(f"{URL}/{intake_id}/withdrawal")).json()["state"] == "withdrawn"
    assert len(await payloads(app, IntakeWithdrawn.topic)) == 1
    assert (await sales.get(f"{URL}/{intake_id}")).json()["state"] == "withdrawn"
    refused = await sales.post(f"{URL}/{intake_id}/revisions", json={"answers": {"aim": "unknown"}})
    assert (refused.status_code, refused.json()["state"]) == (409, "withdrawn")


async def test_erasure_leaves_ids_and_times_and_nothing_of_the_person(
    app: FastAPI, sales: httpx2.AsyncClient, admin: httpx2.AsyncClient
) -> None:
    company = submission()["company"] | {"name": "Kanarienvogel GmbH"}
    headers = {"Idempotency-Key": "erase me"}
    body = submission(company=company, contact={"name": "Kanarienvogel", "email": "k@kanarienvogel.example"})
    intake_id = (await sales.post(URL, json=body, headers=headers)).json()["intake_id"]
    for _ in range(2):
        assert (await admin.delete(f"{URL}/{intake_id}")).status_code == 204
    database: Database = app.state.database
    async with database.connection() as connection:
        tables = await connection.fetch(
            "select table_name from information_schema.tables where table_schema = 'intake'"
        )
        for table in tables:
            rows = await connection.fetch(f"select t::text as row from {table['table_name']} t")
            assert not [row for row in rows if "kanarienvogel" in row["row"].lower()], table["table_name"]
        (act,) = await audit.of(connection, UUID(intake_id))
    assert act.action == "erased"
    assert act.actor is not None
    assert len(await payloads(app, IntakeErased.topic)) == 1
    assert await payloads(app, IntakeSubmitted.topic) == []
    assert (await sales.get(f"{URL}/{intake_id}")).json()["state"] == "erased"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "", {"sales", "account_manager"}),
        ("GET", "/ID", {"sales", "account_manager", "admin"}),
        ("POST", "/ID/revisions", {"sales", "account_manager"}),
        ("POST", "/ID/withdrawal", {"sales", "account_manager"}),
        ("DELETE", "/ID", {"admin"}),
    ],
)
async def test_each_call_takes_only_its_roles(
    app: FastAPI, settings: Settings, method: str, path: str, allowed: set[str]
) -> None:
    url = URL + path.replace("ID", str(uuid4()))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url) as nobody:
        assert (await nobody.request(method, url, json={})).status_code == 401
    for role in ("sales", "account_manager", "rubric_owner", "admin"):
        answer = await colleague(app, settings, role).request(method, url, json={})
        assert (answer.status_code != 403) == (role in allowed), (role, answer.status_code)


async def test_an_unheard_intake_is_not_found(sales: httpx2.AsyncClient, admin: httpx2.AsyncClient) -> None:
    url = f"{URL}/{uuid4()}"
    revision = {"answers": {"aim": "unknown"}}
    answers = [
        await sales.get(url),
        await sales.post(f"{url}/revisions", json=revision),
        await sales.post(f"{url}/withdrawal"),
        await admin.delete(url),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_a_submission_names_the_colleague_who_took_it_down_and_no_machine(
    app: FastAPI, settings: Settings, sales: httpx2.AsyncClient
) -> None:
    assert settings.signing_key is not None
    key = Principal(uuid4(), uuid4(), "Website", ("sales",), 1)
    key = replace(key, session_id=key.id)
    token = access.sign(key, settings.signing_key, issued=datetime.now(UTC), expires=None)
    await accepted(sales)
    sales.headers["authorization"] = f"Bearer {token}"
    await accepted(sales)
    first, second = (IntakeSubmitted.model_validate_json(one) for one in await payloads(app, IntakeSubmitted.topic))
    assert first.submission.author is not None
    assert second.submission.author is None
