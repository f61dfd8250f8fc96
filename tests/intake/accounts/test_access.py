import re
from datetime import UTC, datetime

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx2 import AsyncClient
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from services.intake import handlers
from services.intake.web.account import keys, oidc, own, people, sign_in
from shared import access
from shared.access import Principal
from shared.contracts.intake import Role
from shared.postgres import Database
from shared.service import Settings
from tests.intake.accounts.staff import PASSWORD, SAME_SITE, Browsers, enter, facts, leads_to, person, serving, token_of

ANYBODY = "anybody"
SIGNED_IN = "signed in"
ADMIN = "admin"
ALLOWED = {
    ("GET", "/account/sign-in"): ANYBODY,
    ("POST", "/account/sign-in"): ANYBODY,
    ("GET", "/account/first/{token}"): ANYBODY,
    ("POST", "/account/first/{token}"): ANYBODY,
    ("GET", "/account/set-password/{token}"): ANYBODY,
    ("POST", "/account/set-password/{token}"): ANYBODY,
    ("GET", "/account/oidc"): ANYBODY,
    ("GET", "/account/oidc/callback"): ANYBODY,
    ("POST", "/account/oidc/connect"): SIGNED_IN,
    ("POST", "/account/sign-out"): SIGNED_IN,
    ("GET", "/account/"): SIGNED_IN,
    ("POST", "/account/password"): SIGNED_IN,
    ("POST", "/account/sessions/end-others"): SIGNED_IN,
    ("POST", "/account/sessions/{session_id:uuid}/end"): SIGNED_IN,
    ("GET", "/account/people"): ADMIN,
    ("GET", "/account/people/invite"): ADMIN,
    ("POST", "/account/people/invite"): ADMIN,
    ("GET", "/account/people/{account_id:uuid}"): ADMIN,
    ("POST", "/account/people/{account_id:uuid}/roles"): ADMIN,
    ("POST", "/account/people/{account_id:uuid}/deactivate"): ADMIN,
    ("POST", "/account/people/{account_id:uuid}/reactivate"): ADMIN,
    ("POST", "/account/people/{account_id:uuid}/end-sessions"): ADMIN,
    ("POST", "/account/people/{account_id:uuid}/link"): ADMIN,
    ("GET", "/account/keys"): ADMIN,
    ("GET", "/account/keys/new"): ADMIN,
    ("POST", "/account/keys/new"): ADMIN,
    ("GET", "/account/keys/{key_id:uuid}/end"): ADMIN,
    ("POST", "/account/keys/{key_id:uuid}/end"): ADMIN,
}


def test_every_route_says_who_may_use_it() -> None:
    routes = [route for part in (sign_in, oidc, own, people, keys) for route in part.router.routes]
    found = {(method, route.path) for route in routes if isinstance(route, APIRoute) for method in route.methods or ()}
    assert found == ALLOWED.keys()


@pytest.mark.parametrize("role", [None, "sales", "account_manager", "rubric_owner", "admin"])
async def test_routes_open_only_for_their_roles(
    database: Database, settings: Settings, browser: Browsers, role: Role | None
) -> None:
    assert settings.signing_key is not None
    client = await browser()
    if role is not None:
        somebody = await person(database, "ann@company.com", role)
        token = access.sign(
            Principal(somebody, uuid7(), "Ann", (role,), 1),
            settings.signing_key,
            issued=datetime.now(UTC),
            expires=None,
        )
        client.headers["authorization"] = f"Bearer {token}"
    for (method, path), allowed in ALLOWED.items():
        address = re.sub(r"\{\w+:uuid\}", str(uuid7()), path).replace("{token}", "abc")
        answer = await client.request(method, address)
        must_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/account/sign-in?")
        must_sign_in |= method == "POST" and answer.headers.get("location") == "/account/sign-in"
        if path == "/account/sign-out" and role is not None:
            assert answer.status_code == 303
        elif role is None:
            assert must_sign_in == (allowed != ANYBODY), (method, path)
        else:
            assert not must_sign_in, (method, path)
            assert (answer.status_code == 403) == (allowed == ADMIN and role != "admin"), (method, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
)
async def test_a_form_on_another_site_changes_nothing(
    app: FastAPI, database: Database, browser: Browsers, headers: dict[str, str]
) -> None:
    ada = await person(database, "ada@company.com", "admin")
    await person(database, "eve@company.com", "admin")
    client = await browser()
    await enter(client, "ada@company.com")
    said = len(await facts(database))
    del client.headers["sec-fetch-site"]
    for path, data in (
        ("/account/sign-in", {"email": "eve@company.com", "password": PASSWORD}),
        (f"/account/people/{ada}/deactivate", {}),
        ("/account/people/invite", {"name": "Bo", "email": "bo@company.com", "roles": ["admin"]}),
        ("/account/keys/new", {"name": "CRM", "roles": ["admin"]}),
        ("/account/sign-out", {}),
    ):
        answer = await client.post(path, data=data, headers=headers)
        assert answer.status_code == 403, path
        assert "set-cookie" not in answer.headers
    assert len(await facts(database)) == said
    assert (await client.get("/account/")).status_code == 200


