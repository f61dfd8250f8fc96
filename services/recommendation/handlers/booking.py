"""Calls with clients: booked, moved and cancelled."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.recommendation.domain import booking as rules
from services.recommendation.domain.booking import BOOKABLE, BookingRequest, Call, Hours, NotBookable, Period
from services.recommendation.handlers.correspondence import note_opening
from services.recommendation.store import calls, cases, outcomes
from services.recommendation.store.documents import Behind
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationCallBooked
from shared.postgres import Connection


async def book(connection: Connection, behind: Behind, asked: BookingRequest) -> None:
    """Book a time, or move the call that stands to it, and say so. Raises NotBookable or TimeGone."""
    now = datetime.now(UTC)
    if behind.state not in BOOKABLE:
        raise NotBookable
    standing = await to_come(connection, behind.intake_id, now)
    hours = await calls.hours(connection, standing.host.id if standing else behind.host.id)
    if hours is None:
        raise NotBookable
    period = rules.chosen(asked, await offered(connection, behind, standing, hours, now))
    if standing is None:
        call = Call(
            **vars(period),
            id=uuid7(),
            intake_id=behind.intake_id,
            number=behind.link.number,
            host=behind.host,
            zone=asked.zone,
            status="booked",
            sequence=0,
            name=asked.name,
            note=asked.note,
            booked_at=now,
        )
    else:
        call = rules.moved(standing, asked, period)
        if call is standing:
            return
    version = behind.version if behind.is_read else await note_opening(connection, behind, now)
    await calls.keep(connection, call)
    if behind.model == "discovery_call":
        day_after = (call.ends_at + timedelta(days=1)).date()
        await outcomes.come_back_to(connection, behind.intake_id, {"discovery": day_after})
    await _say(connection, call, behind.revision, version + 1, by=None, now=datetime.now(UTC))


async def cancel(connection: Connection, call_id: UUID, by: UUID, now: datetime) -> None:
    """Cancel a call on a colleague's word and say so. Raises NotBookable where there is none to come."""
    seen = await calls.find(connection, call_id)
    case = None if seen is None else await cases.lock(connection, seen.intake_id)
    call = await calls.find(connection, call_id)
    if case is None or call is None:
        raise NotBookable
    await _cancel(connection, call, case.revision, case.version + 1, by=by, now=now)


async def call_off(connection: Connection, intake_id: UUID, now: datetime) -> None:
    """Cancel the call about a case that stands, if one does, and say so: nobody of ours did it."""
    case = await cases.lock(connection, intake_id)
    call = await to_come(connection, intake_id, now)
    if case is not None and call is not None:
        await _cancel(connection, call, case.revision, case.version + 1, by=None, now=now)


async def to_come(connection: Connection, intake_id: UUID, now: datetime) -> Call | None:
    """The call about a case that stands, if there is one."""
    return next((call for call in await calls.of_case(connection, intake_id) if call.is_to_come(now)), None)


async def offered(
    connection: Connection, behind: Behind, standing: Call | None, hours: Hours, now: datetime
) -> list[Period]:
    """The times that can be had for a new call, or for the one that stands."""
    host, besides = (standing.host, standing.id) if standing else (behind.host, None)
    taken = await calls.taken(connection, host.id, now, besides)
    return rules.free(hours, taken, rules.length(behind.model), now)


async def _cancel(
    connection: Connection, call: Call, revision: int, version: int, *, by: UUID | None, now: datetime
) -> None:
    off = rules.cancelled(call, now)
    await calls.keep(connection, off)
    await outcomes.settle(connection, call.intake_id, now, by=by, kind="discovery")
    await _say(connection, off, revision, version, by=by, now=now)


async def _say(
    connection: Connection, call: Call, revision: int, version: int, *, by: UUID | None, now: datetime
) -> None:
    await cases.advance(connection, call.intake_id, revision, version)
    await outbox.say(
        connection,
        RecommendationCallBooked(
            intake_id=call.intake_id,
            version=version,
            time=now,
            revision=revision,
            document=call.number,
            call_id=call.id,
            host=call.host.id,
            starts_at=call.starts_at,
            ends_at=call.ends_at,
            zone=call.zone,
            status=call.status,
            sequence=call.sequence,
            by=by,
        ),
    )
    acted = {"version": version, "document": call.number, "call": call.id, "host": call.host.id}
    await audit.record(connection, f"call_{call.status}", call.intake_id, now, acted, actor=by)
