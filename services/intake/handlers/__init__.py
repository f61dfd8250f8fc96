"""Steps that several edges share: what happens to a case, accounts and keys, and telling every service of them."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from services.intake.domain.accounts import (
    Account,
    EmailTaken,
    FieldsRefused,
    Kind,
    Link,
    Purpose,
    UnknownAccount,
    email_refusals,
    in_order,
    keep_an_admin,
    name_refusals,
    normalised_email,
    normalised_name,
    refuse,
    role_refusals,
)
from services.intake.domain.ownership import UnknownColleague, check_handover, present
from services.intake.domain.submission import CaseErased, RevisedMeanwhile, UnknownIntake, check_revisable, submitted
from services.intake.store import accounts, cases, drafts, intakes, mail
from services.intake.store.intakes import IntakeStatus
from shared import access, audit, erasure, outbox
from shared.access import Jwk, Principal
from shared.contracts.intake import Answer, IntakeErased, IntakeWithdrawn, StaffChanged
from shared.postgres import Connection, Database
from shared.questionnaire import load
from shared.service import Settings

LINK_PATHS: dict[Purpose, str] = {"first-admin": "/account/first/", "set-password": "/account/set-password/"}


async def revise(
    connection: Connection,
    intake_id: UUID,
    changed: dict[str, Answer],
    *,
    seen: int | None,
    author: UUID | None = None,
) -> int:
    """Take in further answers as the next revision and return its number; questions not named keep their answer.

    `seen` is the revision that was on the page, `author` the colleague who took them down, if one did. Raises
    UnknownIntake, RevisionClosed or RevisedMeanwhile.
    """
    found = await _locked_intake(connection, intake_id)
    check_revisable(found.state)
    if seen not in (None, found.revision):
        raise RevisedMeanwhile
    before = await intakes.current_revision(connection, intake_id)
    given = before.given | changed
    fact = submitted(
        intake_id=intake_id,
        revision=found.revision + 1,
        version=found.version + 1,
        questionnaire=load(before.questionnaire),
        given=given,
        company=before.company,
        channel=found.channel,
        language=found.language,
        now=_now(),
        author=author,
        campaign=found.campaign,
    )
    await intakes.add_revision(connection, fact, given)
    await outbox.say(connection, fact)
    return fact.submission.revision


async def entrust(connection: Connection, intake_id: UUID, to: UUID, *, by: UUID, reason: str = "") -> UUID:
    """Put a case into somebody's hands, or into their deputy's while they are away; returns whose it is now."""
    now = _now()
    owner = present(to, await cases.absences(connection), now.date())
    instead_of = None if owner == to else to
    await cases.own(connection, intake_id, owner, by=by, at=now, instead_of=instead_of, reason=reason or None)
    return owner


async def hand_over(
    connection: Connection, intake_id: UUID, to: UUID, *, by: UUID, seen: UUID | None, reason: str
) -> None:
    """Take a case or give it to a colleague, in sight of who has it.

    Raises UnknownIntake, CaseErased, UnknownColleague, OwnedMeanwhile, ReasonNeeded or ReasonTooLong.
    """
    found = await _locked_intake(connection, intake_id)
    if found.state == "erased":
        raise CaseErased
    now = _now()
    check_handover(await cases.owner_of(connection, intake_id), to=to, by=by, seen=seen, reason=reason)
    if to == by:
        await cases.own(connection, intake_id, to, by=by, at=now, reason=reason or None)
    elif to in {colleague.id for colleague in await cases.colleagues(connection, now.date())}:
        await entrust(connection, intake_id, to, by=by, reason=reason)
    else:
        raise UnknownColleague


async def withdraw(connection: Connection, intake_id: UUID, *, by: UUID | None = None) -> str:
    """Take a request back and return its state; what is stored stays readable. Asking twice changes nothing.

    `by` is the colleague or key that did, None where the prospect did. Raises UnknownIntake.
    """
    found = await _locked_intake(connection, intake_id)
    if found.state in ("withdrawn", "erased"):
        return found.state
    fact = IntakeWithdrawn(intake_id=intake_id, version=found.version + 1, time=_now())
    await intakes.withdraw(connection, fact)
    await outbox.say(connection, fact)
    await audit.record(connection, "withdrawn", intake_id, fact.time, {"version": fact.version}, actor=by)
    return "withdrawn"


async def erase(connection: Connection, intake_id: UUID, *, by: UUID | None = None) -> None:
    """Erase everything personal about an intake, everywhere. Asking twice changes nothing. Raises UnknownIntake.

    `by` is the colleague or key that did, None where the prospect did or its time was over.
    """
    found = await _locked_intake(connection, intake_id)
    fact = IntakeErased(intake_id=intake_id, version=found.version + 1, time=_now())
    if await erasure.erase(connection, intake_id, fact.time):
        await intakes.erase(connection, fact)
        await drafts.forget(connection, intake_id)
        await mail.forget(connection, intake_id)
        await outbox.say(connection, fact)
        await audit.record(connection, "erased", intake_id, fact.time, {"version": fact.version}, actor=by)


async def first_admin_link(database: Database, settings: Settings) -> str | None:
    """The path at which the first admin makes an account; None once an admin can sign in, or without passwords."""
    async with database.transaction() as connection:
        if not settings.has_passwords or await accounts.has_admin(connection):
            return None
        return link_path(settings, "first-admin", await accounts.ensure_link(connection, "first-admin", None, _now()))


async def add_account(database: Database, settings: Settings, *, email: str, name: str, roles: Collection[str]) -> str:
    """Make a person's account; returns the address where the person sets a password.

    Raises FieldsRefused or EmailTaken.
    """
    if not settings.has_passwords:
        refuse({"password": f"People sign in with {settings.oidc_label}, and get an account when they first do."})
    now = _now()
    async with database.transaction() as connection:
        account = await add_person(connection, email=email, name=name, roles=roles, at=now)
        link = await accounts.ensure_link(connection, "set-password", account.id, now)
    return link_address(settings, "set-password", link)


async def add_key(
    database: Database, settings: Settings, *, name: str, roles: Collection[str], by: UUID | None = None
) -> str:
    """Make an API key; returns its token, which is not kept and works until the key is ended. Raises FieldsRefused."""
    refuse(name_refusals(name) | role_refusals(roles))
    secret, now = signing_key(settings), _now()
    async with database.transaction() as connection:
        key_id = await accounts.add(
            connection, "key", email=None, name=normalised_name(name), roles=in_order(roles), at=now
        )
        assert key_id is not None, "only an address can be taken"
        key = await announce(connection, key_id, now, by=by)
    bearer = Principal(key.id, key.id, key.name, key.roles, key.version)
    return access.sign(bearer, secret, issued=now, expires=None)


async def end_key(database: Database, key_id: UUID, *, by: UUID | None = None) -> None:
    """Let an API key work no more, anywhere. Raises UnknownAccount."""
    async with database.transaction() as connection:
        await _locked(connection, key_id, "key")
        await accounts.set_active(connection, key_id, active=False)
        await announce(connection, key_id, _now(), by=by)


async def deactivate(database: Database, account_id: UUID, *, by: UUID | None = None) -> None:
    """Keep a person out: the account, its sessions and its link. Raises UnknownAccount or LastAdmin."""
    now = _now()
    async with database.transaction() as connection:
        admins = await accounts.lock_admins(connection)
        await _locked(connection, account_id, "person")
        keep_an_admin(admins, account_id)
        await accounts.set_active(connection, account_id, active=False)
        await accounts.end_sessions(connection, account_id, now)
        await accounts.drop_link(connection, account_id)
        await announce(connection, account_id, now, by=by)


async def reactivate(database: Database, account_id: UUID, *, by: UUID | None = None) -> None:
    """Let a person in again, with the roles and password of before. Raises UnknownAccount."""
    async with database.transaction() as connection:
        await _locked(connection, account_id, "person")
        await accounts.set_active(connection, account_id, active=True)
        await announce(connection, account_id, _now(), by=by)


async def change_roles(database: Database, account_id: UUID, roles: Collection[str], *, by: UUID | None = None) -> None:
    """Replace a person's roles, at once. Raises UnknownAccount, FieldsRefused or LastAdmin."""
    refuse(role_refusals(roles))
    async with database.transaction() as connection:
        admins = await accounts.lock_admins(connection)
        if (await _locked(connection, account_id, "person")).is_connected:
            raise FieldsRefused({"roles": "This person's roles come from the sign-in service. Change them there."})
        if "admin" not in roles:
            keep_an_admin(admins, account_id)
        await accounts.set_roles(connection, account_id, in_order(roles))
        await announce(connection, account_id, _now(), by=by)


