import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from services.intake import handlers
from shared.service import Settings
from tests.intake.accounts.staff import serving

NEW_PASSWORD = {"Password": "correct horse battery", "Password, once more": "correct horse battery"}


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Where the account pages are served, and the path of the first-admin link."""
    listening = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = settings.model_copy(update={"public_url": origin})
    async with serving(settings) as app:
        first = await handlers.first_admin_link(app.state.database, settings)
        assert first is not None
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        task = asyncio.create_task(server.serve([listening]))
        yield origin, first
        server.should_exit = True
        await task


async def is_well_made(page: Page) -> None:
    """No script, nothing that axe finds, and no sideways scrolling."""
    await page.wait_for_load_state()
    assert await page.locator("script").count() == 0, page.url
    assert (await Axe().run(page)).response["violations"] == [], page.url
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


async def fill(page: Page, fields: dict[str, str]) -> None:
    for label, value in fields.items():
        await page.get_by_label(label, exact=True).fill(value)


async def press(page: Page, label: str) -> None:
    await page.get_by_role("button", name=label, exact=True).click()


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1440, "dark")])
async def test_accounts_are_looked_after_in_a_browser(
    address: tuple[str, str], chromium: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    origin, first = address
    page = await chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )

    await page.goto(origin + first)
    await is_well_made(page)
    await press(page, "Make my account and sign in")
    await is_well_made(page)
    ada = {"Your name": "Ada Admin", "E-mail address": "ada@company.com"}
    await fill(page, ada | NEW_PASSWORD)
    await press(page, "Make my account and sign in")
    await is_well_made(page)

    await page.get_by_role("link", name="Invite somebody").click()
    await press(page, "Make the account and its link")
    await is_well_made(page)
    long_address = "maximiliane.von-hohenzollern@subsidiary.company.example"
    await fill(page, {"Name": "Maximiliane von Hohenzollern-Sigmaringen", "E-mail address": long_address})
    await page.get_by_label("Account manager").check()
    await press(page, "Make the account and its link")
    await is_well_made(page)
    link = await page.get_by_label("Link to set a password").input_value()
    await page.get_by_role("link", name="People").click()
    await is_well_made(page)

    await page.get_by_role("link", name="API keys").click()
    await is_well_made(page)
    await page.get_by_role("link", name="Make a key").click()
    await is_well_made(page)
    await fill(page, {"Name": "Directory sync"})
    await page.get_by_label("Admin").check()
    await press(page, "Make the key")
    await is_well_made(page)
    await page.get_by_role("link", name="I have copied it").click()
    await page.get_by_role("link", name="End the key Directory sync").click()
    await is_well_made(page)
    await press(page, "End the key")
    await is_well_made(page)

    other = await chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    await other.goto(link)
    await is_well_made(other)
    await fill(other, NEW_PASSWORD)
    await press(other, "Set my password and sign in")
    await other.goto(f"{origin}/account/")
    await is_well_made(other)
    await press(other, "Sign out")
    await is_well_made(other)
    await fill(other, {"E-mail address": "ada@company.com", "Password": "a wrong password"})
    await press(other, "Sign in")
    await is_well_made(other)
    await other.goto(link)
    await is_well_made(other)

    await page.get_by_role("link", name="Ada Admin").click()
    await is_well_made(page)
