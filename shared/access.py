"""Who may: signed staff tokens checked against the staff projection, and links that carry their own proof."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from shared.contracts.intake import Role, StaffChanged
from shared.postgres import Connection, Database

Jwk: TypeAlias = dict[str, str | list[str]]

ALGORITHM = "Ed25519"
COOKIE = "advisor"
SECURE_COOKIE = "__Host-advisor"
PROOF_BYTES = 16
DOCUMENT_LINK = "document"


class NotSignedIn(Exception):
    """Nobody is signed in, or the sign-in has ended."""


class NotAllowed(Exception):
    """Signed in, but none of the account's roles may do this."""

    def __init__(self, roles: tuple[Role, ...], *, is_admin: bool) -> None:
        self.is_admin = is_admin
        super().__init__(f"This needs the role {' or '.join(role.replace('_', ' ') for role in roles)}.")


@dataclass(frozen=True)
class Principal:
    """An account or an API key, as its token and the staff projection say it is now."""

    id: UUID
    session_id: UUID
    name: str
    roles: tuple[Role, ...]
    version: int

    @property
    def is_person(self) -> bool:
        """True for somebody who signed in; an API key is its own session."""
        return self.session_id != self.id

    def may(self, *roles: Role) -> bool:
        """True when it has one of the roles."""
        return any(role in self.roles for role in roles)


def new_signing_key() -> Jwk:
    """A fresh Ed25519 key pair as a private JWK with its id."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return {name: str(value) for name, value in key.as_dict(private=True).items()}


def public_part(signing_key: Jwk) -> Jwk:
    """The public JWK of a private one."""
    return {name: value for name, value in signing_key.items() if name != "d"}


def sign(principal: Principal, signing_key: Jwk, *, issued: datetime, expires: datetime | None) -> str:
    """A token for a session or an API key; without `expires` it ends only when it is ended."""
    claims: dict[str, object] = {
        "sub": str(principal.id),
        "sid": str(principal.session_id),
        "name": principal.name,
        "roles": list(principal.roles),
        "ver": principal.version,
        "iat": int(issued.timestamp()),
    }
    if expires is not None:
        claims["exp"] = int(expires.timestamp())
    key = OKPKey.import_key(signing_key)
    return jwt.encode({"alg": ALGORITHM, "kid": signing_key["kid"]}, claims, key, algorithms=[ALGORITHM])


class Verifier:
    """Reads tokens with the public keys: two of them while keys are being rotated."""

    def __init__(self, public_keys: list[Jwk]) -> None:
        self._keys = KeySet([OKPKey.import_key(key) for key in public_keys])
        self._claims = jwt.JWTClaimsRegistry()

    def read(self, token: str) -> Principal:
        """The bearer of a token that this system signed and that has not run out; raises NotSignedIn."""
        try:
            claims = jwt.decode(token, self._keys, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
            return Principal(
                id=UUID(claims["sub"]),
                session_id=UUID(claims["sid"]),
                name=str(claims["name"]),
                roles=tuple(claims["roles"]),
                version=int(claims["ver"]),
            )
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise NotSignedIn("The sign-in has ended. Sign in again.") from error


async def on_staff_changed(connection: Connection, event: StaffChanged) -> None:
    """Take over a newer state of an account or key."""
    await connection.execute(
        """
        insert into staff (id, version, name, roles, active, sessions_ended, is_person)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (id) do update set version = excluded.version, name = excluded.name, roles = excluded.roles,
            active = excluded.active, sessions_ended = excluded.sessions_ended, is_person = excluded.is_person
        where staff.version < excluded.version
        """,
        event.staff_id,
        event.version,
        event.name,
        list(event.roles),
        event.active,
        list(event.sessions_ended),
        event.is_person,
    )


async def present(connection: Connection, principal: Principal) -> Principal:
    """The principal as the projection knows it now; where it knows nothing newer the token is trusted.

    Raises NotSignedIn.
    """
    row = await connection.fetchrow(
        "select * from staff where id = $1 and version >= $2", principal.id, principal.version
    )
    if row is None:
        return principal
    if not row["active"] or principal.session_id in row["sessions_ended"]:
        raise NotSignedIn("The sign-in has ended. Sign in again.")
    return Principal(principal.id, principal.session_id, row["name"], tuple(row["roles"]), row["version"])


def token_of(request: Request) -> str:
    """The token that a request carries, by bearer header or cookie; empty where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(SECURE_COOKIE if request.app.state.settings.is_secure else COOKIE, "")
    return token


async def signed_in(request: Request) -> Principal:
    """Whoever sends the request, by bearer token or cookie; raises NotSignedIn."""
    verifier: Verifier = request.app.state.verifier
    database: Database = request.app.state.database
    principal = verifier.read(token_of(request))
    async with database.connection() as connection:
        return await present(connection, principal)


Staff = Annotated[Principal, Depends(signed_in)]


def requires(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets only these roles pass; raises NotSignedIn or NotAllowed."""

    async def allowed(principal: Staff) -> Principal:
        if not principal.may(*roles):
            raise NotAllowed(roles, is_admin=principal.may("admin"))
        return principal

    return allowed


def link_token(secret: str, purpose: str, link_id: UUID) -> str:
    """The part of an address that opens a link: derived from its id, so it is never stored and can be sent again."""
    proof = hmac.digest(secret.encode(), f"{purpose}:{link_id}".encode(), hashlib.sha256)[:PROOF_BYTES]
    return base64.urlsafe_b64encode(link_id.bytes + proof).rstrip(b"=").decode()


def link_id(secret: str, purpose: str, token: str) -> UUID | None:
    """The id in a link's token, or None where the token was not made here for this purpose."""
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    if len(content) != 16 + PROOF_BYTES:
        return None
    found = UUID(bytes=content[:16])
    return found if hmac.compare_digest(link_token(secret, purpose, found), token) else None
