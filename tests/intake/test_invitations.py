"""Personal links: made by a colleague or a machine, opened by a prospect, reminded of, taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from services.intake.domain.drafts import KEPT
from services.intake.domain.invitations import REMINDED_AFTER, Invitation, Standing
from services.intake.jobs import drop_expired_drafts, remind_invited
from shared.contracts.intake import Campaign, IntakeSubmitted
from shared.postgres import Database
from shared.service import Settings
from tests.clients import colleague
from tests.intake.prospect import NORDWIND, fill, form_on, id_of, send, text_of

URL = "/api/intake/invitations"
KNOWN: dict[str, Any] = {
    "company": {"name": "Nordwind Energie", "headcount": "51-250"},
    "contact": {"name": "Mara Lind", "email": "mara@nordwind.example"},
    "answers": {"aim": "steady_growth"},
    "campaign": {"source": "newsletter", "campaign": "spring-2027"},
}
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
FRESH = Invitation(
    id=UUID(int=1),
    maker=None,
    company="",
    name="",
    email="",
    answered=0,
    begun_at=NOW,
    expires_at=NOW + DAY,
    mailed_at=None,
    reminded_at=None,
    opened_at=None,
    sent_at=None,
    revoked_at=None,
)


@pytest.fixture
def anybody(app: FastAPI, settings: Settings) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.public_url)


async def made(client: httpx2.AsyncClient, **more: Any) -> tuple[str, str]:
    """The id of a new invitation, and the path of its link."""
    answer = await client.post(URL, json=KNOWN | more)
    assert answer.status_code == 201, answer.text
    return answer.json()["invitation_id"], answer.json()["link"].removeprefix("http://testserver")


async def queued(app: FastAPI) -> list[str]:
    database: Database = app.state.database
    async with database.connection() as connection:
        return [row["kind"] for row in await connection.fetch("select kind from mail order by queued_at")]


async def age(app: FastAPI, by: timedelta) -> None:
    """Let time pass for all invitations."""
    database: Database = app.state.database
    async with database.connection() as connection:
        await connection.execute(
            "update draft set mailed_at = mailed_at - $1::interval, expires_at = expires_at - $1::interval", by
        )


@pytest.mark.parametrize(
    ("passed", "standing"),
    [
        ({}, "not_opened"),
        ({"opened_at": NOW}, "in_progress"),
        ({"opened_at": NOW, "sent_at": NOW, "expires_at": NOW - DAY}, "submitted"),
        ({"revoked_at": NOW, "expires_at": NOW - DAY}, "revoked"),
        ({"expires_at": NOW - DAY}, "expired"),
    ],
)
def test_an_invitation_stands_where_the_prospect_has_come_to(passed: dict[str, datetime], standing: Standing) -> None:
    assert replace(FRESH, **passed).standing(NOW) == standing  # type: ignore[arg-type]  # one type for all of them


async def test_what_sales_know_is_in_place_and_arrives_with_the_campaign_everywhere(
    app: FastAPI, settings: Settings, sales: httpx2.AsyncClient, anybody: httpx2.AsyncClient
) -> None:
    invitation, link = await made(sales)
    page = await anybody.get(f"{link}/company")
    assert "We have filled in what we know already" in text_of(page)
    assert {name: form_on(page)[name] for name in ("company_name", "headcount", "contact_email")} == {
        "company_name": "Nordwind Energie",
        "headcount": "51-250",
        "contact_email": "mara@nordwind.example",
    }
    assert form_on(await anybody.get(f"{link}/purpose"))["aim"] == "steady_growth"
    held = text_of(await anybody.get(f"{link}/data"))
    assert ("whoever invited you can open it" in held, "newsletter / spring-2027" in held) == (True, True)
    standing = (await sales.get(f"{URL}/{invitation}")).json()
    assert (standing["state"], standing["answered"]) == ("not_opened", 1)
    assert (await anybody.post(f"{link}/opened")).status_code == 204
    assert "In progress, 1 of 26" in text_of(await sales.get(f"/console/invitations/{invitation}"))
    await fill(anybody, link, NORDWIND | {"deadline": "firm"})
    await send(anybody, link)
    assert str(id_of(link)) == invitation
    read = (await sales.get(f"/api/intake/intakes/{invitation}")).json()
    assert (read["channel"], read["company"]["country"]) == ("link", "DE")
    assert read["campaign"] == {"source": "newsletter", "medium": None, "campaign": "spring-2027"}
    assert read["answers"]["aim"] == {"level": "steady_growth", "confidence": "said"}
    database: Database = app.state.database
    async with database.connection() as connection:
        payload = await connection.fetchval("select payload from fact where topic = $1", IntakeSubmitted.topic)
    submission = IntakeSubmitted.model_validate_json(payload).submission
    assert (submission.channel, submission.author) == ("link", None)
    assert submission.campaign == Campaign(source="newsletter", campaign="spring-2027")
    await sales.post(f"/api/intake/intakes/{invitation}/revisions", json={"answers": {"deadline": "none"}})
    async with database.connection() as connection:
        later = await connection.fetchval("select payload from fact order by version desc limit 1")
    assert IntakeSubmitted.model_validate_json(later).submission.campaign == submission.campaign
    await colleague(app, settings, "admin").delete(f"/api/intake/intakes/{invitation}")
    assert (await sales.get(f"/api/intake/intakes/{invitation}")).json()["campaign"] is None


async def test_a_machine_is_told_of_what_is_there_and_of_what_does_not_fit(sales: httpx2.AsyncClient) -> None:
    first, _ = await made(sales)
    again = (await sales.post(URL, json={"contact": KNOWN["contact"]}, headers={"Idempotency-Key": "1"})).json()
    assert again["duplicates"][0].keys() == {"kind", "id", "state", "owner", "reasons"}
    assert [(one["kind"], one["id"], one["reasons"]) for one in again["duplicates"]] == [
        ("invitation", first, ["email"])
    ]
    assert (await sales.post(URL, json={"contact": KNOWN["contact"]}, headers={"Idempotency-Key": "1"})).json() == again
    for body, field in (
        ({"campaign": {"source": "Anna Berg"}}, "campaign.source"),
        ({"answers": {"aim": "fame"}}, "answers"),
        ({"send": True}, ""),
    ):
        refused = await sales.post(URL, json=body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


async def test_a_link_is_mailed_reminded_of_once_by_itself_and_never_after_it_was_answered(
    app: FastAPI, sales: httpx2.AsyncClient, anybody: httpx2.AsyncClient
) -> None:
    waiting, _ = await made(sales, send=True)
    _, answered = await made(sales, send=True)
    await fill(anybody, answered, NORDWIND)
    await send(anybody, answered)
    database: Database = app.state.database
    await remind_invited(database)
    assert await queued(app) == ["invitation", "invitation", "receipt"]
    await age(app, REMINDED_AFTER)
    await remind_invited(database)
    await remind_invited(database)
    assert (await queued(app))[3:] == ["invitation_reminder"]
    assert (await sales.post(f"/console/invitations/{waiting}/remind")).status_code == 303
    assert (await queued(app))[3:] == ["invitation_reminder"] * 2
    refused = await sales.post(f"/console/invitations/{id_of(answered)}/remind")
    assert (refused.status_code, "Open the case to go on" in refused.text) == (409, True)


async def test_the_list_says_what_became_of_the_mail_and_never_that_kept_mail_went_out(
    app: FastAPI, sales: httpx2.AsyncClient
) -> None:
    await made(sales, send=True)
    database: Database = app.state.database
    for change, told in (("state = 'kept'", "Kept here"), ("state = 'sent', sent_at = now()", "Sent")):
        async with database.transaction() as connection:
            await connection.execute(f"update mail set {change}")
        row = text_of(await sales.get("/console/invitations/?whose=all"))
        assert f"{told} just now" in row
    await made(sales)
    assert "Not by mail" in text_of(await sales.get("/console/invitations/?whose=all"))


async def test_a_link_that_was_taken_back_or_has_run_out_opens_nothing_and_is_still_seen(
    app: FastAPI, sales: httpx2.AsyncClient, anybody: httpx2.AsyncClient
) -> None:
    revoked, closed = await made(sales, send=True)
    assert (await sales.post(f"/console/invitations/{revoked}/revoke")).status_code == 303
    assert "This link was taken back" in text_of(await anybody.get(f"{closed}/company"))
    assert (await sales.post(f"/console/invitations/{revoked}/remind")).status_code == 409
    expired, _ = await made(sales)
    await age(app, KEPT + DAY)
    database: Database = app.state.database
    await drop_expired_drafts(database)
    standing = (await sales.get(f"{URL}/{expired}")).json()
    assert (standing["state"], standing["answered"]) == ("expired", 0)
    page = text_of(await sales.get("/console/invitations/?whose=all"))
    assert page.count("Nordwind Energie") == 2
    assert ("Taken back" in page, "Run out" in page) == (True, True)
    await age(app, KEPT)
    await drop_expired_drafts(database)
    assert "Nobody has been invited yet." in text_of(await sales.get("/console/invitations/?whose=all"))


async def test_a_call_goes_on_as_a_personal_link_after_a_look_at_what_is_there(sales: httpx2.AsyncClient) -> None:
    call = (await sales.post("/console/calls/", data={"company_name": "Alder Works"})).headers["location"]
    await sales.post(f"{call}/answers", json={"entries": {"aim": {"value": "steady_growth", "seq": 1}}})
    await made(sales, company={"name": "ALDER Works Ltd"})
    form = form_on(await sales.get(f"/console/invitations/new?call={call.rpartition('/')[2]}"))
    assert form["company_name"] == "Alder Works"
    asked = await sales.post("/console/invitations/", data=form | {"go": "send", "source": "Anna B."})
    assert "Write the e-mail address to send the link to" in text_of(asked)
    assert "Use small letters, digits" in text_of(asked)
    looked = await sales.post("/console/invitations/", data=form | {"go": "make"})
    assert "This company may be here already" in text_of(looked)
    made_now = await sales.post("/console/invitations/", data=form_on(looked) | {"go": "make"})
    assert "Not opened yet" in text_of(await sales.get(made_now.headers["location"]))
    assert "1 answer from your call" in text_of(looked)
