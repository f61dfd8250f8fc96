"""Records that no service can use are kept and shown, and hold nobody up."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from shared.contracts.intake import IntakeSubmitted
from tests.chaos import wire
from tests.chaos.checker import open_dead_letters
from tests.chaos.systems import Laptop, eventually
from tests.journey.caller import Caller

READERS = {
    "intake.submitted.v1": ["assessment"],
    "assessment.completed.v1": ["intake", "recommendation"],
    "recommendation.reviewed.v1": ["intake"],
}
SECONDS_TO_BURY = 20


@asynccontextmanager
async def owner(laptop: Laptop) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(laptop.database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def buried(laptop: Laptop, expected: Counter[tuple[str, str]]) -> None:
    async with owner(laptop) as connection:

        async def missing() -> str | None:
            left = expected - Counter(await open_dead_letters(connection))
            return f"no dead letter for {sorted(left)}" if left else None

        await eventually(missing, SECONDS_TO_BURY)


def run(laptop: Laptop, *arguments: str) -> list[str]:
    """The lines that a command prints when it succeeds."""
    ended = laptop.command(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.fixture
async def laptop_with_nothing_open(laptop: Laptop) -> AsyncIterator[Laptop]:
    yield laptop
    for name in ("intake", "assessment", "recommendation"):
        async with owner(laptop) as connection:
            await connection.execute(f"update {name}.dead_letter set state = 'discarded' where state = 'open'")


async def test_every_kind_of_poison_is_kept_while_an_intake_passes(
    laptop_with_nothing_open: Laptop, staff: Caller
) -> None:
    laptop, expected = laptop_with_nothing_open, Counter[tuple[str, str]]()
    for topic, readers in READERS.items():
        for value, headers in wire.poison(topic).values():
            await wire.throw(laptop.bootstrap_servers, topic, value, headers)
            expected.update((reader, wire.identity(topic, value, headers)) for reader in readers)
    await staff.proposal(await staff.submit())
    await buried(laptop, expected)

    listed = run(laptop, "dead-letters", "list")
    assert len(listed) == expected.total()
    reasons = Counter(line.split(":")[1].split()[-1] for line in listed)
    assert reasons.keys() == {"size", "content", "header", "id", "type"}


async def test_a_dead_letter_is_shown_tried_again_and_laid_aside(
    laptop_with_nothing_open: Laptop, staff: Caller
) -> None:
    laptop, topic = laptop_with_nothing_open, "intake.submitted.v1"
    value, headers = b'{"version": 1, "time": "late"}', [("ce_type", topic.encode()), ("ce_id", str(uuid4()).encode())]
    await wire.throw(laptop.bootstrap_servers, topic, value, headers)
    await buried(laptop, Counter([("assessment", wire.identity(topic, value, headers))]))
    (line,) = run(laptop, "dead-letters", "list")
    letter, fingerprint = line.split()[0], line.split()[3]
    assert value.decode() in run(laptop, "dead-letters", "show", letter)

    replayed = laptop.command("dead-letters", "replay", letter)
    assert (replayed.returncode, replayed.stderr) == (1, "advisor: 1 could not be used again and stay open.\n")
    assert run(laptop, "dead-letters", "discard", "--fingerprint", fingerprint) == [f"{letter}  discarded"]
    (line,) = [line for line in run(laptop, "dead-letters", "list", "--state", "discarded") if letter in line]
    assert line.split()[4] == "2x"


async def test_what_failed_by_our_own_fault_is_used_once_that_is_mended(
    laptop_with_nothing_open: Laptop, staff: Caller
) -> None:
    laptop = laptop_with_nothing_open
    async with owner(laptop) as connection:
        await connection.execute("alter table assessment.assessment rename to mislaid")
        try:
            intake_id = await staff.submit()
            fact = await connection.fetchval(
                "select id from intake.fact where key = $1 and topic = $2", intake_id, IntakeSubmitted.topic
            )
            await buried(laptop, Counter([("assessment", str(fact))]))
        finally:
            await connection.execute("alter table assessment.mislaid rename to assessment")
    (line,) = run(laptop, "dead-letters", "list")
    letter = line.split()[0]
    assert run(laptop, "dead-letters", "replay", letter) == [f"{letter}  replayed"]
    await staff.proposal(intake_id)


async def test_what_is_said_again_changes_nothing(laptop: Laptop, staff: Caller) -> None:
    intake_id = await staff.submit()
    proposal = await staff.proposal(intake_id)
    before = await staff.intake(intake_id, state="proposed")
    start = await wire.ends(laptop.bootstrap_servers)
    assert run(laptop, "resay", "--intake", intake_id) == [
        "intake: 1 facts",
        "assessment: 1 facts",
        "recommendation: 1 facts",
    ]

    async def unsaid() -> str | None:
        again = await wire.records(laptop.bootstrap_servers, start)
        topics = {record.topic for record in again if record.key == intake_id.encode()}
        behind = await wire.unread(laptop.bootstrap_servers)
        missing = {"intake.submitted.v1", "assessment.completed.v1", "recommendation.proposed.v1"} - topics
        return f"{missing} unsaid, {behind} unread" if missing or behind else None

    await eventually(unsaid, SECONDS_TO_BURY)
    assert await staff.proposal(intake_id) == proposal
    assert await staff.intake(intake_id, state="proposed") == before
