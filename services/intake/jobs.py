"""What intake does on a timer."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from services.intake.store import drafts, intakes
from shared import outbox
from shared.postgres import Database
from shared.service import Job, Settings

log = structlog.get_logger(__name__)


async def reconcile(database: Database) -> None:
    """Say submissions again that have had no answer, so that nothing rests on Kafka keeping what it took."""
    async with database.transaction() as connection:
        due = await intakes.ask_again(connection, datetime.now(UTC))
        if due:
            await outbox.say_again(connection, due)
    if due:
        log.warning("submissions.said_again", count=len(due))


async def drop_expired_drafts(database: Database) -> None:
    """Delete drafts that nobody has come back to: they hold names and addresses."""
    async with database.transaction() as connection:
        await drafts.drop_expired(connection, datetime.now(UTC))


def jobs(settings: Settings) -> Sequence[Job]:
    """Intake's timers."""
    return Job("reconcile", 5, reconcile), Job("expired drafts", 3600, drop_expired_drafts)
