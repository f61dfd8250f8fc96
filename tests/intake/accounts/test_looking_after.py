import re

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from services.intake import handlers
from shared.postgres import Database
from shared.service import Settings
from tests.intake.accounts.staff import PASSWORD, Browsers, enter, facts, leads_to, person, text


async def test_an_account_lives_from_invitation_to_leaving(
    app: FastAPI, database: Database, settings: Settings, browser: Browsers
) -> None:
    admin, ann = await browser(), await browser()
    first = await handlers.first_admin_link(database, settings)
    assert first is not None
    assert "You become the first admin" in text(await admin.get(first))
    details = {"name": "Ada Admin", "email": "Ada@Company.com", "password": PASSWORD, "again": PASSWORD}
    assert leads_to(await admin.post(first, data=details)) == "/account/people"
    assert "Ada Admin" in text(await admin.get("/account/people"))

    invitation = {"name": "Ann Smith", "email": "ann@company.com", "roles": ["sales"]}
    invited = leads_to(await admin.post("/account/people/invite", data=invitation))
    shown = await admin.get(invited)
    assert "Invited" in text(shown)
    found = re.search(r'value="http://testserver(/account/set-password/[^"]+)"', shown.text)
    assert found is not None
    link = found[1]

    assert "Ann Smith, choose your password" in text(await ann.get(link))
    assert leads_to(await ann.post(link, data={"password": PASSWORD, "again": PASSWORD})) == "/console/"
    assert "You are signed in as Ann Smith" in text(await ann.get("/account/"))
    assert (await ann.get("/account/people")).status_code == 403

    page = invited.partition("?")[0]
    assert leads_to(await admin.post(f"{page}/roles", data={"roles": ["sales", "admin"]})) == f"{page}?done=roles"
    assert (await ann.get("/account/people")).status_code == 200
    assert "Signed in on one browser" in text(await admin.get(page))

    await admin.post(f"{page}/end-sessions")
    assert leads_to(await ann.get("/account/")) == "/account/sign-in?next=/account/"
    assert leads_to(await enter(ann, "ANN@company.com ")) == "/console/"

    await admin.post(f"{page}/deactivate")
    assert leads_to(await ann.get("/account/")).startswith("/account/sign-in")
    assert "do not go together" in text(await enter(ann, "ann@company.com"))
    await admin.post(f"{page}/reactivate")
    assert leads_to(await ann.get("/account/")).startswith("/account/sign-in")
    assert leads_to(await enter(ann, "ann@company.com")) == "/console/"
    assert [fact.version for fact in await facts(database) if fact.name == "Ann Smith"] == [1, 2, 3, 4, 5, 6]


async def test_the_last_admin_is_told_what_to_do_first(database: Database, browser: Browsers) -> None:
    ada = await person(database, "ada@company.com", "admin")
    client = await browser()
    await enter(client, "ada@company.com")
    for action, data in (("deactivate", {}), ("roles", {"roles": ["sales"]})):
        answer = await client.post(f"/account/people/{ada}/{action}", data=data)
        assert answer.status_code == 409
        assert "Make somebody else an admin first" in text(answer)
    await person(database, "eve@company.com", "admin")
    assert leads_to(await client.post(f"/account/people/{ada}/roles", data={"roles": ["sales"]})) == "/account/"
    assert (await client.get("/account/people")).status_code == 403


async def test_what_was_typed_is_still_there_beside_what_to_do(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    await person(database, "ada@company.com", "admin")
    client = await browser()
    await enter(client, "ada@company.com")
    for data, to_do in (
        ({"name": "Bo <b>", "email": "bo", "roles": ["sales"]}, "such as name@company.com"),
        ({"name": "Bo <b>", "email": "ADA@company.com", "roles": ["sales"]}, "There is an account with this"),
        ({"name": "Bo <b>", "email": "bo@company.com"}, "Choose at least one role"),
    ):
        answer = await client.post("/account/people/invite", data=data)
        assert answer.status_code == 422
        assert to_do in text(answer)
        assert 'value="Bo &lt;b&gt;"' in answer.text
        assert f'value="{data["email"]}"' in answer.text
        assert ("checked" in answer.text) == ("roles" in data)
        assert 'role="alert"' in answer.text


async def test_a_key_is_shown_once_works_and_ends(database: Database, browser: Browsers) -> None:
    await person(database, "ada@company.com", "admin")
    admin, machine = await browser(), await browser()
    await enter(admin, "ada@company.com")
    made = await admin.post("/account/keys/new", data={"name": "Directory sync", "roles": ["admin"]})
    found = re.search(r"<textarea[^>]*>([^<]+)</textarea>", made.text)
    assert found is not None
    bearer = {"authorization": f"Bearer {found[1]}"}
    listed = await admin.get("/account/keys")
    assert "Directory sync" in text(listed)
    assert found[1] not in listed.text

    assert (await machine.get("/account/people", headers=bearer)).status_code == 200
    for method, path in (("GET", "/account/"), ("POST", "/account/password"), ("POST", "/account/sessions/end-others")):
        answer = await machine.request(method, path, headers=bearer, data={"password": PASSWORD, "again": PASSWORD})
        assert answer.status_code == 403, path
    assert (await machine.post("/account/sign-out", headers=bearer)).status_code == 404

    end = re.search(r'href="(/account/keys/[0-9a-f-]+/end)"', listed.text)
    assert end is not None
    assert "End the key Directory sync?" in text(await admin.get(end[1]))
    assert (await machine.get("/account/people", headers=bearer)).status_code == 200
    assert leads_to(await admin.post(end[1])) == "/account/keys?done=ended"
    assert leads_to(await machine.get("/account/people", headers=bearer)).startswith("/account/sign-in")
    assert "Ended" in text(await admin.get("/account/keys"))


async def test_an_unknown_account_or_key_is_a_page_that_is_not_there(database: Database, browser: Browsers) -> None:
    await person(database, "ada@company.com", "admin")
    client = await browser()
    await enter(client, "ada@company.com")
    for method, path in (
        ("GET", f"/account/people/{uuid7()}"),
        ("POST", f"/account/people/{uuid7()}/roles"),
        ("POST", f"/account/people/{uuid7()}/link"),
        ("POST", f"/account/people/{uuid7()}/deactivate"),
        ("POST", f"/account/keys/{uuid7()}/end"),
        ("GET", f"/account/keys/{uuid7()}/end"),
        ("GET", "/account/people/nobody"),
    ):
        answer = await client.request(method, path, data={"roles": ["sales"]})
        assert answer.status_code == 404, path


async def test_whoever_keeps_the_rubric_is_told_with_which_command(database: Database, browser: Browsers) -> None:
    for email, role in (("rob@company.com", "rubric_owner"), ("ada@company.com", "admin")):
        await person(database, email, role)  # type: ignore[arg-type]
        client = await browser()
        await enter(client, email)
        assert ("advisor rubric" in text(await client.get("/account/"))) == (role == "rubric_owner")
