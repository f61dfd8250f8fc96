import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, Depends
from httpx2 import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from shared import access
from shared.access import NotSignedIn, Principal, Staff, Verifier, link_id, link_token, requires, sign
from shared.contracts.intake import Role, StaffChanged
from shared.postgres import Database
from shared.service import Service, Settings, build

NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=1)
KEY, OTHER_KEY = access.new_signing_key(), access.new_signing_key()
SECRET = "a secret of the tests"
SALES = Principal(uuid4(), uuid4(), "Ada", ("sales",), 3)
CLAIMS = {
    "sub": str(SALES.id),
    "sid": str(SALES.session_id),
    "name": SALES.name,
    "roles": list(SALES.roles),
    "ver": SALES.version,
    "iat": int(NOW.timestamp()),
    "exp": int(SOON.timestamp()),
}
VERIFIER = Verifier([access.public_part(KEY)])


def encoded(header: dict[str, Any], claims: dict[str, Any], key: Any = None) -> str:
    return jwt.encode(
        {"alg": "Ed25519", "kid": KEY["kid"], **header},
        claims,
        key or OKPKey.import_key(KEY),
        algorithms=[header.get("alg", "Ed25519")],
    )


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def without(claim: str) -> str:
    return encoded({}, {name: value for name, value in CLAIMS.items() if name != claim})


def tampered() -> str:
    header, _, signature = encoded({}, CLAIMS).split(".")
    return f"{header}.{part(CLAIMS | {'roles': ['admin']})}.{signature}"


def signed_with_the_public_key_as_a_secret() -> str:
    public = OctKey.import_key(json.dumps(access.public_part(KEY)))
    return encoded({"alg": "HS256"}, CLAIMS, public)


def bringing_its_own_key() -> str:
    own = OKPKey.import_key(OTHER_KEY)
    return encoded({"jwk": access.public_part(OTHER_KEY)}, CLAIMS, own)


FORGED = {
    "nothing": "",
    "a word": "token",
    "dots": "..",
    "no signature": f"{part({'alg': 'none'})}.{part(CLAIMS)}.",
    "no algorithm": f"{part({'kid': KEY['kid']})}.{part(CLAIMS)}.",
    "another key": encoded({}, CLAIMS, OKPKey.import_key(OTHER_KEY)),
    "another key by its own name": encoded({"kid": OTHER_KEY["kid"]}, CLAIMS, OKPKey.import_key(OTHER_KEY)),
    "a key that it brings": bringing_its_own_key(),
    "the public key as a secret": signed_with_the_public_key_as_a_secret(),
    "a changed role": tampered(),
    "a cut signature": encoded({}, CLAIMS)[:-4],
    "run out": encoded({}, CLAIMS | {"exp": int((NOW - timedelta(seconds=2)).timestamp())}),
    "not yet": encoded({}, CLAIMS | {"nbf": int(SOON.timestamp())}),
    "an end that is no time": encoded({}, CLAIMS | {"exp": "later"}),
    "no subject": without("sub"),
    "no session": without("sid"),
    "no roles": without("roles"),
    "no version": without("ver"),
    "a subject that is no id": encoded({}, CLAIMS | {"sub": "root"}),
    "a subject that is a number": encoded({}, CLAIMS | {"sub": 7}),
    "roles that are no list": encoded({}, CLAIMS | {"roles": 7}),
    "a version that is null": encoded({}, CLAIMS | {"ver": None}),
    "a list": f"{part({'alg': 'Ed25519', 'kid': KEY['kid']})}.{part([1])}.{part('x')}",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_token_that_was_not_signed_here_or_has_run_out_opens_nothing(token: str) -> None:
    with pytest.raises(NotSignedIn):
        VERIFIER.read(token)


@given(st.text() | st.binary().map(lambda noise: base64.urlsafe_b64encode(noise).decode()))
def test_noise_opens_nothing(noise: str) -> None:
    with pytest.raises(NotSignedIn):
        VERIFIER.read(noise)
    assert link_id(SECRET, "document", noise) is None


@pytest.mark.parametrize("expires", [SOON, None])
def test_a_token_says_who_bears_it(expires: datetime | None) -> None:
    assert VERIFIER.read(sign(SALES, KEY, issued=NOW, expires=expires)) == SALES


def test_during_a_rotation_both_keys_open_and_afterwards_only_the_new_one() -> None:
    old, new = sign(SALES, KEY, issued=NOW, expires=SOON), sign(SALES, OTHER_KEY, issued=NOW, expires=SOON)
    both = Verifier([access.public_part(KEY), access.public_part(OTHER_KEY)])
    assert both.read(old) == both.read(new) == SALES
    only_new = Verifier([access.public_part(OTHER_KEY)])
    assert only_new.read(new) == SALES
    with pytest.raises(NotSignedIn):
        only_new.read(old)


def test_the_public_part_does_not_hold_the_private_key() -> None:
    assert "d" in KEY
    assert "d" not in access.public_part(KEY)


def changed(version: int, **state: Any) -> StaffChanged:
    known: dict[str, Any] = {"name": "Ada L", "roles": ("sales",), "active": True, "sessions_ended": ()}
    return StaffChanged(staff_id=SALES.id, version=version, time=NOW, **(known | state))


async def present(database: Database, *changes: StaffChanged) -> Principal:
    async with database.transaction() as connection:
        for change in changes:
            await access.on_staff_changed(connection, change)
        return await access.present(connection, SALES)


async def test_where_nothing_is_known_the_token_is_trusted(database: Database) -> None:
    assert await present(database) == SALES


async def test_a_newer_state_replaces_name_and_roles(database: Database) -> None:
    newer = await present(database, changed(4, roles=("rubric_owner",)))
    assert newer == replace(SALES, name="Ada L", roles=("rubric_owner",), version=4)


@pytest.mark.parametrize("state", [{"active": False}, {"sessions_ended": (uuid4(), SALES.session_id)}])
async def test_a_newer_state_can_end_an_account_or_a_session(database: Database, state: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        await present(database, changed(4, **state))


async def test_another_sessions_end_ends_only_that_session(database: Database) -> None:
    assert (await present(database, changed(4, sessions_ended=(uuid4(),)))).roles == SALES.roles


@pytest.mark.parametrize("state", [{"active": False}, {"roles": ("admin",)}, {"sessions_ended": (SALES.session_id,)}])
async def test_a_state_older_than_the_token_is_not_held_against_it(database: Database, state: dict[str, Any]) -> None:
    assert await present(database, changed(2, **state)) == SALES


async def test_a_state_that_comes_late_or_again_changes_nothing(database: Database) -> None:
    newest = changed(5, roles=("account_manager",))
    late = changed(4, roles=("admin",), active=False)
    assert (await present(database, newest, late, newest)).roles == ("account_manager",)


def test_a_links_token_opens_only_what_it_was_made_for() -> None:
    one = uuid4()
    token = link_token(SECRET, "document", one)
    assert link_token(SECRET, "document", one) == token
    assert link_id(SECRET, "document", token) == one
    assert link_id(SECRET, "questionnaire", token) is None
    assert link_id("another secret", "document", token) is None


@given(st.uuids(), st.data())
def test_a_links_token_with_one_character_changed_opens_nothing(one: UUID, data: st.DataObject) -> None:
    token = link_token(SECRET, "document", one)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda character: character != token[place]))
    assert link_id(SECRET, "document", token[:place] + other + token[place + 1 :]) is None
    assert link_id(SECRET, "document", token + other) is None


