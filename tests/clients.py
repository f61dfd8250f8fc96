"""Callers for tests: a service's app without its worker, and colleagues with tokens."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from shared import access
from shared.access import Principal
from shared.contracts.intake import Role
from shared.service import Settings


def colleague(
    app: FastAPI, settings: Settings, *roles: Role, name: str = "Anna Berg", person: UUID | None = None
) -> httpx2.AsyncClient:
    """A client with the token of somebody new, or known by an id, who has these roles."""
    assert settings.signing_key is not None
    principal = Principal(person or uuid7(), uuid7(), name, roles, 1)
    token = access.sign(principal, settings.signing_key, issued=datetime.now(UTC), expires=None)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )


def submission(**changes: Any) -> dict[str, Any]:
    """A body that is accepted, with some of it changed; a change to None leaves the field out."""
    body: dict[str, Any] = {
        "company": {"name": "Nordlicht Energie", "headcount": "51-250", "industry": "energy", "country": "DE"},
        "contact": {"name": "Ines Albrecht", "email": "ines@example.com"},
        "answers": {"requirements": "written", "change_rate": "hardly_ever"},
        "consent": True,
    } | changes
    return {name: value for name, value in body.items() if value is not None}
