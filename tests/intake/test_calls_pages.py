"""The calls of the console, as a browser without scripts and the page's own script use them."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from services.intake.app import service
from shared.contracts.intake import IntakeSubmitted
from shared.postgres import Database
from shared.service import Settings, build
from tests.clients import colleague
from tests.intake.prospect import NORDWIND, form_on, text_of

COMPANY = {field: value for field, value in NORDWIND.items() if not field.startswith("contact")}


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = build(service, settings.model_copy(update={"assessment_url": "http://127.0.0.1:9"}), worker=False)
    async with app.router.lifespan_context(app):
        yield app


async def started(client: httpx2.AsyncClient, name: str = "") -> str:
    answer = await client.post("/console/calls/", data={"company_name": name})
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def saved(client: httpx2.AsyncClient, call: str, **entries: tuple[str, int]) -> httpx2.Response:
    given = {field: {"value": value, "seq": seq} for field, (value, seq) in entries.items()}
    return await client.post(f"{call}/answers", json={"entries": given})


async def test_a_call_begins_without_a_company_and_is_listed_until_it_is_discarded(
    app: FastAPI, settings: Settings, sales: httpx2.AsyncClient
) -> None:
    assert "You have no call that is not sent in." in text_of(await sales.get("/console/calls/"))
    call = await started(sales)
    assert "A company without a name yet" in text_of(await sales.get(call))
    assert "No company yet" in text_of(await sales.get("/console/calls/"))
    other = colleague(app, settings, "account_manager", name="Ida Roth")
    assert "No company yet" not in text_of(await other.get("/console/calls/"))
    assert "0 of 26" in text_of(await other.get("/console/calls/?whose=all"))
    assert (await other.post(f"{call}/discard")).headers["location"] == "/console/calls/"
    assert (await sales.get(call)).status_code == 404


async def test_without_scripts_a_call_is_kept_sent_in_and_becomes_a_case_of_its_channel(
    app: FastAPI, sales: httpx2.AsyncClient
) -> None:
    call = await started(sales, "Nordwind Energie")
    page = await sales.get(call)
    assert "The scores cannot be worked out at this moment" in text_of(page)
    filled = form_on(page) | COMPANY | {"aim": "steady_growth", "how.aim": "inferred", "note.aim": "She hesitated."}
    assert (await sales.post(call, data=filled | {"go": "save"})).status_code == 303
    page = await sales.get(call)
    assert form_on(page)["aim"] == "steady_growth"
    refused = await sales.post(call, data=form_on(page) | {"go": "send", "contact_name": "Mara Lind"})
    assert refused.status_code == 422
    for asked in ("Write their e-mail address too", "Ask whether we may keep their answers"):
        assert asked in text_of(refused)
    sending = form_on(await sales.get(call)) | {"go": "send", "contact_name": "", "consent": "yes"}
    sent = await sales.post(call, data=sending)
    assert sent.headers["location"] == call.replace("/calls", "")
    case = text_of(await sales.get(sent.headers["location"]))
    assert ("Nordwind Energie" in case, "She hesitated." in case) == (True, True)
    database: Database = app.state.database
    async with database.connection() as connection:
        payload = await connection.fetchval("select payload from fact where topic = $1", IntakeSubmitted.topic)
        consent = await connection.fetchval("select consent from intake")
        left = await connection.fetchval("select count(*) from draft_entry where field like 'note%'")
    submission = IntakeSubmitted.model_validate_json(payload).submission
    assert (submission.channel, submission.answers["aim"].confidence) == ("console", "inferred")
    assert ("hesitated" in payload, left) == (False, 0)
    assert (consent["given"], consent["obtained_by"]) == (True, "Anna Berg")
    assert (await sales.get(call)).headers["location"] == sent.headers["location"]
    assert (await saved(sales, call, aim=("finish_and_stop", 9))).status_code == 409


async def test_two_colleagues_on_one_call_see_what_the_other_gave_instead_of_overwriting_it(
    sales: httpx2.AsyncClient,
) -> None:
    call = await started(sales)
    rendered = form_on(await sales.get(call))
    first = (await saved(sales, call, deadline=("firm", 1), notes=("A fair.", 1))).json()["stored"]
    assert first["deadline"] == {"value": "firm", "seq": 1, "words": "A firm date, with a little room"}
    second = (await saved(sales, call, deadline=("none", 1), horizon=("soon", 1))).json()
    assert second["stored"]["notes"] == {"value": "A fair.", "seq": 1, "words": "A fair."}
    assert second["stored"]["deadline"]["value"] == "firm"
    assert second["refused"].keys() == {"horizon"}
    disputed = await sales.post(call, data=rendered | {"deadline": "wished", "aim": "steady_growth", "go": "save"})
    assert disputed.status_code == 409
    assert "A colleague has changed this to “A firm date, with a little room” meanwhile" in text_of(disputed)
    assert form_on(disputed)["deadline"] == "wished"
    assert (await sales.post(call, data=form_on(disputed) | {"go": "save"})).status_code == 303
    kept = form_on(await sales.get(call))
    assert (kept["deadline"], kept["aim"]) == ("wished", "steady_growth")
    assert "A fair." in (await sales.get(call)).text


async def test_what_is_there_of_a_company_is_looked_at_before_a_new_case_is_made(sales: httpx2.AsyncClient) -> None:
    first, second = await started(sales, "Nordwind Energie AG"), await started(sales)
    filled = form_on(await sales.get(second)) | COMPANY | {"consent": "yes", "go": "send"}
    asked = await sales.post(second, data=filled)
    assert asked.status_code == 422
    assert "This company may be here already" in text_of(asked)
    assert f'href="{first}"' in asked.text
    assert "It is a new case: send it in" in text_of(asked)
    assert (await sales.post(second, data=form_on(asked) | {"go": "send"})).headers["location"].startswith("/console/")
    assert f'href="{second.replace("/calls", "")}"' in (await sales.get(f"{first}/known")).text
    assert f'href="{first}"' in (await sales.get(f"{second.replace('/calls', '')}/known")).text


async def test_with_the_warning_on_screen_a_new_case_is_sent_in_at_once(sales: httpx2.AsyncClient) -> None:
    first, second = await started(sales, "Nordwind Energie AG"), await started(sales, "Nordwind Energie")
    page = await sales.get(second)
    assert "This company may be here already" in text_of(page)
    assert "It is a new case: send it in" in text_of(page)
    update = await sales.get(f"{second}/known")
    assert form_on(update)["seen"] == form_on(page)["seen"] == first.rpartition("/")[2]
    assert 'id="send-label" hx-swap-oob="true">It is a new case: send it in<' in update.text
    sent = await sales.post(second, data=form_on(page) | COMPANY | {"consent": "yes", "go": "send"})
    assert sent.headers["location"] == second.replace("/calls", "")
    await started(sales, "Nordwind Energie GmbH")
    assert "This company may be here 2 times already" in text_of(await sales.get(first))


async def test_answers_that_do_not_go_together_are_pointed_out_even_without_scores(sales: httpx2.AsyncClient) -> None:
    call = await started(sales)
    await saved(sales, call, requirements=("written", 1), change_rate=("weekly", 1))
    assert "These do not go together" in text_of(await sales.get(call))
    fragment = await sales.get(f"{call}/scores")
    assert fragment.headers["hx-retarget"] == "#scores-state"
    assert "Everything you take down is kept" in fragment.text
