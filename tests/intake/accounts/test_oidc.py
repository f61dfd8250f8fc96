import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from playwright.async_api import Browser
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.intake import handlers
from services.intake.domain.accounts import FieldsRefused
from services.intake.domain.identity import claimed, identity
from services.intake.web.account.provider import Provider
from shared.contracts.intake import Role
from shared.postgres import Database
from shared.service import Settings
from tests.intake.accounts.providers import (
    BACK,
    CLIENT_SECRET,
    ISSUER,
    Canaille,
    Liar,
    asked,
    canaille,
    walk,
    with_provider,
)
from tests.intake.accounts.staff import PASSWORD, enter, facts, leads_to, person, serving, text
from tests.intake.accounts.test_browser import fill, is_well_made, press

SIGN_IN = "/account/sign-in"


@pytest.fixture(scope="session")
def real() -> Iterator[Canaille]:
    with canaille() as provider:
        yield provider


@pytest.fixture
def liar() -> Liar:
    return Liar()


@pytest.fixture
async def opened(settings: Settings, quick_passwords: None) -> AsyncIterator[Callable[..., Any]]:
    """Serves the account pages for people of a provider: `app = await opened(issuer, liar)`."""
    async with AsyncExitStack() as stack:

        async def serve(issuer: str, liar: Liar | None = None, **more: object) -> FastAPI:
            changed = with_provider(settings, issuer, **more)
            app = await stack.enter_async_context(serving(changed))
            if liar is not None:
                app.state.provider = Provider(changed, liar.transport)
            return app

        yield serve


async def browser_of(app: FastAPI) -> AsyncClient:
    return AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://testserver",
        headers={"sec-fetch-site": "same-origin"},
    )


async def signed_in_by(client: AsyncClient, user_name: str, going: str = "") -> Response:
    begun = await client.get("/account/oidc", params={"next": going})
    return await client.get(await walk(leads_to(begun), user_name))


async def test_a_person_signs_in_at_a_real_provider_with_the_roles_of_their_groups_and_out_again(
    real: Canaille, opened: Callable[..., Any]
) -> None:
    real.groups("ann", "advisor-sales", "choir")
    app: FastAPI = await opened(real.issuer)
    async with await browser_of(app) as client:
        form = await client.get(SIGN_IN, params={"next": "/account/?done=x"})
        assert "Sign in with Company SSO" in text(form)
        assert 'type="password"' not in form.text
        begun = await client.get("/account/oidc", params={"next": "/account/?done=x"})
        assert asked(begun)["code_challenge_method"] == "S256"
        back = await walk(leads_to(begun), "ann")
        flow = client.cookies["advisor-sign-in"]
        assert leads_to(await client.get(back)) == "/account/?done=x"
        assert "advisor-sign-in" not in client.cookies
        own = text(await client.get("/account/"))
        assert "You are signed in as Ann Lind ann@company.com Sales takes in requests" in own
        assert "You sign in with Company SSO" in own
        (fact,) = await facts(app.state.database)
        assert (fact.name, fact.roles, fact.active) == ("Ann Lind", ("sales",), True)

        async with await browser_of(app) as thief:
            thief.cookies.set("advisor-sign-in", flow)
            replayed = await thief.get(back)
        assert replayed.status_code == 401
        assert "advisor" not in replayed.cookies

        left = leads_to(await client.post("/account/sign-out"))
        page = await client.get(left)
        assert "Sign out of Company SSO too" in text(page)
        assert leads_to(await client.get("/account/")).startswith(SIGN_IN)
    async with AsyncClient() as there:
        away = next(part for part in page.text.split('"') if part.startswith(f"{real.issuer}/"))
        assert (await there.get(away.replace("&amp;", "&"), follow_redirects=True)).status_code == 200


async def test_roles_are_read_anew_at_each_sign_in_and_gone_where_no_group_gives_one(
    real: Canaille, opened: Callable[..., Any]
) -> None:
    app: FastAPI = await opened(real.issuer)
    real.groups("bob", "choir")
    async with await browser_of(app) as first, await browser_of(app) as second:
        stranger = await signed_in_by(first, "bob")
        assert stranger.status_code == 403
        assert "You have no role here yet" in text(stranger)
        assert "Company SSO knows you as Bob Moor." in text(stranger)
        assert await facts(app.state.database) == []
        for groups, roles, home in (
            (["advisor-sales"], ("sales",), "/console/"),
            (["advisor-sales", "advisor-managers"], ("sales", "account_manager"), "/reviews/"),
        ):
            real.groups("bob", *groups)
            assert leads_to(await signed_in_by(first, "bob")) == home
            assert (await facts(app.state.database))[-1].roles == roles
        assert leads_to(await signed_in_by(second, "bob")) == "/reviews/"
        assert [fact.version for fact in await facts(app.state.database)] == [1, 2]
        real.groups("bob")
        assert (await signed_in_by(second, "bob")).status_code == 403
        assert leads_to(await first.get("/account/")).startswith(SIGN_IN)
        last = (await facts(app.state.database))[-1]
        assert (last.roles, len(last.sessions_ended)) == ((), 3)


