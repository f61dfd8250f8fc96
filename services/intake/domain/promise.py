"""What a prospect is promised: an answer within two working days of sending, and an end to what is kept."""

from datetime import UTC, date, datetime, timedelta

WORKING_DAYS = 2
SATURDAY = 5
KEPT = timedelta(days=730)


def answer_due(sent_at: datetime) -> date:
    """The last day, in UTC, on which the answer comes as promised. Public holidays are not known here."""
    due, left = sent_at.astimezone(UTC).date(), WORKING_DAYS
    while left:
        due += timedelta(days=1)
        left -= due.weekday() < SATURDAY
    return due


def kept_until(state: str, last_happened: datetime) -> datetime | None:
    """When a request is erased by itself; None where the client accepted and the work may go on."""
    return None if state == "accepted" else last_happened + KEPT
