"""Accounts, their sessions and their links."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from services.intake.domain.accounts import LINK_LASTS, SESSION_LASTS, Account, Kind, Link, Purpose, Session
from services.intake.domain.identity import Identity
from shared.contracts.intake import Role
from shared.postgres import Connection, rows_affected


async def add(
    connection: Connection,
    kind: Kind,
    *,
    email: str | None,
    name: str,
    roles: Collection[Role],
    at: datetime,
    password_hash: str | None = None,
) -> UUID | None:
    """The id of a new account; None where the address has one. It counts once its state is announced."""
    account_id: UUID | None = await connection.fetchval(
        """
        insert into account (kind, email, name, roles, password_hash, created_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (email) do nothing returning id
        """,
        kind,
        email,
        name,
        list(roles),
        password_hash,
        at,
    )
    return account_id


async def find(connection: Connection, account_id: UUID, kind: Kind) -> Account | None:
    """A person or a key."""
    row = await connection.fetchrow("select * from account where id = $1 and kind = $2", account_id, kind)
    return None if row is None else _account(row)


async def lock(connection: Connection, account_id: UUID, kind: Kind) -> Account | None:
    """A person or a key that nobody else changes until the transaction ends."""
    row = await connection.fetchrow("select * from account where id = $1 and kind = $2 for update", account_id, kind)
    return None if row is None else _account(row)


async def listed(connection: Connection, kind: Kind) -> list[Account]:
    """All people or all keys, those that may do something first, then by name."""
    rows = await connection.fetch(
        "select * from account where kind = $1 order by active desc, lower(name), created_at", kind
    )
    return [_account(row) for row in rows]


async def password_of(connection: Connection, email: str) -> tuple[UUID, str] | None:
    """Account and password hash of a person who may sign in."""
    row = await connection.fetchrow(
        "select id, password_hash from account where email = $1 and active and password_hash is not null", email
    )
    return None if row is None else (row["id"], row["password_hash"])


async def lock_admins(connection: Connection) -> list[UUID]:
    """The admins who can sign in. Callers that take one away do this first, so they wait for each other."""
    rows = await connection.fetch(
        """
        select id from account
        where kind = 'person' and active and num_nonnulls(password_hash, issuer) > 0 and 'admin' = any(roles)
        order by id for update
        """
    )
    return [row["id"] for row in rows]


async def has_admin(connection: Connection) -> bool:
    """True when an admin can sign in."""
    found: bool = await connection.fetchval(
        """
        select exists (
            select from account
            where kind = 'person' and active and num_nonnulls(password_hash, issuer) > 0 and 'admin' = any(roles)
        )
        """
    )
    return found


async def set_roles(connection: Connection, account_id: UUID, roles: Collection[Role]) -> None:
    """Replace the roles."""
    await connection.execute("update account set roles = $2 where id = $1", account_id, list(roles))


async def set_active(connection: Connection, account_id: UUID, *, active: bool) -> None:
    """Let the account in or keep it out."""
    await connection.execute("update account set active = $2 where id = $1", account_id, active)


async def set_password(connection: Connection, account_id: UUID, password_hash: str) -> None:
    """Replace the password's hash."""
    await connection.execute("update account set password_hash = $2 where id = $1", account_id, password_hash)


async def lock_identity(connection: Connection, issuer: str, subject: str) -> Account | None:
    """The account that an identity is connected with, if any: nobody else changes either until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"{issuer} {subject}")
    row = await connection.fetchrow(
        "select * from account where issuer = $1 and subject = $2 for update", issuer, subject
    )
    return None if row is None else _account(row)


async def connect(connection: Connection, account_id: UUID, who: Identity) -> None:
    """Let the account be signed in to by an identity, and by no password any more."""
    await connection.execute(
        "update account set issuer = $2, subject = $3, password_hash = null where id = $1",
        account_id,
        who.issuer,
        who.subject,
    )


async def describe(connection: Connection, account_id: UUID, who: Identity) -> bool:
    """Take over roles, name and address from an identity; True where what others know of the account has changed.

    An address that another account has is left there.
    """
    changed: bool = await connection.fetchval(
        """
        update account set roles = $2, name = $3, email = case
            when $4 = '' or exists (select from account as other where other.email = $4) then account.email else $4 end
        from account as before where account.id = $1 and before.id = $1
        returning (before.roles, before.name) is distinct from (account.roles, account.name)
        """,
        account_id,
        list(who.roles),
        who.name,
        who.email,
    )
    return changed


async def next_version(connection: Connection, account_id: UUID) -> Account:
    """The account with its version raised by one."""
    row = await connection.fetchrow("update account set version = version + 1 where id = $1 returning *", account_id)
    assert row is not None
    return _account(row)


async def open_session(
    connection: Connection, account_id: UUID, at: datetime, *, password_hash: str | None = None
) -> tuple[Account, Session] | None:
    """A new session; None where the account was deactivated or the password changed that was checked, if one was.

    The account's sessions that have run out are forgotten.
    """
    row = await connection.fetchrow(
        """
        select * from account where id = $1 and active and ($2::text is null or password_hash = $2) for update
        """,
        account_id,
        password_hash,
    )
    if row is None:
        return None
    await connection.execute("delete from session where account_id = $1 and expires_at <= $2", account_id, at)
    session = await connection.fetchrow(
        """
        insert into session (account_id, created_at, expires_at) values ($1, $2, $3)
        returning id, created_at, expires_at
        """,
        account_id,
        at,
        at + SESSION_LASTS,
    )
    assert session is not None
    return _account(row), Session(**session)


async def open_sessions(connection: Connection, account_id: UUID, now: datetime) -> list[Session]:
    """The sessions that still work, the newest first."""
    rows = await connection.fetch(
        """
        select id, created_at, expires_at from session
        where account_id = $1 and ended_at is null and expires_at > $2 order by created_at desc
        """,
        account_id,
        now,
    )
    return [Session(**row) for row in rows]


async def end_sessions(
    connection: Connection, account_id: UUID, at: datetime, *, only: UUID | None = None, keep: UUID | None = None
) -> int:
    """End the account's sessions that still work: one, all but one, or all. Returns how many."""
    status = await connection.execute(
        """
        update session set ended_at = $2
        where account_id = $1 and ended_at is null and expires_at > $2
          and ($3::uuid is null or id = $3) and ($4::uuid is null or id <> $4)
        """,
        account_id,
        at,
        only,
        keep,
    )
    return rows_affected(status)


async def ended_sessions(connection: Connection, account_id: UUID, now: datetime) -> tuple[UUID, ...]:
    """The sessions that were ended although their tokens have not run out."""
    rows = await connection.fetch(
        "select id from session where account_id = $1 and ended_at is not null and expires_at > $2 order by id",
        account_id,
        now,
    )
    return tuple(row["id"] for row in rows)


async def ensure_link(connection: Connection, purpose: Purpose, account_id: UUID | None, now: datetime) -> Link:
    """The link that still works, or else a new one; the one before it then never works again."""
    row = await connection.fetchrow(
        """
        insert into account_link as kept (purpose, account_id, expires_at) values ($1, $2, $3)
        on conflict (purpose, account_id) where used_at is null do update set
            id = case when kept.expires_at > $4 then kept.id else excluded.id end,
            expires_at = case when kept.expires_at > $4 then kept.expires_at else excluded.expires_at end
        returning id, account_id, expires_at
        """,
        purpose,
        account_id,
        now + LINK_LASTS[purpose],
        now,
    )
    assert row is not None
    return Link(**row)


async def open_link_of(connection: Connection, account_id: UUID, now: datetime) -> Link | None:
    """The link to set a password that a person has and that still works."""
    row = await connection.fetchrow(
        """
        select id, account_id, expires_at from account_link
        where account_id = $1 and used_at is null and expires_at > $2
        """,
        account_id,
        now,
    )
    return None if row is None else Link(**row)


async def open_link(connection: Connection, purpose: Purpose, link_id: UUID, now: datetime) -> Link | None:
    """A link by its id, where it still works."""
    row = await connection.fetchrow(
        """
        select id, account_id, expires_at from account_link
        where id = $1 and purpose = $2 and used_at is null and expires_at > $3
        """,
        link_id,
        purpose,
        now,
    )
    return None if row is None else Link(**row)


async def use_link(connection: Connection, link_id: UUID, at: datetime) -> bool:
    """Use a link up; False where it does not work any more. Of two callers at once one gets True."""
    status = await connection.execute(
        "update account_link set used_at = $2 where id = $1 and used_at is null and expires_at > $2", link_id, at
    )
    return rows_affected(status) == 1


async def drop_link(connection: Connection, account_id: UUID) -> None:
    """Let the link that a person has work no more."""
    await connection.execute("delete from account_link where account_id = $1 and used_at is null", account_id)


def _account(row: asyncpg.Record) -> Account:
    return Account(
        id=row["id"],
        kind=row["kind"],
        email=row["email"],
        name=row["name"],
        roles=tuple(row["roles"]),
        active=row["active"],
        version=row["version"],
        created_at=row["created_at"],
        has_password=row["password_hash"] is not None,
        is_connected=row["issuer"] is not None,
    )