def unsigned(claims: dict[str, Any], header: dict[str, Any], signature: str = "") -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, signature])


STRANGER = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
FALSE_CLAIMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another nonce": lambda claims: claims.update(nonce="another"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "another audience": lambda claims: claims.update(aud="another"),
    "another party": lambda claims: claims.update(azp="another"),
    "several audiences and no party": lambda claims: claims.update(aud=["advisor", "another"]),
    "another issuer": lambda claims: claims.update(iss="https://elsewhere.example"),
    "no subject": lambda claims: claims.pop("sub"),
    "run out": lambda claims: claims.update(exp=claims["iat"] - 120),
    "not yet": lambda claims: claims.update(iat=claims["iat"] + 600),
    "for another access token": lambda claims: claims.update(at_hash="LDktKdoQak3Pk0cnXxCltA"),
}
FALSE_TOKENS: dict[str, Callable[[dict[str, Any], RSAKey], str]] = {
    "unsigned": lambda claims, key: unsigned(claims, {"alg": "none"}),
    "signed with the client's secret": lambda claims, key: jwt.encode(
        {"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET)
    ),
    "signed with the public key as a secret": lambda claims, key: jwt.encode(
        {"alg": "HS256", "kid": key.kid}, claims, OctKey.import_key(key.as_pem(private=False)[27:-26])
    ),
    "signed by a key that it brings along": lambda claims, key: jwt.encode(
        {"alg": "RS256", "jwk": STRANGER.as_dict(private=False)}, claims, STRANGER
    ),
    "signed by a stranger under a known name": lambda claims, key: jwt.encode(
        {"alg": "RS256", "kid": key.kid}, claims, STRANGER
    ),
    "signed by a stranger": lambda claims, key: jwt.encode({"alg": "RS256", "kid": STRANGER.kid}, claims, STRANGER),
    "with an extension that must be understood": lambda claims, key: unsigned(
        claims, {"alg": "RS256", "kid": str(key.kid), "crit": ["b64"], "b64": False}, "AA"
    ),
    "no token at all": lambda claims, key: "nothing",
}


async def test_an_answer_that_does_not_prove_who_somebody_is_opens_nothing(
    opened: Callable[..., Any], liar: Liar
) -> None:
    app: FastAPI = await opened(ISSUER, liar)
    async with await browser_of(app) as client:
        for lie in [*FALSE_CLAIMS, *FALSE_TOKENS, "another code"]:
            begun = await client.get("/account/oidc")
            liar.truth(begun)
            liar.sign = FALSE_TOKENS.get(lie)
            if lie in FALSE_CLAIMS:
                FALSE_CLAIMS[lie](liar.claims)
            elif lie == "another code":
                liar.challenge = "of another browser"
            answer = await client.get(BACK, params={"code": "c", "state": asked(begun)["state"]})
            assert answer.status_code == 401, lie
            assert "does not prove who you are" in text(answer)
            assert "advisor" not in client.cookies, lie
        begun = await client.get("/account/oidc")
        liar.truth(begun)
        liar.sign = None
        honest = {"code": "c", "state": asked(begun)["state"]}
        wrong: tuple[tuple[dict[str, str], int], ...] = (
            (honest | {"state": "another"}, 400),
            ({"code": "c"}, 400),
            (honest | {"iss": "https://elsewhere.example"}, 401),
            ({"state": honest["state"], "error": "access_denied"}, 403),
        )
        for query, status in wrong:
            assert (await client.get(BACK, params=query)).status_code == status, query
        assert await facts(app.state.database) == []
        assert leads_to(await client.get(BACK, params=honest | {"iss": ISSUER})) == "/console/"
        assert (await client.get(BACK, params=honest)).status_code == 400
        liar.key = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
        begun = await client.get("/account/oidc")
        liar.truth(begun)
        assert leads_to(await client.get(BACK, params={"code": "c", "state": asked(begun)["state"]})) == "/console/"


@pytest.mark.parametrize(
    ("status", "discovery"),
    [(500, {}), (200, {"issuer": "https://elsewhere.example"}), (200, {"token_endpoint": None})],
)
async def test_a_provider_that_is_away_gets_a_page_that_says_so(
    opened: Callable[..., Any], liar: Liar, status: int, discovery: dict[str, Any]
) -> None:
    liar.status, liar.discovery = status, discovery
    app: FastAPI = await opened(ISSUER, liar)
    async with await browser_of(app) as client:
        answer = await client.get("/account/oidc")
        assert answer.status_code == 503
        assert "Company SSO does not answer at this moment" in text(answer)
        assert (await client.get(f"{SIGN_IN}?left")).status_code == 200
        liar.status, liar.discovery = 200, {}
        assert leads_to(await client.get("/account/oidc")).startswith(f"{ISSUER}/authorization?")


async def test_a_browser_connects_an_account_signs_in_with_it_and_leaves_the_provider_too(
    real: Canaille, settings: Settings, quick_passwords: None, chromium: Browser
) -> None:
    real.groups("cora", "advisor-admins")
    changed = with_provider(settings, real.issuer, local_sign_in=True, public_url=real.origin)
    async with serving(changed) as app:
        await person(app.state.database, "cora@company.com", "admin", name="Cora")
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        task = asyncio.create_task(server.serve([real.listener]))
        page = await chromium.new_page(viewport={"width": 390, "height": 900})
        await page.goto(f"{real.origin}/account/")
        await is_well_made(page)
        await fill(page, {"E-mail address": "cora@company.com", "Password": PASSWORD})
        await press(page, "Sign in")
        await page.get_by_role("heading", name="You are signed in as Cora").wait_for()
        await is_well_made(page)
        await press(page, "Connect this account")
        await is_well_made(page)
        await page.get_by_role("link", name="Go on to Company SSO").click()
        await page.locator("input[name=login]").fill("cora")
        await page.locator("button[type=submit]").click()
        await page.locator("input[name=password]").fill(PASSWORD)
        await page.locator("button[type=submit]").click()
        await page.get_by_text("From now on you sign in with Company SSO.").wait_for()
        await is_well_made(page)
        await page.get_by_role("link", name="People").click()
        await page.get_by_role("table").get_by_role("link", name="Cora Day").click()
        await is_well_made(page)
        await page.goto(f"{real.origin}/account/")
        await press(page, "Sign out")
        await page.get_by_role("link", name="Sign in with Company SSO").click()
        await page.get_by_role("table").get_by_role("link", name="Cora Day").wait_for()
        await page.goto(f"{real.origin}/account/")
        await press(page, "Sign out")
        await is_well_made(page)
        await page.get_by_role("link", name="Sign out of Company SSO too").click()
        await page.wait_for_url(f"{real.issuer}/**")
        server.should_exit = True
        await task


async def through(client: AsyncClient, liar: Liar, **claims: object) -> Response:
    begun = await client.get("/account/oidc")
    liar.truth(begun)
    liar.claims = {name: told for name, told in (liar.claims | claims).items() if told is not None}
    return await client.get(BACK, params={"code": "c", "state": asked(begun)["state"]})


async def test_an_address_alone_opens_no_account_that_is_here_already(opened: Callable[..., Any], liar: Liar) -> None:
    app: FastAPI = await opened(ISSUER, liar, local_sign_in=True)
    database: Database = app.state.database
    ann = await person(database, "ann@company.com", "admin", name="Ann")
    async with await browser_of(app) as client:
        refused = await through(client, liar)
        assert refused.status_code == 409
        assert "connect it on your account page" in text(refused)

        assert leads_to(await enter(client, "ann@company.com")) == "/account/people"
        for groups, reason in (([], "no role"), (["advisor-sales"], "last admin"), (["advisor-admins"], None)):
            page = await client.post("/account/oidc/connect")
            begun = next(part for part in page.text.split('"') if part.startswith(ISSUER)).replace("&amp;", "&")
            redirect = Response(303, headers={"location": begun})
            liar.truth(redirect)
            liar.claims["groups"] = groups
            answer = await client.get(BACK, params={"code": "c", "state": asked(redirect)["state"]})
            if reason is not None:
                assert reason in text(answer)
        assert leads_to(answer) == "/account/?done=connected"
        assert "From now on you sign in with Company SSO." in text(await client.get("/account/?done=connected"))
        assert (await enter(client, "ann@company.com")).status_code == 422
        assert (await facts(database))[-1].staff_id == ann
        assert (await facts(database))[-1].name == "Ann Lind"

        person_page = await client.get(f"/account/people/{ann}")
        assert "Roles come from Company SSO" in text(person_page)
        changed = await client.post(f"/account/people/{ann}/roles", data={"roles": ["admin", "sales"]})
        assert changed.status_code == 422
        await client.post(f"/account/people/{ann}/link")
        assert "Link to set a password" not in text(await client.get(f"/account/people/{ann}"))


async def test_who_is_deactivated_here_stays_out_and_who_tells_no_address_is_asked_for_it(
    opened: Callable[..., Any], liar: Liar
) -> None:
    app: FastAPI = await opened(ISSUER, liar)
    async with await browser_of(app) as client:
        nameless = await through(client, liar, email=None, groups=["advisor-admins"])
        assert "It told us no e-mail address for you" in text(nameless)
        liar.userinfo = {"email": "eve@company.com"}
        assert leads_to(await through(client, liar, email=None, groups=["advisor-admins"])) == "/account/people"
        assert leads_to(await through(client, liar, sub="a-2", groups=["advisor-sales"])) == "/console/"
        eve = (await facts(app.state.database))[0].staff_id
        async with app.state.database.transaction() as connection:
            await connection.execute("update account set active = false where id = $1", eve)
        assert "Your account here is deactivated" in text(await through(client, liar, groups=["advisor-admins"]))
        liar.userinfo = {"sub": "another", "email": "eve@company.com"}
        assert (await through(client, liar, email=None)).status_code == 401


async def test_without_passwords_nothing_that_needs_one_works(opened: Callable[..., Any], liar: Liar) -> None:
    app: FastAPI = await opened(ISSUER, liar)
    await person(app.state.database, "ann@company.com", "sales")
    async with await browser_of(app) as client:
        answers = [await enter(client, "ann@company.com"), await client.get("/account/first/abc")]
        answers += [await client.post("/account/set-password/abc"), await client.get("/account/set-password/abc")]
        assert leads_to(await through(client, liar, email="ada@company.com", groups=["advisor-admins"]))
        answers += [await client.get("/account/people/invite"), await client.post("/account/password")]
        assert {answer.status_code for answer in answers} == {403}
        assert all("Sign in with Company SSO." in text(answer) for answer in answers)
        assert "Invite somebody" not in text(await client.get("/account/people"))
    database, settings = app.state.database, app.state.settings
    with pytest.raises(FieldsRefused, match="Company SSO"):
        await handlers.add_account(database, settings, email="bo@company.com", name="Bo", roles=["sales"])
    assert await handlers.first_admin_link(database, settings) is None


async def test_no_log_holds_a_code_a_token_or_an_address(opened: Callable[..., Any], liar: Liar) -> None:
    app: FastAPI = await opened(ISSUER, liar)
    with capture_logs() as lines:
        async with await browser_of(app) as client:
            await through(client, liar)
            liar.sign = lambda claims, key: "canary.token"
            begun = await client.get("/account/oidc")
            liar.truth(begun)
            await client.get(BACK, params={"code": "canary-code", "state": asked(begun)["state"]})
            await client.get(BACK, params={"error": "canary\n" * 9, "state": asked(begun)["state"]})
    assert {line["event"] for line in lines} >= {"sign_in", "oidc.untrusted", "oidc.not_completed"}
    for secret in ("canary-code", "canary.token", "company.com", asked(begun)["state"], "a-1"):
        assert secret not in repr(lines)


def test_a_provider_is_named_as_a_whole_or_not_at_all(settings: Settings) -> None:
    changes: list[dict[str, object]] = [
        {"oidc_client_id": ""},
        {"oidc_roles": {}},
        {"oidc_issuer": "http://sso.example"},
    ]
    for change in changes:
        with pytest.raises(ValidationError):
            with_provider(settings, ISSUER, **change)
    assert (settings.has_passwords, with_provider(settings, ISSUER).has_passwords) == (True, False)


ROLES: dict[str, Role] = {"a": "admin", "s": "sales", "both": "sales"}
CLAIMS = {"iss": "https://sso.example", "sub": "1"}


@pytest.mark.parametrize(
    ("claims", "claim", "roles"),
    [
        ({"groups": ["s", "a", "x"]}, "groups", ("sales", "admin")),
        ({"groups": ["s", "both"]}, "groups", ("sales",)),
        ({"groups": "a"}, "groups", ("admin",)),
        ({"groups": ["A", "sales", 1, None, ["a"]]}, "groups", ()),
        ({"groups": {"a": True}}, "groups", ()),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ("admin",)),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", ("admin",)),
        ({"realm_access": "a"}, "realm_access.roles", ()),
        ({}, "groups", ()),
    ],
)
def test_roles_are_those_that_the_values_of_one_claim_are_mapped_to(
    claims: dict[str, Any], claim: str, roles: tuple[Role, ...]
) -> None:
    assert identity(CLAIMS | claims, claim, ROLES).roles == roles


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["groups", "name", "email", "preferred_username"]), ANYTHING))
def test_whatever_a_provider_says_makes_a_name_and_only_mapped_roles(claims: dict[str, Any]) -> None:
    found = identity(CLAIMS | claims, "groups", ROLES)
    assert 0 < len(found.name) <= 100
    assert set(found.roles) <= {ROLES[value] for value in claimed(claims, "groups") if value in ROLES}
