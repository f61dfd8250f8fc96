import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from shared.postgres import Database
from tests.assessment.archetypes import HARD_DATE_THEN_ROADMAP
from tests.recommendation.conftest import SignIn
from tests.recommendation.test_release import approved, facts, released
from tests.recommendation.test_reviews_in_a_browser import Scheme, signed_in

WINDOWS: tuple[tuple[int, Scheme], ...] = ((390, "light"), (768, "dark"), (1440, "light"))


async def is_fit(page: Page, where: str) -> None:
    """Everything on it can be used by anybody, and nothing sticks out."""
    await page.wait_for_load_state()
    await page.evaluate("document.querySelectorAll('details').forEach(closed => closed.open = true)")
    found = await Axe().run(page)
    assert found.response["violations"] == [], where
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
async def test_a_document_is_accessible_and_fits_its_window(
    chromium: Browser, address: str, database: Database, sign_in: SignIn, *, width: int, scheme: Scheme
) -> None:
    anna = sign_in("account_manager", name="Anna Berg")
    path = (await released(anna, await approved(database, anna, HARD_DATE_THEN_ROADMAP)))["link"]
    context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(address + path.removeprefix("http://testserver"))
    await page.get_by_label("We decline it").check()
    await is_fit(page, "open")
    await page.get_by_role("button", name="Send my answer").click()
    await is_fit(page, "asked for more")
    await context.close()


@pytest.mark.parametrize("width", [390, 1440])
async def test_a_document_on_its_case_is_accessible_and_fits_its_window(
    chromium: Browser, address: str, database: Database, sign_in: SignIn, *, width: int
) -> None:
    anna = sign_in("account_manager", name="Anna Berg")
    intake_id = await approved(database, anna)
    context = await chromium.new_context(viewport={"width": width, "height": 900})
    await signed_in(context, address, sign_in, "Anna Berg")
    page = await context.new_page()
    await page.goto(f"{address}/reviews/{intake_id}/draft")
    await is_fit(page, "draft")
    path = (await released(anna, intake_id))["link"].removeprefix("http://testserver")
    await anna.post(f"{path}/answer", data={"answer": "asked", "name": "Ines Albrecht", "note": "From which day?"})
    await page.goto(f"{address}/reviews/{intake_id}")
    await is_fit(page, "case")
    await context.close()


async def test_a_client_reads_declines_and_finds_it_said(
    chromium: Browser, address: str, database: Database, sign_in: SignIn
) -> None:
    anna = sign_in("account_manager", name="Anna Berg")
    intake_id = await approved(database, anna)
    path = (await released(anna, intake_id))["link"].removeprefix("http://testserver")
    context = await chromium.new_context()
    page = await context.new_page()
    async with page.expect_response("**/opened") as noted:
        await page.goto(address + path)
    assert (await noted.value).status == 204
    await page.get_by_label("We decline it").check()
    await page.get_by_label("Your question, or a word about your answer").fill("Ask again in spring.")
    await page.get_by_role("button", name="Send my answer").click()
    await page.get_by_role("link", name="Give your name").wait_for()
    assert await page.get_by_label("Your question, or a word about your answer").input_value() == "Ask again in spring."
    await page.get_by_label("Your name").fill("Ines Albrecht")
    await page.get_by_label("The time does not suit").check()
    await page.get_by_role("button", name="Send my answer").click()
    await page.get_by_role("heading", name="You have declined this recommendation").wait_for()
    assert "answered" in await facts(database, intake_id)
    await context.close()


async def test_a_client_answers_without_scripts(
    chromium: Browser, address: str, database: Database, sign_in: SignIn
) -> None:
    anna = sign_in("account_manager", name="Anna Berg")
    intake_id = await approved(database, anna)
    path = (await released(anna, intake_id))["link"].removeprefix("http://testserver")
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(address + path)
    async with page.expect_download() as taken:
        await page.get_by_role("button", name="Download it as a PDF").click()
    assert (await taken.value).suggested_filename == "recommendation-1.pdf"
    await page.get_by_label("Your name").fill("Ines Albrecht")
    await page.get_by_label("We accept it").check()
    await page.get_by_role("button", name="Send my answer").click()
    await page.get_by_role("heading", name="You have accepted this recommendation").wait_for()
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released", "opened", "answered"]
    await context.close()


async def test_a_client_books_a_call_in_the_time_of_the_device(
    chromium: Browser, address: str, database: Database, sign_in: SignIn
) -> None:
    anna = sign_in("account_manager", name="Anna Berg")
    intake_id = await approved(database, anna)
    path = (await released(anna, intake_id))["link"].removeprefix("http://testserver")
    hours = {"zone": "Europe/Vienna", "monday": "09:00-12:00", "thursday": "09:00-12:00"}
    assert (await anna.post("/reviews/calls/hours", data=hours)).status_code == 303
    at_work = await chromium.new_context(viewport={"width": 1440, "height": 900})
    await signed_in(at_work, address, sign_in, "Anna Berg")
    desk = await at_work.new_page()
    await desk.goto(f"{address}/reviews/calls/hours")
    await desk.get_by_role("button", name="Offer these hours").click()
    await desk.get_by_role("link", name="Choose a time zone from the list.").wait_for()
    await is_fit(desk, "hours to better")
    await desk.get_by_label("Your time zone").select_option("Europe/Vienna")
    await desk.get_by_role("button", name="Offer these hours").click()
    await desk.wait_for_url("**/reviews/calls/")

    context = await chromium.new_context(viewport={"width": 390, "height": 900}, timezone_id="America/St_Johns")
    page = await context.new_page()
    await page.goto(address + path)
    await page.get_by_role("link", name="Choose a time for a call").click()
    await page.wait_for_url("**zone=America%2FSt_Johns")
    await page.get_by_text("Newfoundland Time (America/St Johns)").wait_for()
    await is_fit(page, "times")
    await page.get_by_role("radio").first.check()
    await page.get_by_label("Your name").fill("Ines Albrecht")
    await page.get_by_role("button", name="Book this call").click()
    await page.get_by_role("heading", name="Your call with Anna Berg is booked").wait_for()
    async with page.expect_download() as taken:
        await page.get_by_role("link", name="Put it in your calendar").click()
    assert (await taken.value).suggested_filename == "call.ics"

    await desk.goto(f"{address}/reviews/calls/?everybody=true")
    await desk.get_by_text("Ines Albrecht").wait_for()
    await is_fit(desk, "bookings")
    await desk.goto(f"{address}/reviews/{intake_id}/client")
    await desk.get_by_role("radio", name="It was lost").check()
    await is_fit(desk, "since the release")
    await desk.get_by_label("Why it was lost").select_option("price")
    await desk.get_by_role("button", name="Note it").click()
    await desk.get_by_text("It was lost: the price or how it is paid").wait_for()
    for open_context in (at_work, context):
        await open_context.close()
