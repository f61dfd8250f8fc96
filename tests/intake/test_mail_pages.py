"""Mail as people meet it: a prospect asks for the link, colleagues see what becomes of it."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from services.intake import events, handlers
from services.intake.app import service
from services.intake.jobs import drop_expired_drafts, send_mail
from shared.contracts.recommendation import RecommendationAnswered, RecommendationReleased
from shared.postgres import Database
from shared.service import Settings, build
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.clients import colleague
from tests.intake.prospect import NORDWIND, begun, fill, form_on, id_of, send, sent, text_of
from tests.intake.smtp import Mailbox, mailbox, posting_to

__all__ = ["mailbox"]


@pytest.fixture
def settings(mailbox: Mailbox, settings: Settings) -> Settings:
    return posting_to(mailbox, settings)


@pytest.fixture
async def anna(app: FastAPI, settings: Settings) -> AsyncIterator[AsyncClient]:
    async with colleague(app, settings, "sales") as client:
        yield client


def released(draft: str) -> RecommendationReleased:
    now = datetime.now(UTC)
    return RecommendationReleased(
        intake_id=id_of(draft),
        version=3,
        time=now,
        revision=1,
        by=uuid4(),
        model="project_based",
        commercial_form="milestones",
        document=1,
        document_hash="e97a7a5e",
        link_id=uuid4(),
        expires_at=now + timedelta(days=30),
    )


async def kinds(database: Database) -> dict[str, str]:
    async with database.connection() as connection:
        return {row["kind"]: row["state"] for row in await connection.fetch("select kind, state from mail")}


async def test_a_prospect_stops_midway_gets_the_link_by_mail_and_goes_on_by_it(
    client: AsyncClient, database: Database, mailbox: Mailbox, settings: Settings, anna: AsyncClient
) -> None:
    draft = await begun(client)
    step = await client.get(f"{draft}/company")
    answer = await client.post(f"{draft}/company", data=form_on(step) | {"company_name": "Nordwind", "go": "later"})
    assert answer.headers["location"] == f"{draft}/later"
    unfit = await client.post(f"{draft}/later", data={"contact_email": "mara at nordwind"})
    assert unfit.status_code == 422
    assert "name@company.com" in text_of(unfit)
    assert form_on(unfit)["contact_email"] == "mara at nordwind"
    asked = await client.post(f"{draft}/later", data={"contact_email": "mara@nordwind.example"})
    assert (asked.status_code, asked.headers["location"]) == (303, f"{draft}/later")
    assert "on its way to mara@nordwind.example" in text_of(await client.get(f"{draft}/later"))
    await send_mail(database, settings)
    assert "The link was sent to mara@nordwind.example" in text_of(await client.get(f"{draft}/later"))
    (link,) = re.findall(r"http://testserver(/q/\S+)", mailbox.taken[0].get_content())
    resumed = await client.get(link, follow_redirects=True)
    assert form_on(resumed)["company_name"] == "Nordwind"
    assert form_on(resumed)["contact_email"] == "mara@nordwind.example"
    listed = await anna.get("/console/mail/")
    assert "Link to go on later Answers not sent yet Sent" in text_of(listed)
    (path,) = re.findall(r'href="(/console/mail/[0-9a-f-]{36})"', listed.text)
    read = text_of(await anna.get(path))
    assert "which only the person who asked for it gets" in read
    assert "mara" not in read.lower()
    assert link.removeprefix("/q/") not in read
    await fill(client, draft, NORDWIND)
    await send(client, draft)
    assert "The answers were sent in meanwhile." in text_of(await anna.post(f"{path}/again", follow_redirects=True))


async def test_nobody_can_flood_a_mailbox(client: AsyncClient, database: Database) -> None:
    draft = await begun(client)
    answers = [
        await client.post(f"{draft}/later", data={"contact_email": f"{name}@nordwind.example"})
        for name in ("mara", "Mara", "MARA", "mara", "mara", "mara")
    ]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429]
    assert "Try again in an hour" in text_of(answers[-1])


async def test_questionnaires_beyond_a_few_for_one_address_arrive_without_a_receipt(
    client: AsyncClient, database: Database
) -> None:
    for _ in range(6):
        await sent(client, SAAS_SCALE_UP)
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from intake") == 6
        assert await connection.fetchval("select count(*) from mail where kind = 'receipt'") == 5


async def test_a_sent_questionnaire_is_acknowledged_and_a_release_brings_the_document_and_later_a_reminder(
    client: AsyncClient, database: Database, mailbox: Mailbox, settings: Settings, anna: AsyncClient
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    out = released(draft)
    async with database.transaction() as connection:
        for _ in range(2):
            await events.on_released(connection, out)
    await send_mail(database, settings)
    assert [taken["Subject"] for taken in mailbox.taken] == [
        "Your answers have arrived",
        "Our recommendation for Nordwind Energie",
    ]
    assert f"http://testserver{draft}/status" in mailbox.taken[0].get_content()
    assert await kinds(database) == {"receipt": "sent", "document": "sent", "document_reminder": "queued"}
    (link,) = re.findall(r"http://testserver/d/\S+", mailbox.taken[1].get_content())
    case = await anna.get(f"/console/{id_of(draft)}")
    assert "The client has not opened the document yet" in text_of(case)
    assert "By mail: Sent" in text_of(case)
    assert f'href="{link}"' in case.text
    async with database.transaction() as connection:
        due = await connection.fetchval("select due_at from mail where kind = 'document_reminder'")
        assert due == out.expires_at - timedelta(days=5)
        answered = RecommendationAnswered(
            intake_id=id_of(draft),
            version=4,
            time=out.time,
            revision=1,
            document=1,
            answer="accepted",
            reason_code=None,
        )
        await events.on_answered(connection, answered)
        await connection.execute("update mail set due_at = now() where state = 'queued'")
    await send_mail(database, settings)
    assert await kinds(database) == {"receipt": "sent", "document": "sent", "document_reminder": "dropped"}


async def test_mail_about_what_is_erased_or_was_never_sent_in_is_deleted_with_it(
    client: AsyncClient, database: Database
) -> None:
    erased, forgotten = await sent(client, SAAS_SCALE_UP), await begun(client)
    await client.post(f"{forgotten}/later", data={"contact_email": "mara@nordwind.example"})
    assert await kinds(database) == {"receipt": "queued", "resume": "queued"}
    async with database.transaction() as connection:
        await handlers.erase(connection, id_of(erased))
        await events.on_released(connection, released(erased))
        await connection.execute("update draft set expires_at = now() where id = $1", id_of(forgotten))
    await drop_expired_drafts(database)
    assert await kinds(database) == {}


async def test_colleagues_read_what_failed_and_send_it_again(
    client: AsyncClient, database: Database, mailbox: Mailbox, settings: Settings, anna: AsyncClient
) -> None:
    assert "A message appears here as soon as" in text_of(await anna.get("/console/mail/"))
    draft = await sent(client, SAAS_SCALE_UP)
    mailbox.next_rcpt = ["550 unknown"]
    await send_mail(database, settings)
    listed = await anna.get("/console/mail/?state=failed")
    assert "Answers have arrived Nordwind Energie Not delivered The mail server refuses the address (550)." in text_of(
        listed
    )
    (path,) = re.findall(r'href="(/console/mail/[0-9a-f-]{36})"', listed.text)
    read = await anna.get(path)
    assert "To Mara Lind <mara@nordwind.example> Subject Your answers have arrived Dear Mara Lind," in text_of(read)
    assert f"http://testserver{draft}/status" in read.text
    assert (await anna.post(f"{path}/again")).headers["location"] == path
    assert "Waiting" in text_of(await anna.get(path))
    await send_mail(database, settings)
    assert "Send it once more" in text_of(await anna.get(path))
    assert "No message is in this state." in text_of(await anna.get("/console/mail/?state=failed"))
    assert (await anna.get("/console/mail/?state=lost")).status_code == 404
    assert (await anna.get(f"/console/mail/{uuid4()}")).status_code == 404


async def test_without_a_mail_server_messages_are_kept_and_every_page_says_so(
    settings: Settings, database: Database
) -> None:
    silent = Settings(**dict(settings) | {"smtp_url": None})
    app = build(service, silent, worker=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver") as client,
        colleague(app, silent, "sales") as anna,
    ):
        draft = await begun(client)
        await client.post(f"{draft}/later", data={"contact_email": "mara@nordwind.example"})
        await send_mail(database, silent)
        page = await client.get(f"{draft}/later")
        assert "We cannot send mail at the moment" in text_of(page)
        assert f"http://testserver{draft}" in text_of(page)
        listed = text_of(await anna.get("/console/mail/"))
        assert "No mail is sent: no mail server is set up" in listed
        assert "Kept here" in listed
