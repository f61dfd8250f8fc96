"""Accounts of people and keys: what they must hold, what their links and sessions last, and who must stay."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from shared.contracts.intake import Role

Kind: TypeAlias = Literal["person", "key"]
Purpose: TypeAlias = Literal["first-admin", "set-password"]

ROLES: tuple[Role, ...] = get_args(Role)
SESSION_LASTS = timedelta(hours=12)
LINK_LASTS: dict[Purpose, timedelta] = {"first-admin": timedelta(days=1), "set-password": timedelta(days=7)}
LONGEST_EMAIL = 254
LONGEST_NAME = 100
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
LONGEST_COMPOSED = 5

HOME: tuple[tuple[Role, str], ...] = (
    ("account_manager", "/reviews/"),
    ("sales", "/console/"),
    ("admin", "/account/people"),
)


class FieldsRefused(Exception):
    """Some fields need another value: what to do, by field."""

    def __init__(self, refusals: dict[str, str]) -> None:
        super().__init__(" ".join(refusals.values()))
        self.refusals = refusals


class EmailTaken(Exception):
    """Another account has this e-mail address."""

    def __init__(self) -> None:
        super().__init__("There is an account with this e-mail address. Use it, or give another address.")


class LastAdmin(Exception):
    """Without this account nobody could manage accounts any more."""

    def __init__(self) -> None:
        super().__init__("This is the last admin who can sign in. Make somebody else an admin first.")


class UnknownAccount(Exception):
    """There is no such account or key."""

    def __init__(self) -> None:
        super().__init__("There is no such account. Open it from the list.")


@dataclass(frozen=True)
class Account:
    """A person or a key as it is kept; only people have an e-mail address, and may be connected with an identity."""

    id: UUID
    kind: Kind
    email: str | None
    name: str
    roles: tuple[Role, ...]
    active: bool
    version: int
    created_at: datetime
    has_password: bool
    is_connected: bool

    @property
    def state(self) -> Literal["active", "invited", "deactivated"]:
        """Invited until a password is set, unless the provider signs this person in."""
        if not self.active:
            return "deactivated"
        return "active" if self.has_password or self.is_connected or self.kind == "key" else "invited"


@dataclass(frozen=True)
class Session:
    """One sign-in of a person."""

    id: UUID
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Link:
    """A link that still works; one for the first admin belongs to no account."""

    id: UUID
    account_id: UUID | None
    expires_at: datetime


def normalised_email(text: str) -> str:
    """The address as it is kept and compared."""
    return _composed("NFC", text.strip(), LONGEST_EMAIL).lower()


def normalised_name(text: str) -> str:
    """The name with single spaces."""
    return _composed("NFC", " ".join(text.split()), LONGEST_NAME)


def normalised_password(text: str) -> str:
    """The same characters for the same password, however the keyboard composes them (NIST SP 800-63B)."""
    return _composed("NFKC", text, LONGEST_PASSWORD)


def _composed(form: Literal["NFC", "NFKC"], text: str, longest: int) -> str:
    """What can only be too long is cut first, and stays too long: composing takes time by the square of the length."""
    return unicodedata.normalize(form, text[: LONGEST_COMPOSED * longest])


def in_order(roles: Collection[str]) -> tuple[Role, ...]:
    """The known ones of these roles, each once."""
    return tuple(role for role in ROLES if role in roles)


def email_refusals(email: str) -> dict[str, str]:
    """What to do about an address, by field; empty where it can be kept. An intranet's address will do."""
    address = normalised_email(email)
    if re.fullmatch(r"[^@\s]+@[^@\s]+", address) and len(address) <= LONGEST_EMAIL and _is_printable(address):
        return {}
    return {"email": "Enter an e-mail address such as name@company.com."}


def name_refusals(name: str) -> dict[str, str]:
    """What to do about a name, by field; empty where it can be kept."""
    name = normalised_name(name)
    if not name:
        return {"name": "Enter a name."}
    if len(name) > LONGEST_NAME or not _is_printable(name):
        return {"name": f"Use at most {LONGEST_NAME} characters, all of them visible."}
    return {}


def role_refusals(roles: Collection[str]) -> dict[str, str]:
    """What to do about a choice of roles, by field; empty where it can be kept."""
    if not roles:
        return {"roles": "Choose at least one role."}
    if not set(roles) <= set(ROLES):
        return {"roles": f"Choose among these roles: {', '.join(ROLES)}."}
    return {}


def password_refusals(password: str, again: str) -> dict[str, str]:
    """What to do about a new password typed twice, by field; empty where it can be kept."""
    password, again = normalised_password(password), normalised_password(again)
    if len(password) < SHORTEST_PASSWORD:
        return {"password": f"Use at least {SHORTEST_PASSWORD} characters. A few words in a row make a good password."}
    if len(password) > LONGEST_PASSWORD or not _is_printable(password):
        return {"password": f"Use at most {LONGEST_PASSWORD} characters, all of them visible."}
    if password != again:
        return {"again": "The two passwords differ. Type both again."}
    return {}


def refuse(refusals: dict[str, str]) -> None:
    """Raise FieldsRefused where there is something to do."""
    if refusals:
        raise FieldsRefused(refusals)


def keep_an_admin(admins: Collection[UUID], leaving: UUID) -> None:
    """Raise LastAdmin where `leaving` is the only one of the admins who can sign in."""
    if set(admins) == {leaving}:
        raise LastAdmin


def home(roles: Collection[Role]) -> str:
    """Where somebody with these roles begins."""
    return next((path for role, path in HOME if role in roles), "/account/")


def local_path(address: str) -> str | None:
    """The address where it is a path on this site, else None. To a browser `//` and a backslash begin another site."""
    return address if re.fullmatch(r"/(?!/)[!-\[\]-~]*", address) else None


def _is_printable(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
