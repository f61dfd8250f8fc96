"""A call in a calendar: the same entry through all changes, at the right time on both sides of a change of clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from shared.appointment import Appointment, calendar_file, time_zone

STARTS = datetime(2026, 12, 1, 14, tzinfo=UTC)
ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "System")))


def appointment(**changes: Any) -> Appointment:
    known: dict[str, Any] = {
        "id": UUID(int=9),
        "sequence": 0,
        "is_cancelled": False,
        "starts_at": STARTS,
        "ends_at": STARTS + timedelta(minutes=30),
        "zone": "Europe/Vienna",
        "company": "Müller, Söhne; Partner",
        "address": "https://firm.example/d/a-token",
    }
    return Appointment(**known | changes)


def read(one: Appointment) -> tuple[str, Any]:
    calendar = Calendar.from_ical(calendar_file(one, STARTS))
    (event,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), event


def offset_told(zone: ZoneInfo, around: datetime, at: datetime) -> timedelta:
    """What a calendar that knows no zones of its own makes of the description."""
    begun = []
    for part in time_zone(zone, around).subcomponents:
        told: Any = part
        before: timedelta = told["TZOFFSETFROM"].td
        begins = told["DTSTART"].dt.replace(tzinfo=UTC) - before
        if begins <= at:
            begun.append((begins, told["TZOFFSETTO"].td))
    found: timedelta = max(begun)[1]
    return found


def test_an_entry_without_an_addressee_is_one_to_keep() -> None:
    asked, event = read(appointment(place="Room <1>"))
    assert asked == "PUBLISH"
    assert event["SUMMARY"] == "Call about our recommendation for Müller, Söhne; Partner"
    assert event["LOCATION"] == "Room <1>"
    assert (event.start, event.end) == (STARTS, STARTS + timedelta(minutes=30))
    assert event["DTSTART"].params["TZID"] == "Europe/Vienna"


def test_a_moved_and_a_cancelled_call_are_later_words_on_the_same_entry() -> None:
    people = {"organizer": ("The firm", "hello@firm.example"), "attendee": ("Ines Albrecht", "ines@client.example")}
    said = [
        read(appointment(**people)),
        read(appointment(**people, sequence=1, starts_at=STARTS + timedelta(minutes=10))),
        read(appointment(**people, sequence=2, is_cancelled=True)),
    ]
    assert [asked for asked, _ in said] == ["REQUEST", "REQUEST", "CANCEL"]
    assert {str(event["UID"]) for _, event in said} == {str(UUID(int=9))}
    assert [event["SEQUENCE"] for _, event in said] == [0, 1, 2]
    assert [str(event["STATUS"]) for _, event in said] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert str(said[0][1]["ATTENDEE"]) == "mailto:ines@client.example"


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Vienna", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Vienna", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
        ("America/St_Johns", datetime(2026, 3, 8, 5, 30, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC)),
    ],
)
def test_a_change_of_clocks_is_described_to_the_second(zone: str, change: datetime) -> None:
    key, second = ZoneInfo(zone), timedelta(seconds=1)
    before, after = (moment.astimezone(key).utcoffset() for moment in (change - second, change))
    assert before != after
    assert offset_told(key, change, change - second) == before
    assert offset_told(key, change, change) == after


@given(
    st.sampled_from(ZONES),
    st.integers(0, 2_500_000),
    st.timedeltas(timedelta(days=-300), timedelta(days=300)),
)
def test_a_described_zone_tells_the_time_that_it_has(name: str, minutes: int, away: timedelta) -> None:
    zone, around = ZoneInfo(name), STARTS + timedelta(minutes=minutes)
    at = around + away
    assert offset_told(zone, around, at) == at.astimezone(zone).utcoffset()