router = APIRouter()


@router.get("/api/intake/me")
@router.get("/console/me")
async def me(caller: Staff) -> str:
    return caller.name


@router.get("/api/intake/accounts")
@router.post("/console/accounts")
async def accounts(caller: Annotated[Principal, Depends(requires("admin", "rubric_owner"))]) -> str:
    return caller.name


@asynccontextmanager
async def client(settings: Settings) -> AsyncIterator[AsyncClient]:
    app = build(Service("intake", "services.intake", [router]), settings, worker=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as opened,
    ):
        yield opened


def bearer(settings: Settings, *roles: Role) -> dict[str, str]:
    assert settings.signing_key is not None
    principal = Principal(uuid4(), uuid4(), "Grace", roles, 1)
    return {"authorization": f"Bearer {sign(principal, settings.signing_key, issued=NOW, expires=SOON)}"}


@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_a_bearer_token_or_the_cookie_that_fits_how_people_come_signs_in(
    settings: Settings, is_secure: bool
) -> None:
    reached = settings.model_copy(update={"public_url": "https://advisor.example"}) if is_secure else settings
    header = bearer(settings, "sales")
    token = header["authorization"].removeprefix("Bearer ")
    async with client(reached) as http:
        for headers, signs_in in (
            (header, True),
            ({"cookie": f"advisor={token}"}, not is_secure),
            ({"cookie": f"__Host-advisor={token}"}, is_secure),
            ({"cookie": f"other={token}"}, False),
        ):
            assert (await http.get("/api/intake/me", headers=headers)).is_success == signs_in


async def test_who_is_not_signed_in_is_told_how_by_the_api_and_led_there_by_a_page(settings: Settings) -> None:
    async with client(settings) as http:
        refused = await http.get("/api/intake/me", headers={"authorization": "Bearer nonsense"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        led = await http.get("/console/me")
        assert (led.status_code, led.headers["location"]) == (303, "/account/sign-in?next=/console/me")
        written = await http.post("/console/accounts")
        assert (written.status_code, written.headers["location"]) == (303, "/account/sign-in?unsent=yes")


async def test_a_route_lets_pass_only_the_roles_it_names(settings: Settings) -> None:
    async with client(settings) as http:
        for role, expected in {"admin": 200, "rubric_owner": 200, "sales": 403, "account_manager": 403}.items():
            answer = await http.get("/api/intake/accounts", headers=bearer(settings, role))  # type: ignore[arg-type]
            assert answer.status_code == expected
        assert answer.json()["detail"] == "This needs the role admin or rubric owner. Ask an admin for it."
        assert (await http.get("/api/intake/accounts", headers=bearer(settings))).status_code == 403
