"""What a prospect is promised: an answer within two working days. Public holidays are not known here."""

from datetime import UTC, date, datetime, time, timedelta

WORKING_DAYS = 2
SATURDAY = 5


def answer_day(asked_at: datetime) -> date:
    """The last day, in UTC, on which the answer comes as promised."""
    day, left = asked_at.astimezone(UTC).date(), WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < SATURDAY
    return day


def answer_due(asked_at: datetime) -> datetime:
    """By when to have an answer: at the same time of that day, and by its end to what came on a weekend."""
    asked_at = asked_at.astimezone(UTC)
    if asked_at.weekday() < SATURDAY:
        return datetime.combine(answer_day(asked_at), asked_at.timetz())
    return datetime.combine(answer_day(asked_at) + timedelta(days=1), time.min, UTC)
