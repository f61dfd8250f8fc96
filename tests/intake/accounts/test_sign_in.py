import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request

from services.intake.store import accounts
from services.intake.web.account import passwords
from services.intake.web.account.passwords import Attempts, TooManyAttempts
from shared import access
from shared.access import NotSignedIn, Principal, Verifier
from shared.postgres import Database
from shared.service import Settings
from tests.intake.accounts.staff import (
    HASH,
    PASSWORD,
    QUICK,
    Browsers,
    Connect,
    enter,
    facts,
    leads_to,
    person,
    text,
    token_of,
)


async def test_a_wrong_password_and_an_unknown_address_get_the_same_words(
    database: Database, browser: Browsers
) -> None:
    await person(database, "ann@company.com", "sales")
    client = await browser()
    wrong = await enter(client, "ann@company.com", "wrong password")
    unknown = await enter(client, "bob@company.com", "wrong password")
    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert text(wrong) == text(unknown)
    assert 'value="ann@company.com"' in wrong.text
    assert "wrong password" not in wrong.text
    assert "set-cookie" not in wrong.headers


async def test_an_unknown_address_costs_as_much_work_as_a_wrong_password(
    database: Database, browser: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: list[str] = []

    class Counted:
        def hash(self, password: str) -> str:
            work.append("argon2")
            return HASH

        def verify(self, password: str, password_hash: str) -> bool:
            work.append("argon2")
            return QUICK.verify(password, password_hash)

    monkeypatch.setattr(passwords, "_argon2", Counted())
    await person(database, "ann@company.com", "sales")
    client = await browser()
    counts = []
    for email in ("ann@company.com", "bob@company.com"):
        work.clear()
        await enter(client, email, "wrong password")
        counts.append(len(work))
    assert counts == [1, 1]


async def test_guesses_are_counted_also_when_sent_at_once(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    await person(database, "bob@company.com", "sales")
    client = await browser()
    answers = await asyncio.gather(*(enter(client, "ann@company.com", f"guess number {n}") for n in range(24)))
    assert sorted(answer.status_code for answer in answers) == [422] * 20 + [429] * 4
    refused = await enter(client, "ANN@company.com")
    assert refused.status_code == 429
    assert re.search(r"Try again in 1[45] minutes", text(refused))
    assert 0 < int(refused.headers["retry-after"]) <= 900
    assert 'value="ANN@company.com"' in refused.text
    assert leads_to(await enter(client, "bob@company.com")) == "/console/"


async def test_one_client_cannot_try_many_accounts() -> None:
    attempts = Attempts()
    for number in range(100):
        await attempts.count(f"a{number}@company.com", "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        await attempts.count("another@company.com", "192.0.2.1")
    await attempts.count("another@company.com", "192.0.2.2")


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 1), "2001:db8:1:2::/64"),
        (None, ""),
    ],
)
def test_an_ipv6_client_counts_with_its_whole_network(client: tuple[str, int] | None, counted: str) -> None:
    assert passwords.network(Request({"type": "http", "client": client, "headers": []})) == counted


@pytest.mark.parametrize(
    ("going", "arrives"),
    [
        ("/reviews/?state=proposed", "/reviews/?state=proposed"),
        ("https://elsewhere.example/", "/console/"),
        ("//elsewhere.example/", "/console/"),
        ("/\\elsewhere.example", "/console/"),
        ("", "/console/"),
    ],
)
async def test_signing_in_leads_only_to_places_here(
    database: Database, browser: Browsers, going: str, arrives: str
) -> None:
    await person(database, "ann@company.com", "sales")
    client = await browser()
    form = await client.get("/account/sign-in", params={"next": going})
    assert "elsewhere.example" not in form.text
    assert leads_to(await enter(client, "ann@company.com", next=going)) == arrives


async def test_somebody_who_must_sign_in_first_arrives_where_they_were_going(
    database: Database, browser: Browsers
) -> None:
    await person(database, "ada@company.com", "admin", "sales")
    client = await browser()
    asked = await client.get(leads_to(await client.get("/account/keys")))
    assert 'name="next" value="/account/keys"' in asked.text
    assert leads_to(await enter(client, "ada@company.com", next="/account/keys")) == "/account/keys"


