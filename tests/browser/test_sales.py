"""A salesperson's way from the board to a corrected case, in a real browser."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from axe_playwright_python.async_playwright import Axe
from httpx2 import AsyncClient
from playwright.async_api import Browser, Page, expect

from services.intake import handlers
from shared import access
from shared.access import COOKIE, Principal
from shared.postgres import Database
from shared.service import Settings
from tests.clients import submission


async def joins(database: Database, settings: Settings, name: str) -> str:
    """The token of somebody in sales with an account."""
    assert settings.signing_key is not None
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        account = await handlers.add_person(
            connection, email=f"{name.split(maxsplit=1)[0]}@example.com", name=name, roles=["sales"], at=now
        )
    bearer = Principal(account.id, uuid4(), name, account.roles, account.version)
    return access.sign(bearer, settings.signing_key, issued=now, expires=None)


async def look(page: Page) -> None:
    """Everything open and the text twice as large, the page is accessible and nothing lies beside it."""
    await page.wait_for_load_state()
    await page.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
    assert (await Axe().run(page)).response["violations"] == []
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    beside = "[document.documentElement, ...document.querySelectorAll('.table-responsive')]"
    assert await page.evaluate(f"{beside}.every(part => part.scrollWidth <= part.clientWidth)"), page.url


async def test_a_case_is_found_taken_given_and_corrected_on_a_phone(
    connect: Callable[[str], Awaitable[Database]], address: str, chromium: Browser, settings: Settings
) -> None:
    database = await connect("intake")
    token = await joins(database, settings, "Anna Berg")
    await joins(database, settings, "Ben Ortiz")
    async with AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"}) as client:
        for name in ("Alder Works", "Birch & Sons", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk"):
            body = submission(company=submission()["company"] | {"name": name})
            assert (await client.post("/api/intake/intakes", json=body)).status_code == 202
    context = await chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    await context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
    page = await context.new_page()
    await page.goto(f"{address}/console/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("3 cases in the pipeline")
    await look(page)
    await page.goto(f"{address}/console/?view=table&state=submitted")
    await look(page)
    await page.reload()
    await page.keyboard.press("/")
    await page.keyboard.type("alder")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 case is like that")
    await expect(page.get_by_role("link", name="Remove State: Submitted")).to_be_visible()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Take it").click()
    await expect(page.get_by_role("heading", name="You own it")).to_be_visible()
    await page.get_by_label("A note for colleagues").fill("They decide in May.")
    await page.get_by_role("button", name="Keep the note").click()
    await page.get_by_text("Give it to a colleague").click()
    await page.get_by_label("Next owner").select_option(label="Ben Ortiz")
    await page.get_by_role("button", name="Hand it over").click()
    await expect(page.get_by_role("alert")).to_contain_text("Write why")
    await page.get_by_label("Why").fill("He knows the company.")
    await page.get_by_role("button", name="Hand it over").click()
    await expect(page.get_by_role("heading", name="Ben Ortiz owns it")).to_be_visible()
    await page.get_by_role("link", name="Correct the answers").click()
    await page.get_by_label("Answer").first.select_option(index=2)
    await look(page)
    await page.get_by_role("button", name="Send as revision 2").click()
    await expect(page.get_by_text("Revision 2: 1 answer changed")).to_be_visible()
    await look(page)
    await context.close()
