from typing import Literal, TypeAlias

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext

from services.recommendation.events import HANDLERS
from shared.access import COOKIE
from shared.contracts.assessment import AssessmentCompleted
from shared.postgres import Database
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import TYPICAL, completed

Scheme: TypeAlias = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
OPPOSITES = [(390, "dark"), (1440, "light")]
WINDOWS = [(width, scheme) for width in (390, 1440) for scheme in SCHEMES]


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    """A case with a condition and a contradiction, beside one of every other kind."""
    event = completed(SAAS_SCALE_UP | {"priority_owner": "nobody"})
    async with database.transaction() as connection:
        for one in (event, *map(completed, TYPICAL.values())):
            await HANDLERS[AssessmentCompleted](connection, one)
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
    async with database.transaction() as connection:
        for other in others:
            await HANDLERS[AssessmentCompleted](connection, other)
    for width, scheme in WINDOWS:
        context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        await signed_in(context, address, sign_in, "Anna Berg")
        page = await context.new_page()
        cases = [event.intake_id, *(explained if (width, scheme) in OPPOSITES else ())]
        for path in ("/reviews/", *map("/reviews/{}".format, cases)):
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
        await page.get_by_text("Who answers for what").click()
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
