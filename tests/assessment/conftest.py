import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.assessment import handlers
from services.intake import handlers as accounts
from shared.postgres import Database
from shared.service import Settings
from tests.assessment.commands import Operator


@pytest.fixture
async def rubrics(connect: Callable[[str], Awaitable[Database]]) -> Database:
    """Assessment's database with the packaged rubrics in force."""
    found = await connect("assessment")
    await handlers.seed_rubrics(found)
    return found


@pytest.fixture
async def operator(
    settings: Settings, connect: Callable[[str], Awaitable[Database]], rubrics: Database, tmp_path: Path
) -> Operator:
    """Runs commands on a database with two rubric owners, and somebody else who shares a name."""
    intake = await connect("intake")
    for email, name, roles in (
        ("anna@example.com", "Anna Berg", ["rubric_owner"]),
        ("ida@example.com", "Ida Ott", ["sales", "rubric_owner"]),
        ("ida.ott@example.com", "Ida Ott", ["sales"]),
    ):
        await accounts.add_account(intake, settings, email=email, name=name, roles=roles)
    environment = os.environ | {
        "ADVISOR_DATABASE_URL": settings.database_url.get_secret_value(),
        "ADVISOR_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "ADVISOR_PUBLIC_URL": settings.public_url,
        "ADVISOR_LINK_SECRET": settings.link_secret.get_secret_value() if settings.link_secret else "",
        "ADVISOR_VERIFICATION_KEYS": json.dumps(settings.verification_keys),
    }
    return Operator(environment, tmp_path)
