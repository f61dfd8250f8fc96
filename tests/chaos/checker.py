"""Compares a ledger with what the three services hold. A finding is a promise broken, in one sentence."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from services.laptop import PACKAGES
from tests.chaos.ledger import ACCEPTED, TRY_AGAIN, Request, revisions

Revision = tuple[UUID, int]


@dataclass(frozen=True)
class Intake:
    """An intake's row. `name` is its company's, which a load gives each new request for its own."""

    id: UUID
    name: str | None
    revision: int
    state: str
    awaits_answer: bool
    asked_again: int


@dataclass(frozen=True)
class Proposal:
    """A proposal's row: `state` as recommendation knows it."""

    intake_id: UUID
    revision: int
    state: str


@dataclass
class State:
    """What the services' tables say, as lists: a table whose keys were lost can hold a row twice."""

    intakes: list[Intake] = field(default_factory=list)
    assessments: list[Revision] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    heard: list[Revision] = field(default_factory=list)
    dead_letters: list[tuple[str, str]] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)


def findings(requests: dict[str, Request], state: State, poison: Collection[tuple[str, str]] = ()) -> list[str]:
    """Every broken promise; empty when all were kept.

    `poison` names the dead letters that were asked for, as (service, identity).
    """
    return [
        *_answers(requests),
        *_intakes(requests, state),
        *_recommendations(requests, state),
        *_causes(state),
        *_dead_letters(state, poison),
        *(f"{service} still holds {count} facts to send" for service, count in state.waiting.items() if count),
    ]


def _answers(requests: dict[str, Request]) -> Iterator[str]:
    for request in requests.values():
        for status in sorted({answer.status for answer in request.answers} - {ACCEPTED, TRY_AGAIN}):
            yield f"{request.key} was answered {status}"
        if len({(answer.intake_id, answer.revision) for answer in request.accepted}) > 1:
            yield f"{request.key} was acknowledged as more than one thing"
        if not request.accepted:
            yield f"{request.key} was never acknowledged in {request.attempts} attempts"


def _intakes(requests: dict[str, Request], state: State) -> Iterator[str]:
    known = {intake.id: intake for intake in state.intakes}
    for intake_id, revision in revisions(requests).items():
        if intake_id not in known:
            yield f"intake {intake_id} was acknowledged and is lost"
        elif known[intake_id].revision < revision:
            yield f"revision {revision} of intake {intake_id} was acknowledged and is lost"
    for name, count in Counter(intake.name for intake in state.intakes).items():
        if name in requests and count > 1:
            yield f"{name} became {count} intakes"


def _recommendations(requests: dict[str, Request], state: State) -> Iterator[str]:
    acknowledged = revisions(requests)
    proposals = Counter((proposal.intake_id, proposal.revision) for proposal in state.proposals)
    standing = Counter(proposal.intake_id for proposal in state.proposals if proposal.state != "superseded")
    current = {(proposal.intake_id, proposal.revision): proposal.state for proposal in state.proposals}
    assessments, heard = Counter(state.assessments), Counter(state.heard)
    for intake in state.intakes:
        if intake.id not in acknowledged:
            continue
        revision = (intake.id, intake.revision)
        for what, count in (
            ("assessments", assessments[revision]),
            ("recommendations", proposals[revision]),
            ("recommendations on its timeline", heard[revision]),
        ):
            if count != 1:
                yield f"revision {intake.revision} of intake {intake.id} has {count} {what}"
        if standing[intake.id] > 1:
            yield f"intake {intake.id} has {standing[intake.id]} recommendations that stand"
        if intake.awaits_answer:
            yield f"intake {intake.id} still waits for its answer, asked again {intake.asked_again} times"
        if revision in current and intake.state != current[revision]:
            yield f"intake {intake.id} is {intake.state} at intake and {current[revision]} at recommendation"
    for revision, count in (assessments | proposals).items():
        if count > 1:
            yield f"revision {revision[1]} of intake {revision[0]} was worked on {count} times"


def _causes(state: State) -> Iterator[str]:
    submitted = {intake.id: intake.revision for intake in state.intakes}
    followed = set(state.assessments) | {(proposal.intake_id, proposal.revision) for proposal in state.proposals}
    for intake_id, revision in sorted(followed):
        if revision > submitted.get(intake_id, 0):
            yield f"revision {revision} of intake {intake_id} was never submitted, and yet there is work on it"


def _dead_letters(state: State, poison: Collection[tuple[str, str]]) -> Iterator[str]:
    kept = Counter(state.dead_letters)
    for service, identity in kept.keys() - set(poison):
        yield f"{service} has a dead letter that nobody asked for: {identity}"
    for service, identity in set(poison) - kept.keys():
        yield f"{service} dropped a record that it could not use: {identity}"


async def read_state(database_url: str) -> State:
    """What the tables say now."""
    owner = await asyncpg.connect(database_url)
    try:
        async with owner.transaction(isolation="repeatable_read", readonly=True):
            return await _state(owner)
    finally:
        await owner.close()


async def _state(owner: asyncpg.Connection) -> State:
    intakes = await owner.fetch(
        """
        select id, company ->> 'name' as name, intake.revision, state, ask_again_at is not null as awaits_answer,
            asked_again
        from intake.intake left join intake.revision on intake_id = id and revision.revision = intake.revision
        """
    )
    heard = await owner.fetch(
        "select intake_id, detail from intake.timeline where topic = 'recommendation.proposed.v1'"
    )
    state = State(
        intakes=[Intake(**row) for row in intakes],
        assessments=[tuple(row) for row in await owner.fetch("select intake_id, revision from assessment.assessment")],
        proposals=[
            Proposal(**row)
            for row in await owner.fetch("select intake_id, revision, state from recommendation.proposal")
        ],
        heard=[(row["intake_id"], json.loads(row["detail"])["revision"]) for row in heard],
    )
    state.dead_letters = await open_dead_letters(owner)
    for service in PACKAGES:
        state.waiting[service] = await owner.fetchval(f"select count(*) from {service}.outbox")
    return state


async def open_dead_letters(owner: asyncpg.Connection) -> list[tuple[str, str]]:
    """Every service and identity of a record that was kept because it could not be used."""
    return [
        (service, row["identity"])
        for service in PACKAGES
        for row in await owner.fetch(f"select identity from {service}.dead_letter where state = 'open'")
    ]
