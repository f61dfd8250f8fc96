"""Offering submissions, and when each of them passed each step."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

WORKERS = 16
POLL_SECONDS = 0.5
GIVE_UP_SECONDS = 30

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
Submit = Callable[[], Awaitable[UUID]]


@dataclass(frozen=True)
class Load:
    """So many submissions: at a rate a second whatever comes back, or with none by workers who wait for each answer."""

    count: int
    rate: int | None = None


WARM_UP = Load(300, 100)


class Marks(NamedTuple):
    """When one submission passed each step, in seconds since the epoch.

    `due` is when it should have been sent. `accepted`, `assessed` and `proposed` are commits as Postgres stamped them,
    `assessing` and `proposing` when the program had the event in its hands.
    """

    due: float
    accepted: float
    assessing: float
    assessed: float
    proposing: float
    proposed: float


class Ledger(NamedTuple):
    """How many submissions of one load were accepted, and the marks of those that have a proposal in the tables."""

    accepted: int
    marks: list[Marks]


@dataclass(frozen=True)
class Job:
    """What a process under test is told on standard input; it answers with a ledger for each load."""

    database_url: str
    kafka_bootstrap_servers: str
    loads: Sequence[Load]
    more: dict[str, Any]

    def told(self) -> bytes:
        """The job as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def heard(cls) -> "Job":
        """The job on standard input."""
        job = json.load(sys.stdin)
        return cls(**{**job, "loads": [Load(**load) for load in job["loads"]]})


def ledgers(answer: bytes) -> list[Ledger]:
    """What a process under test answered."""
    return [Ledger(accepted, [Marks(*marks) for marks in all_marks]) for accepted, all_marks in json.loads(answer)]


async def run(loads: Sequence[Load], submit: Submit, connection: Connection, query: str) -> list[Ledger]:
    """The ledger of each load, after a warm-up. `query` takes ids; of those proposed it gives all marks but `due`."""
    await _run(WARM_UP, submit, connection, query)
    return [await _run(load, submit, connection, query) for load in loads]


async def _run(load: Load, submit: Submit, connection: Connection, query: str) -> Ledger:
    due = await (_by_the_clock(load.count, load.rate, submit) if load.rate else _by_workers(load.count, submit))
    proposed, progress_at = 0, time.monotonic()
    while True:
        rows = await connection.fetch(query, list(due))
        if len(rows) > proposed:
            proposed, progress_at = len(rows), time.monotonic()
        if proposed == len(due) or time.monotonic() - progress_at > GIVE_UP_SECONDS:
            return Ledger(len(due), [Marks(due[one], *marks) for one, *marks in rows])
        await asyncio.sleep(POLL_SECONDS)


async def _by_the_clock(count: int, rate: int, submit: Submit) -> dict[UUID, float]:
    start = time.time()
    sent = []
    for number in range(count):
        due = start + number / rate
        await asyncio.sleep(max(0, due - time.time()))
        sent.append((due, asyncio.ensure_future(submit())))
    return {await accepted: due for due, accepted in sent}


async def _by_workers(count: int, submit: Submit) -> dict[UUID, float]:
    due: dict[UUID, float] = {}
    turns = iter(range(count))

    async def work() -> None:
        for _ in turns:
            sent = time.time()
            due[await submit()] = sent

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return due
