"""What recommendation does on a timer."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.recommendation.domain.release import has_run_out
from services.recommendation.store import cases, documents
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationExpired
from shared.postgres import Database
from shared.service import Job, Settings

AT_ONCE = 100


async def expire(database: Database) -> None:
    """Close the cases whose client's link ran out without a last word, and say so. A new link opens them again."""
    now = datetime.now(UTC)
    async with database.connection() as connection:
        due = await documents.run_out(connection, now, AT_ONCE)
    for intake_id in due:
        async with database.transaction() as connection:
            case = await cases.lock(connection, intake_id)
            last = next(iter(await documents.shelf(connection, intake_id)), None)
            if case is None or last is None or not has_run_out(case.state, last.link, now):
                continue
            expired = RecommendationExpired(
                intake_id=intake_id,
                version=case.version + 1,
                time=now,
                revision=case.revision,
                document=last.document.number,
            )
            await cases.advance(connection, intake_id, case.revision, expired.version, "expired")
            await outbox.say(connection, expired)
            await audit.record(connection, "expired", intake_id, now, {"document": expired.document})


def jobs(settings: Settings) -> Sequence[Job]:
    """Recommendation's timers."""
    return (Job("expired links", 60, expire),)
