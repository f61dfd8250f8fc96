"""A call as an entry for calendars (RFC 5545), with its time zone as it is around that day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, vCalAddress, vText

PRODUCT = "-//Engagement advisor//Calls//EN"
AROUND = timedelta(days=366)


@dataclass(frozen=True)
class Appointment:
    """A call about a recommendation at its `sequence`-th change, told in the time zone `zone`; its `id` stays the same.

    `address` opens the page where it was booked. With `attendee`, a pair of name and e-mail address, it is an
    invitation to answer; without, an entry to keep.
    """

    id: UUID
    sequence: int
    is_cancelled: bool
    starts_at: datetime
    ends_at: datetime
    zone: str
    company: str
    address: str
    organizer: tuple[str, str] | None = None
    attendee: tuple[str, str] | None = None
    place: str | None = None


def method(appointment: Appointment) -> str:
    """What the entry asks a calendar to do, as the file says it and its media type has to."""
    if appointment.is_cancelled:
        return "CANCEL"
    return "PUBLISH" if appointment.attendee is None else "REQUEST"


def calendar_file(appointment: Appointment, now: datetime) -> bytes:
    """The entry as a file of its own."""
    zone = ZoneInfo(appointment.zone)
    event = Event()
    event.add("uid", str(appointment.id))
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", appointment.starts_at.astimezone(zone))
    event.add("dtend", appointment.ends_at.astimezone(zone))
    event.add("summary", f"Call about our recommendation for {appointment.company}")
    event.add("description", f"How we meet, and where to move or cancel it: {appointment.address}")
    event.add("url", appointment.address)
    event.add("status", "CANCELLED" if appointment.is_cancelled else "CONFIRMED")
    if appointment.place:
        event.add("location", appointment.place)
    if appointment.organizer:
        event.add("organizer", _person(*appointment.organizer))
    if appointment.attendee:
        attendee = _person(*appointment.attendee)
        attendee.params["RSVP"] = vText("TRUE")
        event.add("attendee", attendee)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method(appointment))
    if appointment.zone != "UTC":
        calendar.add_component(time_zone(zone, appointment.starts_at))
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def time_zone(zone: ZoneInfo, moment: datetime) -> Timezone:
    """A zone as a VTIMEZONE that holds from a year before to a year after a moment.

    Each change begins at the wall clock's time before it, as RFC 5545 has it.
    """
    first = (moment - AROUND).astimezone(UTC)
    described = Timezone()
    described.add("tzid", zone.key)
    described.add_component(_observance(zone, first, first.astimezone(zone).utcoffset()))
    for change in _changes(first.date(), (moment + AROUND).astimezone(UTC).date(), zone):
        described.add_component(_observance(zone, change, (change - timedelta(seconds=1)).astimezone(zone).utcoffset()))
    return described


def _observance(zone: ZoneInfo, begins: datetime, before: timedelta | None) -> TimezoneDaylight | TimezoneStandard:
    assert before is not None
    local = begins.astimezone(zone)
    observance = TimezoneDaylight() if local.dst() else TimezoneStandard()
    observance.add("dtstart", (begins + before).replace(tzinfo=None))
    observance.add("tzoffsetfrom", before)
    observance.add("tzoffsetto", local.utcoffset())
    observance.add("tzname", local.tzname())
    return observance


def _changes(first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The moments at which a zone's clocks change, to the second."""
    for days in range((last - first).days):
        low = datetime.combine(first, datetime.min.time(), UTC) + timedelta(days=days)
        high = low + timedelta(days=1)
        before = low.astimezone(zone).utcoffset()
        if high.astimezone(zone).utcoffset() == before:
            continue
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            middle = middle.replace(microsecond=0)
            low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
        yield high


def _person(name: str, email: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{email}")
    person.params["CN"] = vText(name)
    return person
