from typing import Literal, TypeAlias

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext

from shared.access import COOKIE
from shared.contracts.assessment import AssessmentCompleted
from shared.postgres import Database
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import TYPICAL, completed, hear

Scheme: TypeAlias = Literal["light", "dark"]
WINDOWS: tuple[tuple[int, Scheme], ...] = ((390, "dark"), (1440, "light"))


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    """A case with a condition and a contradiction, beside one of every other kind."""
    event = completed(SAAS_SCALE_UP | {"priority_owner": "nobody"})
    await hear(database, event, *map(completed, TYPICAL.values()))
    return event


async def signed_in(context: BrowserContext, address: str, sign_in: SignIn, name: str) -> None:
    token = sign_in("account_manager", name=name).headers["authorization"].removeprefix("Bearer ")
    await context.add_cookies([{"name": COOKIE, "value": token, "url": address}])


async def test_the_queue_and_a_case_are_accessible_and_fit_their_window(
    chromium: Browser, address: str, event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    half_open = dict(list(TYPICAL["both"].items())[::2])
    vetoed = SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"}
    others = [completed(levels) for levels in (half_open, vetoed, TYPICAL["both"])]
    explained = [other.intake_id for other in others]
    await hear(database, *others)
    await sign_in("account_manager").post(f"/reviews/{explained[-1]}/approve", data={"version": 1})
    for width, scheme in WINDOWS:
        context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        await signed_in(context, address, sign_in, "Anna Berg")
        page = await context.new_page()
        for path in ("/reviews/", *map("/reviews/{}".format, (event.intake_id, *explained))):
            await page.goto(address + path)
            await page.evaluate("document.querySelectorAll('details').forEach(closed => closed.open = true)")
            found = await Axe().run(page)
            assert found.response["violations"] == [], (path, width, scheme)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            if width == 1440:
                await page.evaluate("document.documentElement.style.fontSize = '200%'")
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        await context.close()


async def test_a_table_of_the_blueprint_stays_a_table_where_its_rows_are_stacked(
    chromium: Browser, address: str, event: AssessmentCompleted, sign_in: SignIn
) -> None:
    for width, stacked in ((390, True), (1440, False)):
        context = await chromium.new_context(viewport={"width": width, "height": 900})
        await signed_in(context, address, sign_in, "Anna Berg")
        page = await context.new_page()
        await page.goto(f"{address}/reviews/{event.intake_id}")
        await page.get_by_role("heading", name="Who answers for what").click()
        row = page.get_by_role("table", name="Who answers for what").get_by_role("row", name="Keep the roadmap")
        head, cell = row.get_by_role("rowheader"), row.get_by_role("cell").first
        assert await cell.inner_text() == "Product manager"
        above, beside = await head.bounding_box(), await cell.bounding_box()
        assert above is not None
        assert beside is not None
        assert (beside["y"] >= above["y"] + above["height"]) == stacked, width
        await row.get_by_text("Why").click()
        assert await row.get_by_text("Rule: roadmap").is_visible()
        await context.close()


async def test_two_account_managers_meet_over_a_case_without_scripts(
    chromium: Browser, address: str, event: AssessmentCompleted, sign_in: SignIn
) -> None:
    pages = []
    for name in ("Anna Berg", "Boris Vidal"):
        context = await chromium.new_context(java_script_enabled=False)
        await signed_in(context, address, sign_in, name)
        pages.append(await context.new_page())
    anna, boris = pages
    await anna.goto(f"{address}/reviews/")
    await anna.get_by_role("link", name="Nordwind Energie").first.click()
    await anna.get_by_role("button", name="Take up this review").click()
    await anna.get_by_text("You have it in review.").wait_for()
    await boris.goto(anna.url)
    await boris.get_by_text("Decide otherwise").click()
    await boris.get_by_label("Model").select_option("hybrid")
    await boris.get_by_label("Reason").select_option("client_choice")
    await boris.get_by_label("Why, in your words").fill("They want one more project.")
    await anna.get_by_role("button", name="Approve and tell sales").click()
    await anna.get_by_text("Approved: Dedicated team").first.wait_for()
    await boris.get_by_role("button", name="Override and tell sales").click()
    await boris.get_by_text("Anna Berg approved this proposal.").wait_for()
    assert await boris.get_by_text("They want one more project.").is_visible()
    assert await boris.get_by_role("button", name="Override and tell sales").count() == 0
    for page in pages:
        await page.context.close()


async def test_a_list_is_walked_with_single_keys_which_can_be_turned_off(
    chromium: Browser, address: str, event: AssessmentCompleted, sign_in: SignIn
) -> None:
    context = await chromium.new_context()
    await signed_in(context, address, sign_in, "Anna Berg")
    page = await context.new_page()
    await page.goto(f"{address}/reviews/?company=nordwind")
    await page.keyboard.press("/")
    await page.keyboard.press("End")
    await page.keyboard.type("j")
    assert await page.get_by_label("Company", exact=True).input_value() == "nordwindj", "no key walks while one types"
    await page.get_by_role("heading", level=1).click()
    for key in ("j", "j", "k"):
        await page.keyboard.press(key)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/{event.intake_id}?company=nordwind")
    await page.keyboard.press("a")
    assert await page.evaluate("document.activeElement.textContent") == "Approve and tell sales"
    await page.keyboard.press("?")
    shown = page.get_by_role("dialog", name="Keys on this page")
    assert await shown.is_visible()
    assert (await Axe().run(page)).response["violations"] == []
    await shown.get_by_role("button", name="Turn the keys off").click()
    await shown.get_by_role("button", name="Close").click()
    await page.keyboard.press("n")
    assert page.url.endswith(f"{event.intake_id}?company=nordwind")
    await page.keyboard.press("?")
    await shown.get_by_role("button", name="Turn the keys on").click()
    await shown.get_by_role("button", name="Close").click()
    async with page.expect_navigation():
        await page.keyboard.press("n")
    assert str(event.intake_id) not in page.url
    await context.close()


async def test_a_veto_is_overridden_by_two_on_pages_that_anybody_can_read(
    chromium: Browser, address: str, database: Database, sign_in: SignIn
) -> None:
    vetoed = completed(SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"})
    await hear(database, vetoed)
    pages = []
    for name, width in (("Anna Berg", 1440), ("Boris Vidal", 390)):
        context = await chromium.new_context(
            java_script_enabled=name == "Boris Vidal", viewport={"width": width, "height": 900}
        )
        await signed_in(context, address, sign_in, name)
        pages.append(await context.new_page())
    anna, boris = pages
    await anna.goto(f"{address}/reviews/{vetoed.intake_id}")
    await anna.get_by_text("Decide otherwise").click()
    await anna.get_by_label("Model").select_option("dedicated_team")
    await anna.get_by_label("Reason").select_option("known_client")
    await anna.get_by_label("Why, in your words").fill("Their board lifts the rule.")
    await anna.get_by_role("button", name="Override and tell sales").click()
    await anna.get_by_text("Another account manager has to sign before it holds.").wait_for()
    assert await anna.get_by_role("button", name="Sign it and tell sales").count() == 0
    await boris.goto(anna.url)
    assert (await Axe().run(boris)).response["violations"] == []
    assert await boris.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await boris.get_by_role("button", name="Sign it and tell sales").click()
    await boris.get_by_text("Signed by Boris Vidal").first.wait_for()
    await boris.goto(f"{address}/reviews/report")
    assert await boris.get_by_role("heading", name="1 of 1 proposals were overridden").is_visible()
    assert (await Axe().run(boris)).response["violations"] == []
    assert await boris.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await anna.reload()
    await anna.get_by_text("Take the decision back").click()
    await anna.get_by_role("button", name="Take it back").click()
    await anna.get_by_text("You have it in review.").wait_for()
    assert await anna.get_by_text("Taken back", exact=True).is_visible()
    for page in pages:
        await page.context.close()
