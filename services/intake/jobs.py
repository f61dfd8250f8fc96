"""What intake does on a timer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import structlog

from services.intake import handlers
from services.intake.domain.mail import MOST_ATTEMPTS, Addressee, Mail, State, why_dropped
from services.intake.domain.retention import KEPT
from services.intake.handlers.messages import Postponed, Refused, compose, deliver
from services.intake.store import drafts, intakes, invitations, mail
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


async def erase_forgotten(database: Database) -> None:
    """Erase requests to which nothing has happened for two years, as their prospects were told."""
    async with database.connection() as connection:
        due = await intakes.forgotten(connection, datetime.now(UTC), KEPT)
    for intake_id in due:
        async with database.transaction() as connection:
            await handlers.erase(connection, intake_id)
    if due:
        log.info("intakes.erased", count=len(due))


async def remind_invited(database: Database) -> None:
    """Remind, once, of personal links that were mailed some days ago and from which nothing was sent in."""
    async with database.transaction() as connection:
        now = datetime.now(UTC)
        for draft_id in await invitations.due_reminders(connection, now):
            await mail.queue(connection, "invitation_reminder", draft_id, now)


async def send_mail(database: Database, settings: Settings) -> None:
    """Send what is due, each message by itself, until nothing is due or the server does not take one.

    A message goes out twice only where the process ends between the server's answer and noting it, or where that answer
    is lost; it then has the same Message-ID. Without a mail server all that is due is kept.
    """
    if settings.smtp_url is None:
        async with database.connection() as connection:
            await mail.keep_due(connection, datetime.now(UTC))
        return
    state: State = "sent"
    while state != "queued":
        async with database.connection() as connection:
            message = await mail.claim(connection, datetime.now(UTC))
            if message is None:
                return
            addressee = await mail.addressee(connection, message.about)
        state, reason = await _attempt(message, addressee, settings)
        async with database.connection() as connection:
            await mail.settle(connection, message, state, reason, datetime.now(UTC) if state == "sent" else None)
        log.info("mail", id=str(message.id), kind=message.kind, state=state, attempts=message.attempts, reason=reason)


async def _attempt(message: Mail, addressee: Addressee | None, settings: Settings) -> tuple[State, str | None]:
    assert settings.smtp_url is not None
    if reason := why_dropped(message, addressee):
        return "dropped", reason
    assert addressee is not None, "what it is about is there"
    try:
        await deliver(compose(message, addressee, settings), settings.smtp_url)
    except Refused as refusal:
        return "failed", str(refusal)
    except Postponed as postponed:
        return ("failed" if message.attempts >= MOST_ATTEMPTS else "queued"), str(postponed)
    return "sent", None


def jobs(settings: Settings) -> Sequence[Job]:
    """Intake's timers."""
    return (
        Job("reconcile", 5, reconcile),
        Job("expired drafts", 3600, drop_expired_drafts),
        Job("forgotten requests", 3600, erase_forgotten),
        Job("invitation reminders", 600, remind_invited),
        Job("mail", 5, partial(send_mail, settings=settings)),
    )
