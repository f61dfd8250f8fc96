import re
from datetime import UTC, datetime

from services.intake import handlers
from services.intake.store import accounts
from shared.postgres import Database
from shared.service import Settings
from tests.intake.accounts.staff import PASSWORD, Browsers, enter, leads_to, person, text


async def test_the_first_admin_link_is_used_once(database: Database, settings: Settings, browser: Browsers) -> None:
    link = await handlers.first_admin_link(database, settings)
    assert link is not None
    details = {"name": "Ada", "email": "ada@company.com", "password": PASSWORD, "again": PASSWORD}
    await (await browser()).post(link, data=details)
    late = await browser()
    again = {**details, "email": "eve@company.com"}
    for answer in (await late.get(link), await late.post(link, data=again)):
        assert answer.status_code == 410
        assert "This link does not work any more" in text(answer)
    assert await handlers.first_admin_link(database, settings) is None


async def test_the_first_admin_link_ends_when_an_admin_comes_by_another_way(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    link = await handlers.first_admin_link(database, settings)
    assert link is not None
    await person(database, "ada@company.com", "admin")
    client = await browser()
    assert (await client.get(link)).status_code == 410


async def test_the_first_admin_form_keeps_what_was_typed_but_the_password(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    link = await handlers.first_admin_link(database, settings)
    assert link is not None
    client = await browser()
    typed = {"name": "Ada", "email": "ada@company.com", "password": "a good password", "again": "a good passwort"}
    answer = await client.post(link, data=typed)
    assert answer.status_code == 422
    assert "The two passwords differ" in text(answer)
    assert 'value="Ada"' in answer.text
    assert "a good passwor" not in answer.text
    assert (await client.get(link)).status_code == 200


async def test_a_link_that_ran_out_or_was_never_made_gets_the_same_words(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    address = await handlers.add_account(database, settings, email="ann@company.com", name="Ann", roles=["sales"])
    client = await browser()
    assert (await client.get(address)).status_code == 200
    async with database.connection() as connection:
        await connection.execute("update account_link set expires_at = now()")
    ended, unknown = await client.get(address), await client.get("/account/set-password/abc")
    assert (ended.status_code, unknown.status_code) == (410, 404)
    assert text(ended).replace("410", "") == text(unknown).replace("404", "")
    assert 'href="/account/sign-in"' in ended.text


async def test_a_new_link_replaces_the_one_before_and_deactivating_ends_it(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    await person(database, "ada@company.com", "admin")
    old = await handlers.add_account(database, settings, email="ann@company.com", name="Ann", roles=["sales"])
    async with database.connection() as connection:
        invited = next(
            one for one in await accounts.listed(connection, "person") if one.name == "Ann" and not one.has_password
        )
    admin, ann = await browser(), await browser()
    await enter(admin, "ada@company.com")
    page = f"/account/people/{invited.id}"
    await admin.post(f"{page}/link")
    assert (await ann.get(old)).status_code == 410
    shown = await admin.get(page)
    new = re.search(r'value="(http://testserver/account/set-password/[^"]+)"', shown.text)
    assert new is not None
    assert (await ann.get(new[1])).status_code == 200
    await admin.post(f"{page}/deactivate")
    assert (await ann.post(new[1], data={"password": PASSWORD, "again": PASSWORD})).status_code == 410
    await admin.post(f"{page}/link")
    assert "set-password" not in (await admin.get(page)).text


async def test_setting_a_password_by_link_ends_what_was_signed_in_before(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    ann_id = await person(database, "ann@company.com", "sales")
    before, after = await browser(), await browser()
    await enter(before, "ann@company.com")
    async with database.transaction() as connection:
        link = await accounts.ensure_link(connection, "set-password", ann_id, datetime.now(UTC))
    path = handlers.link_path(settings, "set-password", link)
    new = "another good password"
    assert leads_to(await after.post(path, data={"password": new, "again": new})) == "/console/"
    assert leads_to(await before.get("/account/")).startswith("/account/sign-in")
    assert (await after.get("/account/")).status_code == 200
    assert (await after.post(path, data={"password": new, "again": new})).status_code == 410
    assert (await enter(before, "ann@company.com")).status_code == 422
