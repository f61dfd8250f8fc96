"""Calls: which times are offered, who gets one that two want, and what becomes of it."""

import asyncio
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar
from pydantic import ValidationError

from services.recommendation.domain.booking import NOTICE, WEEKDAYS, ZONES, Hours, Period, TimeGone, free
from services.recommendation.events import HANDLERS
from services.recommendation.store import calls
from shared.contracts.intake import IntakeErased, IntakeWithdrawn
from shared.contracts.recommendation import RecommendationCallBooked
from shared.kafka import hand_over
from shared.postgres import Database
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import hear
from tests.recommendation.test_documents_pages import as_read
from tests.recommendation.test_release import approved, facts, released

MONDAY = datetime(2026, 3, 23, 8, tzinfo=UTC)
MOMENTS = st.integers(0, 1_000_000).map(lambda minutes: MONDAY + timedelta(minutes=minutes))
HALF_AN_HOUR = timedelta(minutes=30)

ALWAYS = dict.fromkeys(WEEKDAYS, "00:00-23:59")


def offered(now: datetime = MONDAY, **hours: str) -> list[datetime]:
    return [period.starts_at for period in free(Hours.model_validate(hours), (), HALF_AN_HOUR, now)]


def test_times_keep_to_the_hours_and_leave_a_day_of_notice() -> None:
    times = offered(zone="UTC", monday="09:00-10:00, 14:00-14:45", tuesday="07:00-09:00")
    assert [f"{moment:%m-%d %H:%M}" for moment in times[:3]] == ["03-24 08:00", "03-24 08:30", "03-30 09:00"]
    assert [moment.time() for moment in times if moment.date() == date(2026, 3, 30)] == [
        time(9),
        time(9, 30),
        time(14),
    ]


def test_a_day_off_has_no_times() -> None:
    days_off = "2026-03-25\n2026-03-30 to 2026-04-12"
    assert {moment.date() for moment in offered(zone="UTC", wednesday="09:00-10:00", days_off=days_off)} == set()
    assert len({moment.date() for moment in offered(zone="UTC", wednesday="09:00-10:00")}) == 3


@pytest.mark.parametrize(
    ("zone", "now", "count", "first"),
    [
        # clocks go forward: 02:00 to 03:00 is not there
        ("Europe/Vienna", datetime(2026, 3, 25, tzinfo=UTC), 4, datetime(2026, 3, 29, 0, tzinfo=UTC)),
        # clocks go back: 02:00 to 03:00 is there twice
        ("Europe/Vienna", datetime(2026, 10, 20, tzinfo=UTC), 8, datetime(2026, 10, 24, 23, tzinfo=UTC)),
        # by half an hour
        ("Australia/Lord_Howe", datetime(2026, 9, 30, tzinfo=UTC), 5, datetime(2026, 10, 3, 14, 30, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 3, 25, tzinfo=UTC), 6, datetime(2026, 3, 28, 19, 15, tzinfo=UTC)),
    ],
)
def test_hours_are_as_long_as_clocks_make_them(zone: str, now: datetime, count: int, first: datetime) -> None:
    times = offered(now, zone=zone, sunday="01:00-04:00")
    day = times[0].astimezone(ZoneInfo(zone)).date()
    on_the_day = [moment for moment in times if moment.astimezone(ZoneInfo(zone)).date() == day]
    assert (on_the_day[0], len(on_the_day)) == (first, count)


@given(
    st.sampled_from(ZONES),
    MOMENTS,
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 8)), max_size=5),
)
def test_what_is_offered_is_within_the_hours_and_meets_nothing(
    zone: str, now: datetime, busy: list[tuple[int, int]]
) -> None:
    hours = Hours.model_validate({"zone": zone, "monday": "00:30-03:30", "sunday": "01:00-23:30"})
    taken = [Period(now + start * HALF_AN_HOUR, now + (start + length) * HALF_AN_HOUR) for start, length in busy]
    for period in free(hours, taken, timedelta(minutes=60), now):
        starts, ends = (moment.astimezone(ZoneInfo(zone)) for moment in (period.starts_at, period.ends_at))
        assert starts.weekday() in (0, 6)
        assert any(window.starts <= starts.time() and ends.time() <= window.ends for window in hours.on(starts.date()))
        assert not any(period.meets(other) for other in taken)
        assert period.starts_at >= now + NOTICE


@pytest.mark.parametrize(
    ("field", "typed", "advice"),
    [
        ("monday", "nine to five", "Write the times like"),
        ("monday", "09:00-25:00", "from 00:00 to 23:59"),
        ("monday", "12:00-09:00", "in their order"),
        ("monday", "09:00-12:00, 11:00-13:00", "in their order"),
        ("monday", "09:00-09:00", "in their order"),
        ("days_off", "Christmas", "Write a day or days"),
        ("days_off", "2026-02-30", "Write a day or days"),
        ("days_off", "2026-12-31 to 2026-12-24", "Write a day or days"),
        ("zone", "Mars/Olympus", "Choose a time zone"),
    ],
)
def test_hours_that_cannot_stand_say_how_to_write_them(field: str, typed: str, advice: str) -> None:
    with pytest.raises(ValidationError, match=advice):
        Hours.model_validate({"zone": "UTC", field: typed})