async def test_the_cookie_is_out_of_reach_of_scripts_and_insists_on_https_where_there_is_https(
    settings: Settings, database: Database, browser: Browsers
) -> None:
    await person(database, "ann@company.com", "sales")
    plain = (await enter(await browser(), "ann@company.com")).headers["set-cookie"]
    assert plain.startswith("advisor=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(plain.split("; "))
    assert "Secure" not in plain

    secure = settings.model_copy(update={"public_url": "https://advisor.example"})
    async with (
        serving(secure) as app,
        AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="https://advisor.example", headers=SAME_SITE
        ) as client,
    ):
        cookie = (await enter(client, "ann@company.com")).headers["set-cookie"]
        assert cookie.startswith("__Host-advisor=")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert (await client.get("/account/")).status_code == 200
        ended = (await client.post("/account/sign-out")).headers["set-cookie"]
        assert ended.startswith('__Host-advisor=""')
        assert "Secure" in ended
        assert leads_to(await client.get("/account/")).startswith("/account/sign-in")


async def test_neither_address_nor_password_nor_token_leaves_by_a_fact_or_a_log(
    app: FastAPI, database: Database, settings: Settings, browser: Browsers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "httpx2")
    admin, ann = await browser(), await browser()
    canaries = ["canary.admin@company.com", "canary.ann@company.com", "canary-password", "canary-typo"]
    with capture_logs() as lines:
        first = await handlers.first_admin_link(database, settings)
        assert first is not None
        mine = {"name": "Ada", "email": canaries[0], "password": canaries[2], "again": canaries[2]}
        await admin.post(first, data=mine)
        page = leads_to(
            await admin.post("/account/people/invite", data={"name": "Ann", "email": canaries[1], "roles": ["sales"]})
        )
        found = re.search(r'value="(http://testserver/account/set-password/[^"]+)"', (await admin.get(page)).text)
        assert found is not None
        await ann.post(found[1], data={"password": canaries[2], "again": canaries[2]})
        canaries += [first.rsplit("/", 1)[-1], found[1].rsplit("/", 1)[-1], token_of(admin), token_of(ann)]
        made = await admin.post("/account/keys/new", data={"name": "CRM", "roles": ["sales"]})
        key = re.search(r"<textarea[^>]*>([^<]+)</textarea>", made.text)
        assert key is not None
        canaries.append(key[1])
        for _ in range(21):
            await enter(ann, canaries[1], canaries[3])
    assert {line["event"] for line in lines} >= {"first_admin", "password.set", "sign_in.refused", "sign_in.throttled"}
    async with database.connection() as connection:
        payloads = [row["payload"] for row in await connection.fetch("select payload from fact")]
        kept = [str(dict(row)) for row in await connection.fetch("select * from staff")]
        secrets = [
            str(dict(row))
            for table in ("account", "session", "account_link")
            for row in await connection.fetch(f"select * from {table}")
        ]
    assert len(payloads) == 4
    for canary in canaries:
        assert canary not in " ".join([repr(lines), caplog.text, *payloads, *kept])
        assert "@" in canary or canary not in " ".join(secrets)


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(browser: Browsers) -> None:
    client = await browser()
    answer = await client.post("/account/sign-in", data={"email": "a" * 10_000_000})
    assert answer.status_code == 413


async def test_control_characters_get_an_answer_and_no_fault(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    client = await browser()
    for email, password in (("ann\x00@company.com", PASSWORD), ("ann@company.com", "pass\x00word")):
        assert (await enter(client, email, password)).status_code == 422