async def test_signing_out_ends_the_session_here_and_in_every_service(
    database: Database, settings: Settings, browser: Browsers, connect: Connect
) -> None:
    await person(database, "ann@company.com", "sales")
    client = await browser()
    await enter(client, "ann@company.com")
    token = token_of(client)
    signed_out = await client.post("/account/sign-out")
    assert leads_to(signed_out) == "/account/sign-in"
    assert access.COOKIE not in client.cookies
    replayed = await client.get("/account/", headers={"authorization": f"Bearer {token}"})
    assert leads_to(replayed).startswith("/account/sign-in")

    elsewhere, bearer = await connect("recommendation"), Verifier(settings.verification_keys).read(token)
    async with elsewhere.transaction() as connection:
        assert await access.present(connection, bearer) == bearer
        await access.on_staff_changed(connection, (await facts(database))[-1])
        with pytest.raises(NotSignedIn):
            await access.present(connection, bearer)


async def test_sign_ins_are_listed_and_ended_one_by_one_or_all_others(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    clients = [await browser() for _ in range(4)]
    for client in clients:
        await enter(client, "ann@company.com")
    here, *others = clients
    ends = re.findall(r'action="(/account/sessions/[0-9a-f-]+/end)"', (await here.get("/account/")).text)
    assert len(ends) == 3
    await here.post(ends[0])
    still_in = [client for client in others if (await client.get("/account/")).status_code == 200]
    assert len(still_in) == 2
    assert leads_to(await here.post("/account/sessions/end-others")) == "/account/?done=sessions"
    assert [(await client.get("/account/")).status_code for client in clients] == [200, 303, 303, 303]


async def test_nobody_ends_the_session_of_another(database: Database, settings: Settings, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    await person(database, "bob@company.com", "sales")
    ann, bob = await browser(), await browser()
    await enter(ann, "ann@company.com")
    await enter(bob, "bob@company.com")
    session = Verifier(settings.verification_keys).read(token_of(ann)).session_id
    await bob.post(f"/account/sessions/{session}/end")
    assert (await ann.get("/account/")).status_code == 200


async def test_a_session_lasts_twelve_hours_and_no_longer(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    ann_id = await person(database, "ann@company.com", "sales")
    client = await browser()
    before = datetime.now(UTC)
    signed_in = await enter(client, "ann@company.com")
    assert "Max-Age=43200" in signed_in.headers["set-cookie"]
    async with database.connection() as connection:
        (session,) = await accounts.open_sessions(connection, ann_id, before)
    assert session.expires_at - session.created_at == timedelta(hours=12)
    assert settings.signing_key is not None
    run_out = access.sign(
        Principal(ann_id, session.id, "Ann", ("sales",), 1),
        settings.signing_key,
        issued=before - timedelta(hours=13),
        expires=before - timedelta(hours=1),
    )
    client.cookies.clear()
    refused = await client.get("/account/", headers={"authorization": f"Bearer {run_out}"})
    assert leads_to(refused).startswith("/account/sign-in")


async def test_changing_the_password_ends_the_other_sign_ins(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    here, other = await browser(), await browser()
    await enter(here, "ann@company.com")
    await enter(other, "ann@company.com")
    new = "another good password"

    refused = await here.post("/account/password", data={"current": "wrong", "password": new, "again": new})
    assert refused.status_code == 422
    assert "This is not the password you use now" in text(refused)
    assert new not in refused.text
    assert (await other.get("/account/")).status_code == 200

    done = await here.post("/account/password", data={"current": PASSWORD, "password": new, "again": new})
    assert leads_to(done) == "/account/?done=password"
    assert (await here.get("/account/")).status_code == 200
    assert leads_to(await other.get("/account/")).startswith("/account/sign-in")
    assert (await enter(other, "ann@company.com")).status_code == 422
    assert leads_to(await enter(other, "ann@company.com", new)) == "/console/"


async def test_the_present_password_cannot_be_guessed_in_a_borrowed_browser(
    database: Database, browser: Browsers
) -> None:
    await person(database, "ann@company.com", "sales")
    client = await browser()
    await enter(client, "ann@company.com")
    new = "another good password"
    answers = [
        await client.post("/account/password", data={"current": f"guess {n}", "password": new, "again": new})
        for n in range(20)
    ]
    assert [answer.status_code for answer in answers] == [422] * 19 + [429]
    assert "retry-after" in answers[-1].headers