async def case(
    database: Database, anna: httpx2.AsyncClient, answers: dict[str, str] = SAAS_SCALE_UP
) -> tuple[UUID, str]:
    """A case whose document is out, and its link."""
    intake_id = await approved(database, anna, answers)
    return intake_id, (await released(anna, intake_id))["link"]


async def offer(anna: httpx2.AsyncClient, **hours: str) -> None:
    typed = {"zone": "Europe/Vienna", "place": "https://meet.example/anna", **ALWAYS, **hours}
    assert (await anna.post("/reviews/calls/hours", data=typed)).status_code == 303


async def times(client: httpx2.AsyncClient, link: str, query: str = "") -> list[str]:
    page = await client.get(f"{link}/call{query}")
    assert page.status_code == 200, as_read(page)
    return re.findall(r'name="starts_at" value="([^"]+)"', page.text)


def booking(starts_at: str, **changes: str) -> dict[str, str]:
    return {"zone": "Asia/Kathmandu", "starts_at": starts_at, "name": "Ines Albrecht", "note": "+43 1 234", **changes}


async def said(database: Database, intake_id: UUID) -> list[RecommendationCallBooked]:
    async with database.connection() as connection:
        rows = await connection.fetch(
            "select payload from fact where key = $1 and topic = $2 order by version",
            intake_id,
            RecommendationCallBooked.topic,
        )
    return [RecommendationCallBooked.model_validate_json(row["payload"]) for row in rows]