async def end_sessions(
    database: Database,
    account_id: UUID,
    *,
    only: UUID | None = None,
    keep: UUID | None = None,
    by: UUID | None = None,
) -> None:
    """Sign a person out everywhere: in one session, in all but one, or in all. Raises UnknownAccount."""
    now = _now()
    async with database.transaction() as connection:
        await _locked(connection, account_id, "person")
        if await accounts.end_sessions(connection, account_id, now, only=only, keep=keep):
            await announce(connection, account_id, now, by=by)


async def add_person(
    connection: Connection,
    *,
    email: str,
    name: str,
    roles: Collection[str],
    at: datetime,
    password_hash: str | None = None,
    by: UUID | None = None,
) -> Account:
    """Make a person's account and say so. Raises FieldsRefused or EmailTaken."""
    refuse(name_refusals(name) | email_refusals(email) | role_refusals(roles))
    account_id = await accounts.add(
        connection,
        "person",
        email=normalised_email(email),
        name=normalised_name(name),
        roles=in_order(roles),
        at=at,
        password_hash=password_hash,
    )
    if account_id is None:
        raise EmailTaken
    return await announce(connection, account_id, at, by=by)


async def announce(connection: Connection, account_id: UUID, at: datetime, *, by: UUID | None = None) -> Account:
    """Raise an account's version and say its present state, to this service and the others, in the caller's change.

    `by` is who changed it, None for its own person and the command line.
    """
    account = await accounts.next_version(connection, account_id)
    fact = StaffChanged(
        staff_id=account.id,
        version=account.version,
        time=at,
        name=account.name,
        roles=account.roles,
        active=account.active,
        sessions_ended=await accounts.ended_sessions(connection, account_id, at),
        is_person=account.kind == "person",
    )
    await access.on_staff_changed(connection, fact)
    await outbox.say(connection, fact)
    acted = {"version": account.version, "roles": account.roles, "active": account.active}
    await audit.record(connection, f"{account.kind}_changed", account.id, at, acted, actor=by)
    return account


def link_path(settings: Settings, purpose: Purpose, link: Link) -> str:
    """Where a link leads: worked out each time, stored nowhere."""
    return LINK_PATHS[purpose] + access.link_token(settings.link_secret.get_secret_value(), purpose, link.id)


def link_address(settings: Settings, purpose: Purpose, link: Link) -> str:
    """The whole address of a link, to hand over."""
    return settings.public_url.rstrip("/") + link_path(settings, purpose, link)


def signing_key(settings: Settings) -> Jwk:
    """The key that only intake and the command line hold."""
    if settings.signing_key is None:
        raise RuntimeError("Set ADVISOR_SIGNING_KEY: nobody can sign in without it.")
    return settings.signing_key


async def _locked_intake(connection: Connection, intake_id: UUID) -> IntakeStatus:
    found = await intakes.lock(connection, intake_id)
    if found is None:
        raise UnknownIntake
    return found


async def _locked(connection: Connection, account_id: UUID, kind: Kind) -> Account:
    account = await accounts.lock(connection, account_id, kind)
    if account is None:
        raise UnknownAccount
    return account


def _now() -> datetime:
    return datetime.now(UTC)
