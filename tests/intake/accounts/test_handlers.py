import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.intake import handlers
from services.intake.domain.accounts import EmailTaken, FieldsRefused, LastAdmin, UnknownAccount
from services.intake.store import accounts
from shared import access, audit
from shared.access import NotSignedIn, Principal, Verifier
from shared.contracts.intake import StaffChanged
from shared.postgres import Database
from shared.service import Settings

Connect = Callable[[str], Awaitable[Database]]
HASH = "$argon2id$not-a-real-one"


@pytest.fixture
async def intake(connect: Connect) -> Database:
    return await connect("intake")


async def person(database: Database, email: str, *roles: str, password_hash: str | None = HASH) -> UUID:
    async with database.transaction() as connection:
        account = await handlers.add_person(
            connection, email=email, name="Ann", roles=roles, at=datetime.now(UTC), password_hash=password_hash
        )
    return account.id


async def said(database: Database, account_id: UUID) -> list[StaffChanged]:
    async with database.connection() as connection:
        rows = await connection.fetch(
            "select fact.payload from outbox join fact on fact.id = fact_id where key = $1 order by seq", account_id
        )
    return [StaffChanged.model_validate_json(row["payload"]) for row in rows]


async def test_the_first_admin_link_stays_the_same_until_it_runs_out(intake: Database, settings: Settings) -> None:
    first = await handlers.first_admin_link(intake, settings)
    assert first is not None
    assert first.startswith("/account/first/")
    assert await handlers.first_admin_link(intake, settings) == first
    async with intake.transaction() as connection:
        await connection.execute("update account_link set expires_at = now() - interval '1 second'")
    second = await handlers.first_admin_link(intake, settings)
    assert second is not None
    assert second != first


async def test_starting_several_processes_at_once_makes_one_first_admin_link(
    intake: Database, settings: Settings
) -> None:
    links = await asyncio.gather(*(handlers.first_admin_link(intake, settings) for _ in range(6)))
    assert len(set(links)) == 1
    assert links[0] is not None


async def test_there_is_no_first_admin_link_once_an_admin_can_sign_in(intake: Database, settings: Settings) -> None:
    await person(intake, "sales@company.com", "sales")
    await handlers.add_account(intake, settings, email="invited@company.com", name="Invited", roles=["admin"])
    assert await handlers.first_admin_link(intake, settings) is not None
    await person(intake, "admin@company.com", "admin")
    assert await handlers.first_admin_link(intake, settings) is None


async def test_an_account_begins_with_a_link_to_set_its_password(intake: Database, settings: Settings) -> None:
    address = await handlers.add_account(
        intake, settings, email=" Ann@Company.com ", name=" Ann  Smith ", roles=["admin", "sales"]
    )
    assert address.startswith("http://testserver/account/set-password/")
    async with intake.connection() as connection:
        (account,) = await accounts.listed(connection, "person")
        link = await accounts.open_link_of(connection, account.id, datetime.now(UTC))
    assert (account.email, account.name, account.roles) == ("ann@company.com", "Ann Smith", ("sales", "admin"))
    assert account.state == "invited"
    assert link is not None
    token = address.rsplit("/", 1)[-1]
    assert access.link_id(settings.link_secret.get_secret_value(), "set-password", token) == link.id
    assert access.link_id(settings.link_secret.get_secret_value(), "first-admin", token) is None


async def test_two_accounts_cannot_share_an_address(intake: Database, settings: Settings) -> None:
    await handlers.add_account(intake, settings, email="ann@company.com", name="Ann", roles=["sales"])
    with pytest.raises(EmailTaken):
        await handlers.add_account(intake, settings, email="ANN@company.com", name="Another", roles=["sales"])
    async with intake.connection() as connection:
        assert len(await accounts.listed(connection, "person")) == 1


async def test_an_account_that_cannot_be_kept_is_answered_field_by_field(intake: Database, settings: Settings) -> None:
    with pytest.raises(FieldsRefused) as refused:
        await handlers.add_account(intake, settings, email="ann", name=" ", roles=["owner"])
    assert set(refused.value.refusals) == {"email", "name", "roles"}


async def test_every_change_is_kept_projected_and_said_in_one_step(intake: Database) -> None:
    await person(intake, "admin@company.com", "admin")
    account_id = await person(intake, "ann@company.com", "sales")
    async with intake.transaction() as connection:
        opened = await accounts.open_session(connection, account_id, datetime.now(UTC), password_hash=HASH)
    assert opened is not None
    session = opened[1]
    await handlers.change_roles(intake, account_id, ["account_manager"])
    await handlers.end_sessions(intake, account_id)
    await handlers.deactivate(intake, account_id)
    await handlers.reactivate(intake, account_id)

    facts = await said(intake, account_id)
    assert [(fact.version, fact.roles, fact.active, fact.sessions_ended) for fact in facts] == [
        (1, ("sales",), True, ()),
        (2, ("account_manager",), True, ()),
        (3, ("account_manager",), True, (session.id,)),
        (4, ("account_manager",), False, (session.id,)),
        (5, ("account_manager",), True, (session.id,)),
    ]
    async with intake.connection() as connection:
        projected = await connection.fetchrow("select * from staff where id = $1", account_id)
    assert projected is not None
    assert (projected["version"], projected["roles"], projected["active"], projected["sessions_ended"]) == (
        5,
        ["account_manager"],
        True,
        [session.id],
    )


