"""A prospect stops, comes back on another device, and has everything erased, in a real browser."""

import re
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from playwright.async_api import Browser, BrowserContext, Route, expect

from services.intake import events
from services.intake.app import service
from services.intake.jobs import send_mail
from shared.postgres import Database
from shared.service import Settings, build
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.browser.test_prospect import DESKTOP, begin, choose, deadline, fill_company, look, window
from tests.intake.prospect import NORDWIND, id_of, score, sent
from tests.intake.smtp import Mailbox, mailbox, posting_to
from tests.intake.test_mail_pages import released

__all__ = ["mailbox", "window"]


@pytest.fixture
def posting(mailbox: Mailbox, settings: Settings) -> Settings:
    return posting_to(mailbox, settings)


@pytest.fixture
async def app(posting: Settings) -> FastAPI:
    return build(service, posting, worker=False)


async def test_the_link_that_was_sent_opens_the_answers_elsewhere_and_erases_them(
    window: BrowserContext, chromium: Browser, address: str, *, app: FastAPI, mailbox: Mailbox, posting: Settings
) -> None:
    page = await window.new_page()
    await begin(page, address)
    await fill_company(page)
    await page.get_by_role("button", name="Save and continue").click()
    await choose(page, "deadline", "firm")
    await page.get_by_role("button", name="Send me a link to come back").click()
    await expect(page.get_by_label("Your e-mail")).to_have_value(NORDWIND["contact_email"])
    await page.get_by_role("button", name="Send me the link").click()
    await expect(page.get_by_role("status")).to_contain_text("on its way")
    await send_mail(app.state.database, posting)
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("The link was sent to mara@nordwind.example")
    await look(page)
    (link,) = re.findall(r"http://testserver(/q/\S+)", mailbox.taken[0].get_content())
    async with await chromium.new_context(viewport=DESKTOP) as elsewhere:
        other = await elsewhere.new_page()
        await other.goto(address + link)
        await expect(other.get_by_label(deadline("firm"))).to_be_checked()
        await other.get_by_role("link", name="What we hold about you").click()
        await expect(other.get_by_role("heading", level=1)).to_have_text("What we hold about you")
        await look(other)
        await other.get_by_role("link", name="Erase everything").click()
        await look(other)
        await other.get_by_role("button", name="Erase everything").click()
        await expect(other.get_by_role("heading", level=1)).to_have_text("Everything about you is erased")
        await look(other)
    await page.goto(f"{address}{urlsplit(link).path}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("This address has run out")


async def test_what_happens_after_the_result_shows_by_itself(
    window: BrowserContext, address: str, app: FastAPI
) -> None:
    async with AsyncClient(base_url=address) as client:
        draft = await sent(client, SAAS_SCALE_UP)
    database: Database = app.state.database
    await score(database, id_of(draft))
    page = await window.new_page()
    await page.clock.install()
    await page.goto(f"{address}{draft}/status")
    way = page.get_by_role("link", name="Read our recommendation")
    await expect(page.get_by_text("You get our recommendation, by")).to_be_visible()
    async with database.transaction() as connection:
        await events.on_released(connection, released(draft))
    await page.clock.fast_forward("00:21")
    await expect(way).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("There is news: see what happens now.")
    await look(page)


async def test_what_is_typed_while_the_script_is_loading_is_saved_without_leaving_the_field(
    window: BrowserContext, address: str
) -> None:
    page = await window.new_page()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/drafts.js*", hold)
    await page.goto(address, wait_until="commit")
    await page.get_by_role("button", name="Start").click(no_wait_after=True)
    await page.get_by_label("Company name").press_sequentially("Nordwind")
    async with page.expect_response("**/answers") as saving:
        await held[0].continue_()
    answer = await saving.value
    assert await answer.json() == {"value": "Nordwind", "seq": 1, "taken": True}
