"""The pipeline and the case page, as sales and account managers see them."""

from html import unescape
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from services.intake.store.intakes import MOST_ASKS
from shared.kafka import dead_letters
from shared.kafka.dead_letters import Arrival
from shared.postgres import Database
from shared.service import Settings
from tests.clients import colleague, submission
from tests.intake.prospect import score, text_of


def link_to(text: str, page: httpx2.Response) -> str:
    """Where the last link with this text leads."""
    return unescape(page.text.split(f">{text}<")[-2].split('href="')[-1].split('"')[0])


async def sent_in(client: httpx2.AsyncClient, name: str) -> str:
    body = submission(company=submission()["company"] | {"name": name})
    return str((await client.post("/api/intake/intakes", json=body)).json()["intake_id"])


async def test_an_empty_pipeline_says_how_it_fills(sales: httpx2.AsyncClient) -> None:
    assert "A case appears here as soon as a questionnaire is sent in." in (await sales.get("/console/")).text


async def test_the_pipeline_shows_the_latest_first_and_one_state_when_asked(sales: httpx2.AsyncClient) -> None:
    for name in ("Alder Works", "Birch & Sons"):
        await sent_in(sales, name)
    everything = (await sales.get("/console/?view=table&state=")).text
    assert everything.index("Birch &amp; Sons") < everything.index("Alder Works")


async def test_a_value_or_a_way_that_a_page_does_not_know_is_told_in_plain_words_with_a_way_back(
    sales: httpx2.AsyncClient,
) -> None:
    lost = await sales.get("/console/?state=lost")
    assert (lost.status_code, "“state” holds something that this page does not know" in text_of(lost)) == (422, True)
    assert 'href="/console/"' in lost.text
    assert "Input should be" not in lost.text
    case = f"/console/{await sent_in(sales, 'Alder Works')}"
    form = await sales.get(f"{case}/notes")
    assert (form.status_code, form.headers["allow"]) == (405, "POST")
    assert "This address only takes what a form sends" in text_of(form)
    assert f'href="{case}"' in form.text
    assert (await sales.put(f"{case}/withdraw")).headers["allow"] == "GET, POST"
    assert (await sales.put("/api/intake/intakes")).headers["allow"] == "GET, POST"


async def test_an_admin_is_told_where_to_get_a_role_that_is_missing(app: FastAPI, settings: Settings) -> None:
    refused = await colleague(app, settings, "admin").get("/console/")
    assert "You are an admin: you can give it to yourself under People." in text_of(refused)
    assert 'href="/account/people"' in refused.text
    assert "Ask an admin for it." in text_of(await colleague(app, settings, "rubric_owner").get("/console/"))


async def test_a_form_that_meets_an_ended_session_leads_back_to_its_page_and_says_that_it_was_not_taken(
    app: FastAPI, settings: Settings
) -> None:
    case = uuid4()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url) as nobody:
        for path, back in (
            (f"/console/{case}/notes", f"/console/{case}"),
            ("/console/invitations/", "/console/invitations/"),
            ("/account/sessions/end-others", "/account/"),
        ):
            led = await nobody.post(path, data={"text": "She rang."})
            assert (led.status_code, led.headers["location"]) == (303, f"/account/sign-in?next={back}&unsent=yes")
            page = await nobody.get(led.headers["location"])
            assert "What you sent last was not recorded. Sign in and send it again." in text_of(page)
            assert f'name="next" value="{back}"' in page.text
        assert "was not recorded" not in text_of(await nobody.get("/account/sign-in?next=/console/"))


async def test_a_long_pipeline_goes_on_on_the_next_page(
    app: FastAPI, sales: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.intake.web.console.pipeline.PAGE", 2)
    for name in ("Alder", "Birch", "Cedar"):
        await sent_in(sales, name)
    first = await sales.get("/console/?view=table")
    assert "Alder" not in first.text
    second = (await sales.get(link_to("Show the next ones", first))).text
    assert "Alder" in second
    assert "Birch" not in second


async def test_a_case_shows_who_asked_what_was_answered_and_what_has_happened(sales: httpx2.AsyncClient) -> None:
    page = (await sales.get(f"/console/{await sent_in(sales, 'Alder Works')}")).text
    for shown in (
        "Alder Works",
        "ines@example.com",
        "All of it, so exactly that anyone could check whether it is done",
        "Answers sent in",
        "Still to ask",
    ):
        assert shown in page


async def test_a_stuck_case_and_unusable_events_are_pointed_out(app: FastAPI, sales: httpx2.AsyncClient) -> None:
    intake_id = await sent_in(sales, "Alder Works")
    database: Database = app.state.database
    async with database.transaction() as connection:
        await connection.execute("update intake set asked_again = $1", MOST_ASKS)
        await dead_letters.bury(connection, Arrival("intake.thing.v1", 0, 1, None, {}, b"?"), "content", "unreadable")
    pipeline = (await sales.get("/console/")).text
    assert "No proposal has come" in pipeline
    assert "1 event could not be used" in pipeline
    assert "No proposal has come for this case" in (await sales.get(f"/console/{intake_id}")).text


async def test_an_erased_case_keeps_only_what_happened(
    app: FastAPI, settings: Settings, sales: httpx2.AsyncClient
) -> None:
    intake_id = await sent_in(sales, "Alder Works")
    await colleague(app, settings, "admin").delete(f"/api/intake/intakes/{intake_id}")
    page = (await sales.get(f"/console/{intake_id}")).text
    assert "This case was erased on request" in page
    assert "Erased on request" in page
    assert "Alder Works" not in page + (await sales.get("/console/")).text


async def test_the_console_is_for_sales_and_account_managers(app: FastAPI, settings: Settings) -> None:
    for role in ("sales", "account_manager", "rubric_owner", "admin"):
        expected = 200 if role in ("sales", "account_manager") else 403
        assert (await colleague(app, settings, role).get("/console/")).status_code == expected
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url) as nobody:
        answer = await nobody.get("/console/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/sign-in?next=/console/")


async def test_an_unheard_case_is_not_found(sales: httpx2.AsyncClient) -> None:
    assert (await sales.get(f"/console/{uuid4()}")).status_code == 404


async def test_a_scored_case_with_open_answers_shows_where_they_lead_and_what_to_ask_next(
    app: FastAPI, sales: httpx2.AsyncClient
) -> None:
    body = submission(answers={"change_rate": "weekly"})
    intake_id = str((await sales.post("/api/intake/intakes", json=body)).json()["intake_id"])
    await score(app.state.database, UUID(intake_id))
    page = text_of(await sales.get(f"/console/{intake_id}"))
    lead = "In 48 of 100 ways in which the open answers could fall, continuity leads"
    assert page.index(lead) < page.index("8.8 to 100.0")
    assert "Ask this next What do you mainly want from the next 12 months of work?" in page
    assert "“Steady growth of software that people already use” in 77 of 100 ways continuity leads" in page