async def test_a_session_that_has_run_out_is_no_longer_told(intake: Database) -> None:
    account_id = await person(intake, "ann@company.com", "sales")
    before = datetime.now(UTC) - timedelta(hours=13)
    async with intake.transaction() as connection:
        await accounts.open_session(connection, account_id, before, password_hash=HASH)
        await accounts.end_sessions(connection, account_id, before)
    await handlers.change_roles(intake, account_id, ["sales", "rubric_owner"])
    assert (await said(intake, account_id))[-1].sessions_ended == ()


async def test_a_changed_password_refuses_a_sign_in_that_was_checked_before(intake: Database) -> None:
    account_id = await person(intake, "ann@company.com", "sales")
    async with intake.transaction() as connection:
        await accounts.set_password(connection, account_id, "another")
        assert await accounts.open_session(connection, account_id, datetime.now(UTC), password_hash=HASH) is None


async def test_the_last_admin_keeps_role_and_account(intake: Database) -> None:
    admin = await person(intake, "admin@company.com", "admin", "sales")
    await person(intake, "invited@company.com", "admin", password_hash=None)
    with pytest.raises(LastAdmin):
        await handlers.deactivate(intake, admin)
    with pytest.raises(LastAdmin):
        await handlers.change_roles(intake, admin, ["sales"])
    await handlers.change_roles(intake, admin, ["admin"])
    assert [fact.version for fact in await said(intake, admin)] == [1, 2]


async def test_a_key_works_until_it_is_ended(intake: Database, settings: Settings, connect: Connect) -> None:
    token = await handlers.add_key(intake, settings, name="CRM", roles=["sales"])
    bearer = Verifier(settings.verification_keys).read(token)
    assert (bearer.name, bearer.roles) == ("CRM", ("sales",))
    async with intake.connection() as connection:
        assert await access.present(connection, bearer) == bearer

    await handlers.end_key(intake, bearer.id)

    async with intake.connection() as connection:
        with pytest.raises(NotSignedIn):
            await access.present(connection, bearer)
    elsewhere = await connect("recommendation")
    async with elsewhere.transaction() as connection:
        assert await access.present(connection, bearer) == bearer
        for fact in await said(intake, bearer.id):
            assert not fact.is_person
            await access.on_staff_changed(connection, fact)
        with pytest.raises(NotSignedIn):
            await access.present(connection, bearer)


async def test_new_roles_replace_those_in_the_token_everywhere(
    intake: Database, settings: Settings, connect: Connect
) -> None:
    account_id = await person(intake, "ann@company.com", "sales")
    token = Principal(account_id, uuid7(), "Ann", ("sales",), 1)
    await handlers.change_roles(intake, account_id, ["account_manager"])
    elsewhere = await connect("assessment")
    async with elsewhere.transaction() as connection:
        for fact in reversed(await said(intake, account_id)):
            await access.on_staff_changed(connection, fact)
        assert (await access.present(connection, token)).roles == ("account_manager",)


async def test_a_key_is_not_taken_for_a_person_nor_a_person_for_a_key(intake: Database, settings: Settings) -> None:
    ann = await person(intake, "ann@company.com", "sales")
    key = Verifier(settings.verification_keys).read(
        await handlers.add_key(intake, settings, name="CRM", roles=["admin"])
    )
    for refused in (
        handlers.end_key(intake, ann),
        handlers.deactivate(intake, key.id),
        handlers.reactivate(intake, key.id),
        handlers.change_roles(intake, key.id, ["sales"]),
        handlers.end_sessions(intake, key.id),
        handlers.deactivate(intake, uuid7()),
    ):
        with pytest.raises(UnknownAccount):
            await refused


async def test_no_key_is_made_where_nothing_can_sign_it(intake: Database, settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="ADVISOR_SIGNING_KEY"):
        await handlers.add_key(intake, settings.model_copy(update={"signing_key": None}), name="CRM", roles=["sales"])
    async with intake.connection() as connection:
        assert await accounts.listed(connection, "key") == []


async def test_every_change_of_an_account_or_key_is_noted_with_who_made_it(
    intake: Database, settings: Settings
) -> None:
    admin = await person(intake, "bo@company.com", "admin")
    ann = await person(intake, "ann@company.com", "sales")
    await handlers.change_roles(intake, ann, ["account_manager"], by=admin)
    await handlers.deactivate(intake, ann, by=admin)
    await handlers.add_key(intake, settings, name="CRM", roles=["sales"], by=admin)
    async with intake.connection() as connection:
        acts = await audit.of(connection, ann)
        rows = await connection.fetch("select action, actor, detail from audit order by seq")
        found = await audit.verify(connection, "intake")
    assert found.broken is None
    assert [act.actor for act in acts] == [admin, admin, None]
    assert acts[0].detail == '{"active": false, "roles": ["account_manager"], "version": 3}'
    assert [(row["action"], row["actor"]) for row in rows][-1] == ("key_changed", admin)
    assert not [row for row in rows if "ann" in row["detail"] or "CRM" in row["detail"]]
