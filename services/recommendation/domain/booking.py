"""How a client books a call: the hours that a colleague takes calls in, and the times that are left in them."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from services.recommendation.domain.release import MAX_NAME
from services.recommendation.domain.review import Reviewer, readable
from shared.contracts.recommendation import CallStatus, Model, ProposalState

NOTICE = timedelta(hours=24)
AHEAD = timedelta(days=21)
STEP = timedelta(minutes=30)
BOOKABLE: tuple[ProposalState, ...] = ("released", "accepted")
MAX_PLACE = 300
MAX_DAYS_OFF = 50

AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
ZONES = (*sorted(name for name in available_timezones() if name.split("/")[0] in AREAS and "/" in name), "UTC")
"""The time zones to choose from, by their names in the IANA database."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_WINDOW = re.compile(r"(\d{1,2})[:.](\d\d)\s*(?:-|\u2013|to)\s*(\d{1,2})[:.](\d\d)")
_DAYS = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s*(?:-|\u2013|to)\s*(\d{4}-\d\d-\d\d))?")


class Window(BaseModel):
    """A stretch of a day by the clock on the wall."""

    model_config = ConfigDict(frozen=True)

    starts: time
    ends: time

    def __str__(self) -> str:
        return f"{self.starts:%H:%M}-{self.ends:%H:%M}"


class DaysOff(BaseModel):
    """Days without calls, the last one included."""

    model_config = ConfigDict(frozen=True)

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


def _zone(name: str) -> str:
    if name not in ZONES:
        raise ValueError("Choose a time zone from the list.")
    return name


def _windows(typed: object) -> object:
    """Windows as they were typed: `09:00-12:00, 14:00-17:00`."""
    if not isinstance(typed, str):
        return typed
    found = []
    for part in filter(None, (part.strip() for part in typed.split(","))):
        match = _WINDOW.fullmatch(part)
        if match is None:
            raise ValueError("Write the times like 09:00-12:00, 14:00-17:00.")
        from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
        if max(from_hour, to_hour) > 23 or max(from_minute, to_minute) > 59:
            raise ValueError("Use times from 00:00 to 23:59.")
        found.append(Window(starts=time(from_hour, from_minute), ends=time(to_hour, to_minute)))
    return found


def _in_order(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    edges = [edge for window in windows for edge in (window.starts, window.ends)]
    is_ordered = all(earlier <= later for earlier, later in pairwise(edges))
    if not is_ordered or any(window.starts == window.ends for window in windows):
        raise ValueError("Write the times in their order, each with its end after its start.")
    return windows


def _days_off(typed: object) -> object:
    """Days off as they were typed, a line each: `2026-12-24` or `2026-12-24 to 2027-01-06`."""
    if not isinstance(typed, str):
        return typed
    found = []
    for line in filter(None, (line.strip() for line in typed.splitlines())):
        match = _DAYS.fullmatch(line)
        try:
            first, last = (
                (date.fromisoformat(day) for day in (match[1], match[2] or match[1])) if match else (None, None)
            )
        except ValueError:
            first = last = None
        if first is None or last is None or last < first:
            raise ValueError("Write a day or days on each line, like 2026-12-24 or 2026-12-24 to 2027-01-06.")
        found.append(DaysOff(first=first, last=last))
    return found


def _named(name: str) -> str:
    if (tidy := readable(name)) is None:
        raise ValueError("Give your name, so that we know who is on the call.")
    return tidy


Zone = Annotated[str, AfterValidator(_zone)]
Windows = Annotated[tuple[Window, ...], BeforeValidator(_windows), AfterValidator(_in_order)]


class Hours(BaseModel):
    """When somebody takes calls, week after week, and how one meets."""

    model_config = ConfigDict(frozen=True)

    zone: Zone
    monday: Windows = ()
    tuesday: Windows = ()
    wednesday: Windows = ()
    thursday: Windows = ()
    friday: Windows = ()
    saturday: Windows = ()
    sunday: Windows = ()
    days_off: Annotated[tuple[DaysOff, ...], BeforeValidator(_days_off), Field(max_length=MAX_DAYS_OFF)] = ()
    place: Annotated[str, Field(max_length=MAX_PLACE), AfterValidator(readable)] | None = None

    def on(self, day: date) -> tuple[Window, ...]:
        """The windows of a day."""
        if any(off.first <= day <= off.last for off in self.days_off):
            return ()
        windows: tuple[Window, ...] = getattr(self, WEEKDAYS[day.weekday()])
        return windows


@dataclass(frozen=True)
class Period:
    """From a moment until another, which is no longer part of it."""

    starts_at: datetime
    ends_at: datetime

    def meets(self, other: "Period") -> bool:
        """True where the two have a moment in common."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


@dataclass(frozen=True)
class Call(Period):
    """A call with a client about a document. Name and note are gone after erasure."""

    id: UUID
    intake_id: UUID
    number: int
    host: Reviewer
    zone: str
    status: CallStatus
    sequence: int
    name: str | None
    note: str | None
    booked_at: datetime

    def is_to_come(self, now: datetime) -> bool:
        """True until it is over, unless it was cancelled."""
        return self.status == "booked" and now < self.ends_at


class BookingRequest(BaseModel):
    """A time as the client chose it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts_at: AwareDatetime
    zone: Zone
    name: Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_named)]
    note: Annotated[str, AfterValidator(readable)] | None = None


class NotBookable(Exception):
    """No call can be had about the document any more."""


class TimeGone(Exception):
    """Somebody else has taken the time, or it is no longer offered."""


def length(model: Model) -> timedelta:
    """How long a call about a document takes; a discovery call has an agenda of an hour."""
    return timedelta(minutes=60 if model == "discovery_call" else 30)


def free(hours: Hours, taken: Collection[Period], lasting: timedelta, now: datetime) -> list[Period]:
    """The times that can be booked, in their order: within the hours, apart from what is taken, not at short notice."""
    return [
        period
        for period in _periods(hours, lasting, now)
        if now + NOTICE <= period.starts_at and not any(period.meets(other) for other in taken)
    ]


def _periods(hours: Hours, lasting: timedelta, now: datetime) -> Iterator[Period]:
    zone = ZoneInfo(hours.zone)
    for after in range(AHEAD.days + 1):
        day = now.astimezone(zone).date() + timedelta(days=after)
        for window in hours.on(day):
            # Counted in UTC: on the day that the clocks change an hour is missing or there twice.
            starts_at, closes_at = (
                datetime.combine(day, edge, zone).astimezone(UTC) for edge in (window.starts, window.ends)
            )
            while starts_at + lasting <= closes_at:
                yield Period(starts_at, starts_at + lasting)
                starts_at += STEP


def chosen(request: BookingRequest, offered: Collection[Period]) -> Period:
    """The offered time that the client chose. Raises TimeGone."""
    for period in offered:
        if period.starts_at == request.starts_at:
            return period
    raise TimeGone


def moved(call: Call, request: BookingRequest, period: Period) -> Call:
    """A call at another time, one change on; as it was where nothing about it is new."""
    asked = replace(
        call,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        zone=request.zone,
        name=request.name,
        note=request.note,
    )
    return call if asked == call else replace(asked, sequence=call.sequence + 1)


def cancelled(call: Call, now: datetime) -> Call:
    """A call that will not be had, one change on. Raises NotBookable where there is none to come."""
    if not call.is_to_come(now):
        raise NotBookable
    return replace(call, status="cancelled", sequence=call.sequence + 1)
