import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx2 import AsyncClient, Response
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.requests import Request
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from services.intake import handlers
from services.intake.domain.accounts import LastAdmin
from services.intake.store import accounts
from services.intake.web import account
from services.intake.web.account import keys, own, passwords, people, sign_in
from services.intake.web.account.passwords import Attempts, TooManyAttempts
from shared import access
from shared.access import NotSignedIn, Principal, Verifier
from shared.contracts.intake import Role, StaffChanged
from shared.pages import pages, static_app
from shared.postgres import Database
from shared.service import Service, Settings, build

PASSWORD = "correct horse battery"
QUICK = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)])
HASH = QUICK.hash(PASSWORD)
SAME_SITE = {"sec-fetch-site": "same-origin"}

Connect = Callable[[str], Awaitable[Database]]
Browsers = Callable[[], Awaitable[AsyncClient]]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[FastAPI]:
    service = Service(
        name="intake",
        package="services.intake",
        routers=(account.router,),
        pages=pages("services.intake.web", "/static"),
        mounts={"/static": static_app()},
    )
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_argon2", QUICK)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    async with serving(settings) as app:
        yield app


@pytest.fixture
def database(app: FastAPI) -> Database:
    found: Database = app.state.database
    return found


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Browsers]:
    """Opens browsers that have nothing in common."""
    async with AsyncExitStack() as stack:

        async def opened() -> AsyncClient:
            transport = httpx2.ASGITransport(app=app)
            client = AsyncClient(transport=transport, base_url="http://testserver", headers=SAME_SITE)
            return await stack.enter_async_context(client)

        yield opened


async def person(database: Database, email: str, *roles: Role, name: str = "Ann") -> UUID:
    async with database.transaction() as connection:
        added = await handlers.add_person(
            connection, email=email, name=name, roles=roles, at=datetime.now(UTC), password_hash=HASH
        )
    return added.id


async def enter(client: AsyncClient, email: str, password: str = PASSWORD, **more: str) -> Response:
    return await client.post("/account/sign-in", data={"email": email, "password": password, **more})


def text(response: Response) -> str:
    """What the page says, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def leads_to(response: Response) -> str:
    assert response.status_code == 303, text(response)
    return response.headers["location"]


def token_of(client: AsyncClient) -> str:
    token = client.cookies.get(access.COOKIE)
    assert token is not None
    return token


async def facts(database: Database) -> list[StaffChanged]:
    async with database.connection() as connection:
        rows = await connection.fetch("select payload from fact order by at, version")
    return [StaffChanged.model_validate_json(row["payload"]) for row in rows]


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
    answers = await asyncio.gather(*(enter(client, "ann@company.com", f"guess number {n}") for n in range(14)))
    assert sorted(answer.status_code for answer in answers) == [422] * 10 + [429] * 4
    refused = await enter(client, "ANN@company.com")
    assert refused.status_code == 429
    assert re.search(r"Try again in 1[45] minutes", text(refused))
    assert 0 < int(refused.headers["retry-after"]) <= 900
    assert 'value="ANN@company.com"' in refused.text
    assert leads_to(await enter(client, "bob@company.com")) == "/console/"


async def test_the_right_password_starts_the_count_anew(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    client = await browser()
    for _ in range(9):
        await enter(client, "ann@company.com", "wrong password")
    assert leads_to(await enter(client, "ann@company.com")) == "/console/"
    assert (await enter(client, "ann@company.com", "wrong password")).status_code == 422


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
        for n in range(11)
    ]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert "retry-after" in answers[-1].headers


async def at_once(database: Database, hold: str, *steps: Awaitable[Any]) -> list[Any]:
    """What becomes of steps that one after another have come as far as the rows that `hold` locks."""
    tasks: list[asyncio.Future[Any]] = []
    async with database.transaction() as connection:
        await connection.execute(hold)
        for step in steps:
            tasks.append(asyncio.ensure_future(step))
            while await waiting(database) + sum(task.done() for task in tasks) < len(tasks):
                pass
    return await asyncio.gather(*tasks, return_exceptions=True)


async def waiting(database: Database) -> int:
    """How many transactions wait for a lock."""
    async with database.connection() as connection:
        count: int = await connection.fetchval(
            """
            select count(*) from pg_locks join pg_stat_activity using (pid)
            where not granted and datname = current_database()
            """
        )
    return count


async def test_of_those_who_use_the_first_admin_link_at_once_one_wins(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    link = await handlers.first_admin_link(database, settings)
    assert link is not None
    details = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
    uses = [(await browser()).post(link, data=details | {"email": f"a{n}@company.com"}) for n in range(4)]
    answers = await at_once(database, "select from account_link for update", *uses)
    assert sorted(answer.status_code for answer in answers) == [303, 410, 410, 410]
    async with database.connection() as connection:
        assert len(await accounts.listed(connection, "person")) == 1


async def test_of_those_who_set_a_password_by_one_link_at_once_one_wins(
    database: Database, settings: Settings, browser: Browsers
) -> None:
    link = await handlers.add_account(database, settings, email="ann@company.com", name="Ann", roles=["sales"])
    uses = [
        (await browser()).post(link, data={"password": password, "again": password})
        for password in ("the first new password", "the second new password")
    ]
    answers = await at_once(database, "select from account for update", *uses)
    assert sorted(answer.status_code for answer in answers) == [303, 410]


async def test_of_two_password_changes_at_once_one_counts(database: Database, browser: Browsers) -> None:
    await person(database, "ann@company.com", "sales")
    changes = []
    for new in ("the first new password", "the second new password"):
        client = await browser()
        await enter(client, "ann@company.com")
        changes.append(client.post("/account/password", data={"current": PASSWORD, "password": new, "again": new}))
    answers = await at_once(database, "select from account for update", *changes)
    assert sorted(leads_to(answer) for answer in answers) == ["/account/?done=password", "/account/sign-in"]


async def test_of_two_admins_who_remove_each_other_at_once_one_stays(database: Database) -> None:
    ann = await person(database, "ann@company.com", "admin")
    bo = await person(database, "bo@company.com", "admin")
    outcomes = await at_once(
        database,
        "select from account order by id for update",
        handlers.deactivate(database, ann),
        handlers.change_roles(database, bo, ["sales"]),
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [LastAdmin]


async def test_signing_in_while_being_deactivated_leaves_no_session(database: Database, browser: Browsers) -> None:
    ann = await person(database, "ann@company.com", "sales")
    client = await browser()
    await at_once(
        database,
        "select from account for update",
        handlers.deactivate(database, ann),
        enter(client, "ann@company.com"),
    )
    async with database.connection() as connection:
        assert await accounts.open_sessions(connection, ann, datetime.now(UTC)) == []
    await handlers.reactivate(database, ann)
    assert leads_to(await client.get("/account/")).startswith("/account/sign-in")


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
    routes = [route for part in (sign_in, own, people, keys) for route in part.router.routes]
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
        for _ in range(11):
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
