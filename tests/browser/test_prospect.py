"""A prospect's way from the start to the result, in a real browser."""

import re
from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from httpx2 import AsyncClient
from playwright.async_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

from shared.postgres import Database
from shared.questionnaire import load
from tests.assessment.archetypes import SAAS_SCALE_UP, START_UP_MVP
from tests.intake.prospect import NORDWIND, id_of, score, sent

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
NARROWEST: ViewportSize = {"width": 320, "height": 640}
CATALOGUE = load()
ANSWERS = {field: value for field, value in SAAS_SCALE_UP.items() if field not in ("start", "regulation")}
WATCH = "window.refused = []; addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective))"


@pytest.fixture
async def window(chromium: Browser) -> AsyncIterator[BrowserContext]:
    async with await chromium.new_context(viewport=PHONE) as context:
        await context.add_init_script(WATCH)
        yield context


def deadline(level: str) -> str:
    """How the page words an answer to this question."""
    return CATALOGUE.question("deadline").level_text(level)


async def begin(page: Page, address: str) -> str:
    """Starts a questionnaire; the path of its draft."""
    await page.goto(address)
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("First, who is asking")
    return urlsplit(page.url).path.removesuffix("/company")


async def fill_company(page: Page) -> None:
    for name, value in NORDWIND.items():
        field = page.locator(f"#{name}")
        if await field.evaluate("field => field.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)


async def choose(page: Page, question: str, level: str) -> None:
    await page.locator(f'input[name="{question}"][value="{level}"]').click()


async def go_on(page: Page, place: str) -> None:
    await page.get_by_role("button", name="Save and continue").click()
    await page.wait_for_url(f"**/{place}")


async def look(page: Page) -> None:
    """The page fits the narrowest window and, where scripts can tell, is accessible and keeps to its policy."""
    await page.wait_for_load_state()
    size = page.viewport_size
    assert size is not None
    await page.set_viewport_size(NARROWEST)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.set_viewport_size(size)
    if await page.evaluate("'refused' in window"):
        assert (await Axe().run(page)).response["violations"] == []
        assert await page.evaluate("refused") == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("device", ["phone", "desktop"])
async def test_a_prospect_goes_from_the_start_to_the_result(
    chromium: Browser, app: FastAPI, address: str, device: str, scripts: bool
) -> None:
    is_phone = device == "phone"
    async with await chromium.new_context(
        viewport=PHONE if is_phone else DESKTOP,
        has_touch=is_phone,
        color_scheme="dark" if is_phone else "light",
        java_script_enabled=scripts,
    ) as context:
        if scripts:
            await context.add_init_script(WATCH)
        page = await context.new_page()
        await page.goto(address)
        await look(page)
        draft = await begin(page, address)
        await look(page)
        await fill_company(page)
        await go_on(page, "purpose")
        for dimension, place in zip(
            CATALOGUE.dimensions, ("scope", "accountability", "structure", "review"), strict=True
        ):
            for question in CATALOGUE.of_dimension(dimension.key):
                if question.id in ANSWERS:
                    await choose(page, question.id, ANSWERS[question.id])
            await look(page)
            await go_on(page, place)
        await expect(page.get_by_text("Not known yet")).to_have_count(2)
        await look(page)
        await page.get_by_role("button", name="Send my answers").click()
        await expect(page.get_by_role("alert")).to_be_focused()
        await look(page)
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Send my answers").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your answers have arrived")
        await look(page)
        database: Database = app.state.database
        await score(database, id_of(draft))
        if not scripts:
            await page.get_by_role("link", name="Look again").click()
        sentence = "Your answers point to steady work that keeps its knowledge"
        await expect(page.get_by_role("heading", level=1)).to_have_text(sentence)
        await expect(page).to_have_title(re.compile(sentence))
        if scripts:
            await expect(page.locator("#announced")).to_have_text(sentence)
        await expect(page.get_by_text("2 answers are not known yet")).to_be_visible()
        await look(page)
        await page.get_by_role("link", name="See the answers you sent").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("These are the answers you sent")
        await look(page)


RESULTS = {
    "nothing known": {},
    "half open": dict(list(START_UP_MVP.items())[::2]),
    "undecided": START_UP_MVP,
    "contradictory": SAAS_SCALE_UP | {"requirements": "written"},
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("answers", RESULTS.values(), ids=RESULTS.keys())
async def test_a_result_is_accessible_and_fits_whatever_is_open_and_however_large_the_text(
    chromium: Browser, app: FastAPI, address: str, answers: dict[str, str], scheme: Literal["light", "dark"]
) -> None:
    async with await chromium.new_context(viewport=PHONE, color_scheme=scheme) as context:
        await context.add_init_script(WATCH)
        page = await context.new_page()
        async with AsyncClient(base_url=address) as client:
            draft = await sent(client, answers)
        database: Database = app.state.database
        await score(database, id_of(draft))
        await page.goto(f"{address}{draft}/status")
        for closed in await page.locator("details").all():
            await closed.locator("summary").click()
        await look(page)
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_step_can_be_answered_with_the_keyboard_alone(window: BrowserContext, address: str) -> None:
    page = await window.new_page()
    draft = await begin(page, address)
    await page.goto(f"{address}{draft}/purpose")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in CATALOGUE.of_dimension("Purpose"):
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Save and continue")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/scope")
    await page.goto(f"{address}{draft}/purpose")
    for question in CATALOGUE.of_dimension("Purpose"):
        await expect(page.locator(f'input[name="{question.id}"]:checked')).to_have_value(question.levels[1].key)


