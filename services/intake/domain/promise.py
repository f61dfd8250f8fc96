"""What a prospect is promised: an answer within two working days of sending."""

from datetime import UTC, date, datetime, timedelta

WORKING_DAYS = 2
SATURDAY = 5


def answer_due(sent_at: datetime) -> date:
    """The last day, in UTC, on which the answer comes as promised. Public holidays are not known here."""
    due, left = sent_at.astimezone(UTC).date(), WORKING_DAYS
    while left:
        due += timedelta(days=1)
        left -= due.weekday() < SATURDAY
    return due
