"""The pipeline as it is asked for: filters, order, pages, views and what is taken along."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.pipeline import OPEN, STATES, Asked, Block, Cursor, Filters, Sort
from services.intake.store import pipeline
from services.intake.store.intakes import MOST_ASKS
from services.intake.web.records import columns
from shared.contracts.intake import Industry
from shared.kafka import dead_letters
from shared.kafka.dead_letters import Arrival
from shared.postgres import Connection, Database
from shared.service import Settings
from tests.clients import colleague, submission
from tests.intake.prospect import score, text_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOMEBODY = UUID(int=7)
FILTERS = st.builds(
    Filters,
    q=st.text(max_size=30),
    state=st.sampled_from(["", "open", *STATES]),
    owner=st.sampled_from(["", "mine", "nobody", str(SOMEBODY)]),
    industry=st.sampled_from(["", *get_args(Industry)]),
    blocked=st.sampled_from(["", "any", *get_args(Block)]),
    sort=st.sampled_from(get_args(Sort)),
)


async def put_in(connection: Connection, name: str, **columns: Any) -> UUID:
    """A case as it stands, straight into the tables."""
    intake_id = uuid4()
    values = {
        "id": intake_id,
        "channel": "web",
        "language": "en",
        "contact_name": "Ines Albrecht",
        "contact_email": "ines@example.com",
        "revision": 1,
        "version": 1,
        "submitted_at": NOW,
        "state": "proposed",
        "state_since": NOW,
        "owner": SOMEBODY,
    } | columns
    company = {"name": name, "headcount": "51-250", "industry": "energy", "country": "DE"}
    places = ", ".join(f"${number}" for number, _ in enumerate(values, start=1))
    await connection.execute(f"insert into intake ({', '.join(values)}) values ({places})", *values.values())
    await connection.execute(
        "insert into revision values ($1, 1, $2, '2026-12', '{}', $3, $4)", intake_id, uuid4(), company, NOW
    )
    return intake_id


@given(FILTERS)
def test_an_address_asks_for_the_same_again(filters: Filters) -> None:
    assert Filters.model_validate(dict(parse_qsl(filters.address()))) == filters


@given(FILTERS)
def test_without_a_filter_the_others_stay(filters: Filters) -> None:
    for name in filters.set:
        without = Filters.model_validate(dict(parse_qsl(filters.address(**{name: ""}))))
        assert without.set == {other: value for other, value in filters.set.items() if other != name}


@given(st.datetimes(timezones=st.just(UTC)), st.text(), st.uuids(), st.sampled_from(get_args(Sort)))
def test_a_cursor_is_read_as_it_was_written(moment: datetime, name: str, case: UUID, sort: Sort) -> None:
    cursor = Cursor(name if sort == "company" else moment, case)
    assert Cursor.read(str(cursor), sort) == cursor


@pytest.mark.parametrize("text", ["x", "~", f"{SOMEBODY}", f"{SOMEBODY}~2026-11-23T12:00:00", f"{SOMEBODY}~later"])
def test_a_cursor_that_was_not_handed_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cursor.read(text, "newest")


async def test_every_order_goes_through_all_cases_once_page_by_page(database: Database) -> None:
    async with database.connection() as connection:
        for number in range(7):
            later = NOW - timedelta(days=number // 2)
            await put_in(connection, f"Ähre {number % 3}", submitted_at=later, state_since=later)
        for sort in get_args(Sort):
            asked, after, seen = Asked(Filters(sort=sort), SOMEBODY, NOW), None, list[pipeline.CaseRow]()
            while rows := await pipeline.page(connection, asked, after, 2):
                seen, after = seen + rows, rows[-1].cursor(sort)
            keys = [(row.cursor(sort).key, row.id) for row in seen]
            assert len({row.id for row in seen}) == len(seen) == 7
            assert keys == sorted(keys, reverse=sort == "newest")


async def test_what_holds_a_case_up_is_named_and_asked_for(database: Database) -> None:
    soon = NOW + timedelta(days=1)
    async with database.connection() as connection:
        expected = {
            await put_in(connection, "Held", **columns): list(blocks)
            for columns, blocks in (
                ({"state": "submitted", "asked_again": MOST_ASKS, "ask_again_at": NOW}, ("stuck",)),
                ({"state": "proposed"}, ("review",)),
                ({"state": "returned", "owner": None}, ("question", "nobody")),
                ({"state": "overridden"}, ("release",)),
                ({"state": "released", "link_expires_at": soon}, ("unopened", "expiring")),
                ({"state": "released", "opened_at": NOW, "asked_at": NOW}, ("asked",)),
                ({"state": "released", "opened_at": NOW, "asked_at": NOW, "replied_at": soon}, ()),
                ({"state": "expired"}, ("expired",)),
                ({"state": "accepted", "owner": None}, ()),
                ({"state": "in_review"}, ("unreadable",)),
            )
        }
        letter = Arrival("assessment.completed.v1", 0, 1, str(list(expected)[-1]).encode(), {}, b"?")
        await dead_letters.bury(connection, letter, "content", "unreadable")

        async def found(blocked: str) -> dict[UUID, list[str]]:
            asked = Asked(Filters.model_validate({"blocked": blocked}), SOMEBODY, NOW)
            return {row.id: list(row.blocks) for row in await pipeline.page(connection, asked, None, 50)}

        assert await found("") == expected
        assert await found("any") == {case: blocks for case, blocks in expected.items() if blocks}
        for block in get_args(Block):
            assert await found(block) == {case: blocks for case, blocks in expected.items() if block in blocks}


async def test_filters_combine_and_count(database: Database) -> None:
    async with database.connection() as connection:
        await put_in(connection, "Straße & Söhne", channel="link", owner=None)
        await put_in(connection, "Alder Works", state="accepted", contact_email="bo@alder.example")
        await put_in(connection, "Alder Mill", state_since=NOW - timedelta(days=8))
        for asked, names in (
            ({"q": "STRASSE"}, {"Straße & Söhne"}),
            ({"q": "alder bo@"}, {"Alder Works"}),
            ({"q": "alder", "state": "open"}, {"Alder Mill"}),
            ({"owner": "mine"}, {"Alder Works", "Alder Mill"}),
            ({"owner": "nobody"}, {"Straße & Söhne"}),
            ({"owner": str(uuid4())}, set()),
            ({"age": "7"}, {"Alder Mill"}),
            ({"channel": "link", "industry": "energy", "headcount": "51-250"}, {"Straße & Söhne"}),
            ({"channel": "link", "industry": "mining"}, set()),
        ):
            question = Asked(Filters.model_validate(asked), SOMEBODY, NOW)
            rows = await pipeline.page(connection, question, None, 50)
            assert {row.company.name for row in rows if row.company} == names, asked
            assert await pipeline.count(connection, question) == len(names)
        question = Asked(Filters(q="alder", state="accepted"), SOMEBODY, NOW)
        assert await pipeline.counts(connection, question) == {"accepted": 1, "proposed": 1}
        assert set(await pipeline.board(connection, question, 5)) == {"accepted"}


async def test_an_empty_result_says_which_filter_to_drop(database: Database, sales: httpx2.AsyncClient) -> None:
    async with database.connection() as connection:
        await put_in(connection, "Alder Works")
    for view in ("board", "table"):
        page = text_of(await sales.get(f"/console/?view={view}&q=alder&state=released&channel=api"))
        assert "No case is like that" in page
        assert "Remove several, or all of them" in page
        page = text_of(await sales.get(f"/console/?view={view}&q=alder&state=released"))
        assert "Without State: Released : 1 case" in page
        assert "Remove Search: “alder”" in page


async def test_a_view_is_kept_for_its_owner_alone(app: FastAPI, settings: Settings, sales: httpx2.AsyncClient) -> None:
    colleagues = colleague(app, settings, "sales", name="Ben Ortiz")
    query = "view=table&state=open&owner=mine&sort=waiting"
    kept = await sales.post("/console/views", data={"name": "Mine, open", "query": f"{query}&after=x&else=1"})
    address = kept.headers["location"]
    assert dict(parse_qsl(address.partition("?")[2])) == dict(parse_qsl(query))
    assert "Mine, open" in text_of(await sales.get("/console/"))
    assert "Mine, open" not in text_of(await colleagues.get("/console/"))
    listed = (await sales.get("/console/views")).text
    view = "/console/views/" + listed.split('action="/console/views/')[1].split("/")[0]
    for caller, name in ((colleagues, "Theirs"), (sales, "Waiting for me")):
        await caller.post(f"{view}/name", data={"name": name})
    assert "Waiting for me" in text_of(await sales.get("/console/views"))
    await colleagues.post(f"{view}/delete")
    await sales.post("/console/views", data={"name": "Second", "query": ""})
    taken = await sales.post(f"{view}/name", data={"name": "Second"})
    assert (taken.status_code, "Another view has this name" in taken.text) == (409, True)
    assert (await sales.post("/console/views", data={"name": " ", "query": query})).status_code == 422
    assert (await sales.post("/console/views", data={"name": "x", "query": "state=lost"})).status_code == 422
    await sales.post(f"{view}/delete")
    assert "Waiting for me" not in text_of(await sales.get("/console/views"))


async def test_what_is_taken_along_holds_every_answer_and_is_safe_to_open(
    database: Database, sales: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.intake.web.console.export.BATCH", 2)
    for name in ("=1+1", "Birch", "Cedar", "Dogwood"):
        body = submission(
            company=submission()["company"] | {"name": name},
            answers={"requirements": {"level": "written", "confidence": "inferred"}},
        )
        sent = (await sales.post("/api/intake/intakes", json=body)).json()
    await score(database, UUID(sent["intake_id"]))
    exported = await sales.get("/console/export.csv?sort=oldest&view=table")
    assert exported.content.startswith("\ufeffintake_id,".encode())
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert tuple(rows[0]) == columns()
    assert [row["company_name"] for row in rows] == ["'=1+1", "Birch", "Cedar", "Dogwood"]
    assert [row["verdict"] for row in rows] == ["", "", "", "incomplete"]
    assert (rows[0]["answers_requirements_level"], rows[0]["answers_requirements_confidence"]) == (
        "written",
        "inferred",
    )
    assert rows[0]["contact_email"] == "ines@example.com"
    records = (await sales.get("/console/export.json?q=dogwood")).json()
    assert [record["company"]["name"] for record in records] == ["Dogwood"]
    assert records[0]["answers"]["aim"] == {"level": "unknown", "confidence": "said"}
    assert float(rows[3]["scores_continuity_low"]) == records[0]["scores"]["continuity"]["low"]
    assert (await sales.get("/console/export.json?q=nothing")).json() == []
    assert (await sales.get("/console/export.json?q=dog%00wood")).json() == records
    assert (await sales.get("/console/export.xml")).status_code == 422


async def test_machines_read_the_pipeline_page_by_page(
    app: FastAPI, settings: Settings, database: Database, sales: httpx2.AsyncClient
) -> None:
    async with database.connection() as connection:
        for name in ("Alder", "Birch", "Cedar"):
            await put_in(connection, name)
    first = (await sales.get("/api/intake/intakes?sort=company&state=open&limit=2")).json()
    second = (await sales.get(first["next"])).json()
    assert [one["company"]["name"] for one in first["intakes"] + second["intakes"]] == ["Alder", "Birch", "Cedar"]
    assert second["next"] is None
    assert (first["intakes"][0]["state"], first["intakes"][0]["blocked_by"]) == ("proposed", ["review"])
    for wrong in ("after=x", "state=lost", "owner=them", "limit=0"):
        assert (await sales.get(f"/api/intake/intakes?{wrong}")).status_code == 422
    assert (await colleague(app, settings, "admin").get("/api/intake/intakes")).status_code == 403
    assert (await colleague(app, settings, "rubric_owner").get("/console/export.csv")).status_code == 403


def test_every_state_is_open_or_closed_for_good() -> None:
    assert set(STATES) - set(OPEN) == {"accepted", "declined", "superseded", "withdrawn", "erased"}