async def test_what_is_missing_is_listed_with_the_focus_and_leads_to_its_field(
    window: BrowserContext, address: str
) -> None:
    page = await window.new_page()
    await begin(page, address)
    await page.locator("#contact_email").fill("mara@")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.locator("#contact_email")).to_have_value("mara@")
    await look(page)
    await page.get_by_role("link", name="Write your company's name.").click()
    await expect(page.locator("#company_name")).to_be_focused()


async def test_reloading_and_going_back_lose_nothing_that_was_given(window: BrowserContext, address: str) -> None:
    page = await window.new_page()
    draft = await begin(page, address)
    await page.wait_for_load_state()
    async with page.expect_response(lambda saved: "Nordwind" in (saved.request.post_data or "")):
        await page.locator("#company_name").press_sequentially("Nordwind")
    await page.reload()
    await expect(page.locator("#company_name")).to_have_value("Nordwind")
    await page.goto(f"{address}{draft}/purpose")
    await choose(page, "aim", "steady_growth")
    await expect(page.get_by_role("status")).to_have_text("Saved.")
    await page.reload()
    await expect(page.locator('input[name="aim"]:checked')).to_have_value("steady_growth")
    await choose(page, "aim", "first_version_then_decide")
    await go_on(page, "scope")
    await page.go_back()
    await expect(page.locator('input[name="aim"]:checked')).to_have_value("first_version_then_decide")
    elsewhere = await window.new_page()
    await elsewhere.goto(f"{address}{draft}/purpose")
    await expect(elsewhere.locator('input[name="aim"]:checked')).to_have_value("first_version_then_decide")


async def test_an_answer_saved_in_another_window_is_shown_instead_of_being_overwritten(
    window: BrowserContext, address: str
) -> None:
    first, second = await window.new_page(), await window.new_page()
    draft = await begin(first, address)
    for page in (first, second):
        await page.goto(f"{address}{draft}/purpose")
    await choose(first, "deadline", "firm")
    await expect(first.get_by_role("status")).to_have_text("Saved.")
    await choose(second, "deadline", "wished")
    await expect(second.get_by_role("alert")).to_contain_text(f"“{deadline('firm')}” was saved in another window")
    await expect(second.get_by_role("alert")).to_contain_text(f"You chose “{deadline('wished')}”")
    await expect(second.locator('input[name="deadline"]:checked')).to_have_value("firm")
    await look(second)
    await choose(second, "deadline", "wished")
    await go_on(second, "scope")
    await first.reload()
    await expect(first.locator('input[name="deadline"]:checked')).to_have_value("wished")


async def test_without_the_script_two_windows_are_asked_which_answer_stands(
    window: BrowserContext, address: str
) -> None:
    async def withhold(route: Route) -> None:
        await route.abort()

    await window.route("**/drafts.js*", withhold)
    first, second = await window.new_page(), await window.new_page()
    draft = await begin(first, address)
    for page in (first, second):
        await page.goto(f"{address}{draft}/purpose")
    await choose(first, "deadline", "firm")
    await go_on(first, "scope")
    await choose(second, "deadline", "wished")
    await second.get_by_role("button", name="Save and continue").click()
    await expect(second.get_by_role("alert")).to_contain_text("Two windows hold different answers")
    await look(second)
    await second.get_by_label(f"In another window: {deadline('firm')}").check()
    await go_on(second, "scope")
    await first.goto(f"{address}{draft}/purpose")
    await expect(first.locator('input[name="deadline"]:checked')).to_have_value("firm")


async def test_answers_given_without_a_connection_are_saved_when_it_is_back(
    window: BrowserContext, address: str
) -> None:
    page = await window.new_page()
    draft = await begin(page, address)
    await page.goto(f"{address}{draft}/purpose")
    await window.set_offline(True)
    await choose(page, "deadline", "firm")
    await expect(page.get_by_role("status")).to_contain_text("Not saved yet")
    await window.set_offline(False)
    await expect(page.get_by_role("status")).to_have_text("Saved.")
    await page.reload()
    await expect(page.locator('input[name="deadline"]:checked')).to_have_value("firm")


async def test_what_another_device_has_saved_is_not_overwritten_by_answers_given_without_a_connection(
    window: BrowserContext, chromium: Browser, address: str
) -> None:
    page = await window.new_page()
    draft = await begin(page, address)
    await page.goto(f"{address}{draft}/purpose")
    await window.set_offline(True)
    for level in ("wished", "none", "wished"):
        await choose(page, "deadline", level)
        await expect(page.get_by_role("status")).to_contain_text("Not saved yet")
    async with await chromium.new_context(viewport=PHONE) as elsewhere:
        device = await elsewhere.new_page()
        await device.goto(f"{address}{draft}/purpose")
        await choose(device, "deadline", "firm")
        await expect(device.get_by_role("status")).to_have_text("Saved.")
    await window.set_offline(False)
    await expect(page.get_by_role("alert")).to_contain_text(f"“{deadline('firm')}” was saved in another window")
    await expect(page.locator('input[name="deadline"]:checked')).to_have_value("firm")