async def test_a_client_books_moves_and_cancels_and_everybody_is_told(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    intake_id, link = await case(database, anna)
    assert "Choose a time for a call" not in (await client.get(link)).text, "nobody takes calls yet"
    assert (await client.get(f"{link}/call")).status_code == 409
    await offer(anna)
    first, second, *_ = await times(client, link, "?zone=Asia/Kathmandu")
    page = await client.get(f"{link}/call?zone=Asia/Kathmandu")
    assert "Nepal Time (Asia/Kathmandu)" in page.text
    local = datetime.fromisoformat(first).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert f"{local:%H:%M}" in as_read(page)

    for _ in range(2):
        assert (await client.post(f"{link}/call", data=booking(first))).status_code == 303
    document = as_read(await client.get(link))
    assert "Your call with Anna Berg is booked" in document
    assert "https://meet.example/anna" in document
    booked = Calendar.from_ical((await client.get(f"{link}/call.ics")).text)
    assert (await client.post(f"{link}/call", data=booking(second))).status_code == 303
    for _ in range(2):
        assert (await client.post(f"{link}/call/cancel")).status_code == 303
    assert "The call is cancelled" in as_read(await client.get(link))
    off = Calendar.from_ical((await client.get(f"{link}/call.ics")).text)

    told = await said(database, intake_id)
    assert [(one.status, one.sequence) for one in told] == [("booked", 0), ("booked", 1), ("cancelled", 2)]
    assert [one.starts_at.isoformat() for one in told] == [first, second, second]
    assert {(one.call_id, one.zone, one.by) for one in told} == {(told[0].call_id, "Asia/Kathmandu", None)}
    kept: Any = booked.walk("VEVENT")[0]
    gone: Any = off.walk("VEVENT")[0]
    assert (str(booked["METHOD"]), str(off["METHOD"])) == ("PUBLISH", "CANCEL")
    assert str(kept["UID"]) == str(gone["UID"]) == str(told[0].call_id)
    assert (kept["SEQUENCE"], gone["SEQUENCE"]) == (0, 2)
    assert kept.start == datetime.fromisoformat(first)
    assert (await facts(database, intake_id)).count("opened") == 1
    assert "Cancelled" in as_read(await anna.get("/reviews/calls/"))


async def test_two_who_want_the_same_time_are_not_both_given_it(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    await offer(anna)
    links = [(await case(database, anna))[1] for _ in range(2)]
    (first, *_) = await times(client, links[0])
    answers = await asyncio.gather(*(client.post(f"{link}/call", data=booking(first)) for link in links))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert "That time is no longer free" in as_read(refused)
    assert 'value="Ines Albrecht"' in refused.text
    assert first not in re.findall(r'name="starts_at" value="([^"]+)"', refused.text)


async def test_the_database_itself_keeps_a_hosts_calls_apart(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    await offer(anna)
    _, link = await case(database, anna)
    (first, *_) = await times(client, link)
    await client.post(f"{link}/call", data=booking(first))
    async with database.connection() as connection:
        (call,) = [one.call for one in await calls.listed(connection, None, datetime.now(UTC))]
        other, _ = await case(database, anna)
        late = {"starts_at": call.starts_at + timedelta(minutes=29), "ends_at": call.ends_at + timedelta(minutes=29)}
        twin = type(call)(**vars(call) | late | {"id": UUID(int=1), "intake_id": other})
        with pytest.raises(TimeGone):
            await calls.keep(connection, twin)
        await calls.keep(connection, type(call)(**vars(twin) | {"status": "cancelled"}))


async def test_a_booking_that_needs_more_keeps_what_was_typed(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    await offer(anna)
    intake_id, link = await case(database, anna)
    (first, *_) = await times(client, link)
    for changes, advice in (
        ({"name": ""}, "Give your name"),
        ({"name": "  "}, "Give your name"),
        ({"starts_at": ""}, "Free times Nepal Time (Asia/Kathmandu) To do: Choose a time."),
        ({"zone": "Mars/Olympus"}, "Choose a time zone from the list."),
    ):
        answer = await client.post(f"{link}/call", data=booking(first) | changes)
        assert answer.status_code == 422
        assert advice in as_read(answer)
        assert "+43 1 234" in answer.text
    assert await said(database, intake_id) == []


async def test_a_discovery_call_is_offered_first_and_is_to_be_come_back_to(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    await offer(anna)
    intake_id, link = await case(database, anna, {"requirements": "written"})
    page = (await client.get(link)).text
    assert page.index("Choose a time for the call") < page.index("Download it as a PDF")
    (first, *_) = await times(client, link)
    await client.post(f"{link}/call", data=booking(first))
    (told,) = await said(database, intake_id)
    assert told.ends_at - told.starts_at == timedelta(hours=1), "the agenda is for an hour"
    assert "The call is over" in as_read(await anna.get("/reviews/due/?later=true"))
    listed = as_read(await anna.get("/reviews/calls/"))
    assert "Ines Albrecht" in listed
    assert "+43 1 234" in listed
    assert (await anna.post(f"/reviews/calls/{told.call_id}/cancel")).status_code == 303
    assert (await anna.post(f"/reviews/calls/{told.call_id}/cancel")).status_code == 409
    assert [one.by is None for one in await said(database, intake_id)] == [True, False]
    assert "The call is over" not in as_read(await anna.get("/reviews/due/?later=true"))


async def test_withdrawal_cancels_the_call_once_and_gives_the_time_back(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    await offer(anna)
    intake_id, link = await case(database, anna)
    (first, *_) = await times(client, link)
    await client.post(f"{link}/call", data=booking(first))
    withdrawn = IntakeWithdrawn(intake_id=intake_id, version=9, time=datetime.now(UTC))
    for _ in range(2):
        await hear(database, withdrawn)
    told = await said(database, intake_id)
    assert [(one.status, one.sequence, one.by) for one in told] == [("booked", 0, None), ("cancelled", 1, None)]
    _, other = await case(database, anna)
    assert first in await times(client, other)


async def test_erasure_takes_who_was_to_be_called_and_gives_the_time_back(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient
) -> None:
    await offer(anna)
    intake_id, link = await case(database, anna)
    (first, *_) = await times(client, link)
    await client.post(f"{link}/call", data=booking(first))
    async with database.transaction() as connection:
        gone = IntakeErased(intake_id=intake_id, version=9, time=datetime.now(UTC))
        await hand_over(connection, HANDLERS, [gone])
        (call,) = await calls.of_case(connection, intake_id)
    assert (call.name, call.note, call.status) == (None, None, "cancelled")
    assert (await client.get(f"{link}/call.ics")).status_code == 410
    assert "Erased case" in as_read(await anna.get("/reviews/calls/"))
    _, other = await case(database, anna)
    assert first in await times(client, other)


async def test_a_case_shows_its_call_in_ones_own_time_and_in_the_clients(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient, sign_in: SignIn
) -> None:
    await offer(anna)
    intake_id, link = await case(database, anna)
    (first, *_) = await times(client, link)
    await client.post(f"{link}/call", data=booking(first))
    starts_at = datetime.fromisoformat(first)
    ours, theirs = (starts_at.astimezone(ZoneInfo(zone)) for zone in ("Europe/Vienna", "Asia/Kathmandu"))
    page = as_read(await anna.get(f"/reviews/{intake_id}/client"))
    assert 0 < page.index(f"{ours:%H:%M} Central European") < page.index(f"{theirs:%H:%M} there, Nepal Time")
    of_sales = as_read(await sign_in("sales").get(f"/reviews/{intake_id}/client"))
    assert f"{theirs:%H:%M} Nepal Time" in of_sales
    assert "there" not in of_sales
