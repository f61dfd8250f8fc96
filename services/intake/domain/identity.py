"""Who a sign-in provider says somebody is, and what that person may do here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.intake.domain.accounts import LONGEST_NAME, email_refusals, in_order, normalised_email, normalised_name
from shared.contracts.intake import Role


class NoRole(Exception):
    """The provider knows the person, but none of what it says opens anything here."""

    def __init__(self) -> None:
        super().__init__("You have no role here yet, so there is nothing to see.")


class NoAddress(Exception):
    """The provider tells no e-mail address that an account could be kept under."""

    def __init__(self) -> None:
        super().__init__("It told us no e-mail address for you, and an account needs one.")


class NotConnected(Exception):
    """An account stays as it is, without this identity; says why."""


class Deactivated(Exception):
    """An admin keeps this person out."""

    def __init__(self) -> None:
        super().__init__("Your account here is deactivated.")


@dataclass(frozen=True)
class Identity:
    """A person at a provider: told apart by issuer and subject alone. `email` is empty where none was told."""

    issuer: str
    subject: str
    email: str
    name: str
    roles: tuple[Role, ...]


def identity(claims: Mapping[str, Any], roles_claim: str, roles: Mapping[str, Role]) -> Identity:
    """The person that verified claims are about, with the roles that the values of one claim are mapped to."""
    email = normalised_email(str(claims.get("email", "")))
    name = normalised_name(str(claims.get("name") or claims.get("preferred_username") or email or claims["sub"]))
    return Identity(
        issuer=claims["iss"],
        subject=claims["sub"],
        email="" if email_refusals(email) else email,
        name=name[:LONGEST_NAME],
        roles=in_order({roles[value] for value in claimed(claims, roles_claim) if value in roles}),
    )


def claimed(claims: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a claim; a dotted name that is no claim itself leads into nested ones: `realm_access.roles`."""
    found: Any = claims
    for key in [name] if name in claims else name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return [value for value in values if isinstance(value, str)]
