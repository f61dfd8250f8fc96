"""When an answer is promised for, on every day of the week."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.promise import answer_day, answer_due

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked_at", "day", "due"),
    [
        ("2026-11-23T09:30Z", "2026-11-25", "2026-11-25T09:30Z"),
        ("2026-11-26T23:59Z", "2026-11-30", "2026-11-30T23:59Z"),
        ("2026-11-27T17:00Z", "2026-12-01", "2026-12-01T17:00Z"),
        ("2026-11-28T08:00Z", "2026-12-01", "2026-12-02T00:00Z"),
        ("2026-11-29T08:00Z", "2026-12-01", "2026-12-02T00:00Z"),
        ("2026-11-29T23:30-01:00", "2026-12-02", "2026-12-02T00:30Z"),
    ],
)
def test_an_answer_is_promised_within_two_working_days(asked_at: str, day: str, due: str) -> None:
    moment = datetime.fromisoformat(asked_at)
    assert (answer_day(moment), answer_due(moment)) == (date.fromisoformat(day), datetime.fromisoformat(due))


@given(asked=st.integers(0, 10_000_000), later=st.integers(0, 10_000))
def test_who_asks_later_is_never_promised_an_answer_sooner(asked: int, later: int) -> None:
    first = MONDAY + timedelta(minutes=asked)
    assert answer_due(first) <= answer_due(first + timedelta(minutes=later))
