import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from shared.contracts.assessment import AssessmentCompleted
from shared.postgres import Database
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import completed, hear
from tests.recommendation.test_reviews_in_a_browser import signed_in
from tests.recommendation.test_what_if import assessing

__all__ = ["assessing"]


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    return event


async def look_at(page: Page) -> None:
    await page.wait_for_load_state()
    found = await Axe().run(page)
    assert found.response["violations"] == [], page.url
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


@pytest.mark.usefixtures("assessing")
async def test_an_account_manager_edits_a_line_takes_it_back_and_tries_other_answers_on_a_phone(
    chromium: Browser, address: str, event: AssessmentCompleted, sign_in: SignIn
) -> None:
    context = await chromium.new_context(viewport={"width": 390, "height": 900}, color_scheme="dark")
    await signed_in(context, address, sign_in, "Anna Berg")
    page = await context.new_page()
    await page.goto(f"{address}/reviews/{event.intake_id}")
    await page.get_by_role("heading", name="Who answers for what").click()
    row = page.get_by_role("row", name="Keep the roadmap")
    await row.get_by_text("Why").click()
    await row.get_by_role("link", name="Change or drop it").click()
    await look_at(page)
    await page.get_by_label("Accountable").fill("managing director")
    await page.get_by_role("button", name="Change the line").click()
    await page.get_by_role("heading", name="Who answers for what").click()
    row = page.get_by_role("row", name="Keep the roadmap")
    await row.get_by_text("by Anna Berg").wait_for()
    assert await row.get_by_role("cell").first.inner_text() == "Managing director"
    await row.get_by_text("Why").click()
    await row.get_by_role("link", name="Change or drop it").click()
    await page.get_by_role("button", name="Undo the last edit").click()
    await page.get_by_role("heading", name="Who answers for what").click()
    assert await page.get_by_text("by Anna Berg").count() == 0
    await page.get_by_role("link", name="See who did what").click()
    await look_at(page)
    assert await page.get_by_role("row").count() == 3
    await page.goto(f"{address}/reviews/lines")
    await look_at(page)
    await page.goto(f"{address}/reviews/{event.intake_id}")
    await page.get_by_role("link", name="What if the answers were others?").click()
    price = page.get_by_label("Do your rules for buying ask for a price agreed beforehand")
    await price.select_option("mandatory")
    await page.get_by_role("button", name="Show what would change").last.click()
    await page.get_by_role("heading", name="Then the proposal").wait_for()
    assert page.url.endswith("/what-if?price_rule=mandatory")
    await look_at(page)
    await context.close()
