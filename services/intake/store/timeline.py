"""What happened to an intake, and how what was heard has moved it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.base import IntakeEvent
from shared.contracts.recommendation import RecommendationEvent
from shared.postgres import Connection


@dataclass(frozen=True)
class Release:
    """The client's link to the document that was released last, and when the client first opened that document."""

    link_id: UUID
    released_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    opened_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Whether the client can read by it."""
        return self.closed_at is None and now < self.expires_at


async def of(connection: Connection, intake_id: UUID) -> list[dict[str, Any]]:
    """What happened to an intake, oldest first: `type`, `at`, and codes."""
    rows = await connection.fetch(
        "select topic, at, detail from timeline where intake_id = $1 order by at, event_id", intake_id
    )
    return [{"type": row["topic"], "at": row["at"].isoformat(), **row["detail"]} for row in rows]


async def last_release(connection: Connection, intake_id: UUID) -> Release | None:
    """The last release that was heard of, or None."""
    row = await connection.fetchrow(
        """
        select (released.detail ->> 'link_id')::uuid as link_id, released.at as released_at,
            (released.detail ->> 'expires_at')::timestamptz as expires_at, closed.at as closed_at, opened_at
        from timeline released
            join intake on intake.id = released.intake_id
            left join timeline closed on closed.intake_id = released.intake_id
                and closed.topic = 'recommendation.link-closed.v1'
                and closed.detail ->> 'link_id' = released.detail ->> 'link_id'
        where released.intake_id = $1 and released.topic = 'recommendation.released.v1'
        order by released.at desc limit 1
        """,
        intake_id,
    )
    return None if row is None else Release(**row)


async def note(connection: Connection, event: IntakeEvent, detail: dict[str, Any]) -> None:
    """Put an event on its intake's timeline once; one about an intake that is not known here is left out."""
    await connection.execute(_NOTED, *_noted(event, detail))


async def keep_assessments(connection: Connection, events: Iterable[AssessmentCompleted]) -> None:
    """Note each assessment once and show it if it is of its intake's current revision."""
    await connection.executemany(
        f"""
        with noted as ({_NOTED} returning true)
        update intake set assessment = $7::text::jsonb,
            state = case when state = 'submitted' then 'assessed' else state end,
            state_since = case when state = 'submitted' then $4 else state_since end
        where id = $2 and revision = $6 and state not in ('withdrawn', 'erased') and exists (select from noted)
        """,  # noqa: S608 - the statement within is a literal
        [
            (
                *_noted(event, {"revision": event.submission.revision, "verdict": event.assessment.verdict}),
                event.submission.revision,
                event.assessment.model_dump_json(by_alias=True),
            )
            for event in events
        ],
    )


class Heard(NamedTuple):
    """An event with what its timeline shows of it, the state it gives, and whose hands it puts the case into."""

    event: RecommendationEvent
    detail: dict[str, Any]
    state: str
    assignee: UUID | None = None


async def hear(connection: Connection, *heard: Heard) -> None:
    """Note each event once; a newer one about the current revision answers the submission and gives it its state."""
    await connection.executemany(
        f"""
        with noted as ({_NOTED} returning true)
        update intake set heard_version = $7, assignee = coalesce($9, assignee), ask_again_at = null, asked_again = 0,
            state = case when state in ('withdrawn', 'erased') then state else $8 end,
            state_since = case when state in ('withdrawn', 'erased', $8) then state_since else $4 end
        where id = $2 and revision = $6 and heard_version < $7 and exists (select from noted)
        """,  # noqa: S608 - the statement within is a literal
        [
            (*_noted(event, detail), event.revision, event.version, state, assignee)
            for event, detail, state, assignee in heard
        ],
    )


_NOTED = """
    insert into timeline (event_id, intake_id, topic, at, detail)
    select $1, id, $3, $4, $5 from intake where id = $2
    on conflict do nothing
"""


def _noted(event: IntakeEvent, detail: dict[str, Any]) -> tuple[object, ...]:
    return event.event_id, event.intake_id, event.topic, event.time, detail


async def keep_document(
    connection: Connection,
    event: RecommendationEvent,
    document: int,
    *,
    link_expires_at: datetime | None = None,
    opened_at: datetime | None = None,
    asked_at: datetime | None = None,
    replied_at: datetime | None = None,
) -> None:
    """How far a document has come with the client, in whatever order that is heard; a later document starts anew."""
    await connection.execute(
        """
        update intake set document = $2,
            link_expires_at = coalesce($3, case when document = $2 then link_expires_at end),
            opened_at = least($4, case when document = $2 then opened_at end),
            asked_at = greatest($5, case when document = $2 then asked_at end),
            replied_at = greatest($6, case when document = $2 then replied_at end)
        where id = $1 and coalesce(document, 0) <= $2
        """,
        event.intake_id,
        document,
        link_expires_at,
        opened_at,
        asked_at,
        replied_at,
    )


async def end_closed_link(connection: Connection, intake_id: UUID) -> None:
    """Wait no more for the end of the last document's link where it was closed."""
    release = await last_release(connection, intake_id)
    if release is not None and release.closed_at is not None:
        await connection.execute("update intake set link_expires_at = null where id = $1", intake_id)
