"""A call taken down in a real browser, while the wire to the scores and the line to the system come and go."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect
from uuid_utils.compat import uuid7

from services.assessment.app import service as assessment
from services.intake.app import service as intake
from shared import access
from shared.access import COOKIE, Principal
from shared.questionnaire import load
from shared.service import Settings, build
from tests.browser.conftest import serving

QUESTIONS = load().questions
# the scores may have to be asked for several times where other tests keep the machine busy
PATIENCE_MS = 20_000


@dataclass
class Wire:
    """What lies between intake and assessment: open, so slow that nothing gets through, or cut."""

    port: int
    is_cut: bool = False
    is_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_cut:
            await self.is_open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the asking side has given up waiting
    finally:
        writer.close()


@dataclass
class System:
    address: str
    wire: Wire


@pytest.fixture
async def system(settings: Settings) -> AsyncIterator[System]:
    """Intake, with assessment behind a wire."""
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(serving(build(assessment, settings, worker=False)))
        wire = Wire(urlsplit(behind).port or 0)
        wire.is_open.set()
        server = await stack.enter_async_context(await asyncio.start_server(wire.carry, "127.0.0.1", 0))
        near = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        told = settings.model_copy(update={"assessment_url": near})
        yield System(await stack.enter_async_context(serving(build(intake, told, worker=False))), wire)
        wire.is_open.set()


async def colleague(chromium: Browser, settings: Settings, address: str, name: str) -> BrowserContext:
    """A window of somebody in sales."""
    assert settings.signing_key is not None
    bearer = Principal(uuid7(), uuid7(), name, ("sales",), 1)
    token = access.sign(bearer, settings.signing_key, issued=datetime.now(UTC), expires=None)
    context = await chromium.new_context(viewport={"width": 1440, "height": 900})
    await context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
    return context


async def look(page: Page) -> None:
    """The page is accessible, and fits the narrowest window."""
    await page.wait_for_load_state()
    assert (await Axe().run(page)).response["violations"] == []
    await page.set_viewport_size({"width": 320, "height": 900})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.set_viewport_size({"width": 1440, "height": 900})


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_the_scores_move_while_talking_and_nothing_typed_is_lost_whatever_line_is_cut(
    chromium: Browser, settings: Settings, system: System
) -> None:
    async with await colleague(chromium, settings, system.address, "Anna Berg") as context:
        page = await context.new_page()
        await page.goto(f"{system.address}/console/calls/")
        await page.get_by_role("button", name="Start a call").click()
        scores, saving, trouble = page.locator("#scores"), page.locator("#saving"), page.locator("#scores-state")
        await expect(page.get_by_role("heading", level=1)).to_have_text("A company without a name yet")
        await expect(saving).to_have_text("Everything is kept as you give it.")
        await press(page, "j", "4")
        await expect(scores).to_contain_text(f"1 of {len(QUESTIONS)} answered", timeout=PATIENCE_MS)
        await expect(scores).to_contain_text(outlook := "ways in which the open answers could fall")
        await press(page, "g")
        await expect(page.locator(".asking:focus")).to_have_count(1)
        await look(page)

        system.wire.is_open.clear()
        await press(page, "1")
        await expect(trouble).to_contain_text("The figures below are from before.")
        await expect(saving).to_have_text("Saved.")
        await expect(scores).to_contain_text(outlook)
        await look(page)
        system.wire.is_open.set()
        await expect(scores).to_contain_text(f"2 of {len(QUESTIONS)} answered", timeout=PATIENCE_MS)
        await expect(trouble).to_be_empty()

        system.wire.is_cut = True
        await press(page, "j", "2", "i")
        await expect(trouble).to_contain_text("The scores cannot be worked out at this moment")
        system.wire.is_cut = False
        await expect(scores).to_contain_text(f"3 of {len(QUESTIONS)} answered", timeout=PATIENCE_MS)

        await context.set_offline(True)
        await press(page, "j", "3", "n")
        await page.keyboard.type("Budget is with Jan: ask him. 1")
        await expect(saving).to_contain_text("No connection. What you type is kept in this browser")
        question = str(await page.locator(":focus").get_attribute("name")).removeprefix("note.")
        await page.close()
        await context.set_offline(False)
        page = await context.new_page()
        await page.goto(f"{system.address}/console/calls/")
        await page.get_by_role("link", name="No company yet").click()
        await expect(page.locator("#scores")).to_contain_text(f"4 of {len(QUESTIONS)} answered", timeout=PATIENCE_MS)
        await page.reload()
        await expect(page.locator(f'[name="note.{question}"]')).to_have_value("Budget is with Jan: ask him. 1")
        await expect(page.locator(f'[name="{question}"]:checked')).to_have_count(1)
        await press(page, "?")
        await expect(page.get_by_role("dialog")).to_contain_text("To the question to ask next")


async def test_two_colleagues_on_one_call_see_what_the_other_gave_and_do_not_overwrite_it(
    chromium: Browser, settings: Settings, system: System
) -> None:
    async with (
        await colleague(chromium, settings, system.address, "Anna Berg") as here,
        await colleague(chromium, settings, system.address, "Ida Roth") as there,
    ):
        anna, ida = await here.new_page(), await there.new_page()
        await anna.goto(f"{system.address}/console/calls/")
        await anna.get_by_role("button", name="Start a call").click()
        await anna.wait_for_url("**/console/calls/*-*")
        await ida.goto(anna.url)
        await anna.locator('[name="deadline"][value="firm"]').check()
        await anna.locator('[name="notes"]').fill("Jan decides.")
        await anna.locator('[name="company_name"]').fill("Nordwind")
        await expect(anna.locator("#saving")).to_have_text("Saved.")
        await there.set_offline(True)
        await ida.locator('[name="notes"]').fill("A fair in March.")
        await ida.locator('[name="deadline"][value="wished"]').click()
        await there.set_offline(False)
        await expect(ida.get_by_text("“A firm date, with a little room”, which stands now")).to_be_visible()
        await expect(ida.locator('[name="deadline"]:checked')).to_have_value("firm")
        await expect(ida.locator('[name="notes"]')).to_have_value("Jan decides.\nA fair in March.")
        await expect(ida.locator('[name="company_name"]')).to_have_value("Nordwind")
        await ida.locator('[name="requirements"][value="written"]').check()
        await ida.locator('[name="change_rate"][value="weekly"]').check()
        await expect(ida.locator("#scores")).to_contain_text("These do not go together", timeout=PATIENCE_MS)
        await ida.locator('[name="go"][value="save"]').click()
        await anna.locator('[name="aim"][value="steady_growth"]').check()
        await expect(anna.locator('[name="requirements"]:checked')).to_have_value("written")
        await expect(anna.locator('[name="notes"]')).to_have_value("Jan decides.\nA fair in March.")
        await expect(anna.locator('[name="company_name"]')).to_have_value("Nordwind")
        for path in ("calls/?whose=all", f"invitations/new?call={urlsplit(anna.url).path.rpartition('/')[2]}"):
            await anna.goto(f"{system.address}/console/{path}")
            await look(anna)
        await anna.get_by_label("Company name").fill("Alder Works")
        await anna.get_by_role("button", name="Make the link only").click()
        await expect(anna.get_by_label("The personal link")).to_have_value(re.compile("/q/"))
        await look(anna)
        await anna.goto(f"{system.address}/console/invitations/")
        await expect(anna.get_by_text("Not opened yet")).to_be_visible()
        await look(anna)
