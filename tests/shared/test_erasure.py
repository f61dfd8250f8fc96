import asyncio
from uuid import UUID, uuid4

import pytest

from shared import erasure, outbox
from shared.contracts.base import IntakeEvent
from shared.contracts.intake import IntakeErased
from shared.kafka import Handlers, consumer, dead_letters
from shared.kafka.dead_letters import Arrival
from shared.postgres import Connection, Database
from tests.shared.plumbing import NOW, arrival_of


class Kept(IntakeEvent):
    topic = "test.kept.v1"

    company: str


async def ignore(connection: Connection, event: Kept) -> None:
    """Take an event and do nothing."""


HANDLERS: Handlers = {Kept: ignore}


def fact(intake_id: UUID, company: str = "Canary") -> Kept:
    return Kept(intake_id=intake_id, version=1, time=NOW, company=company)


def arrival(event: Kept, *, is_readable: bool = True) -> Arrival:
    if not is_readable:
        return Arrival(event.topic, 0, 2, b"\xff", {}, event.model_dump_json().encode())
    return arrival_of(event)


async def leave_traces(database: Database, intake_id: UUID, company: str) -> None:
    """Everything that the plumbing keeps about an intake: what was said, waits, was refused or was answered."""
    one = fact(intake_id, company)
    async with database.transaction() as connection:
        await outbox.say(connection, one)
        await dead_letters.bury(connection, arrival(one), "handler", "ValueError")
        await dead_letters.bury(connection, arrival(one, is_readable=False), "event id", "missing")
        await connection.execute(
            """
            insert into idempotency (caller, route, key, body_hash, status, response)
            values ($1, $2, 'k', '', 200, $3), ($1, '/api/intake/intakes', 'k', '', 202, $4)
            """,
            uuid4(),
            f"/api/intake/intakes/{intake_id}/revisions",
            company,
            f"{intake_id} {company}",
        )


async def tables_with(database: Database, word: str) -> set[str]:
    async with database.connection() as connection:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = current_schema()")
        found = set()
        for (table,) in tables:
            rows = [str(dict(row)) for row in await connection.fetch(f"select * from {table}")]
            found |= {table} if any(word in row for row in rows) else set()
    return found


async def erase(database: Database, intake_id: UUID) -> bool:
    async with database.transaction() as connection:
        return await erasure.erase(connection, intake_id, NOW)


async def test_nothing_about_an_erased_intake_is_left_in_the_plumbing_and_all_about_another(
    database: Database,
) -> None:
    erased, other = uuid4(), uuid4()
    await leave_traces(database, erased, "Canary")
    await leave_traces(database, other, "Sparrow")
    assert await tables_with(database, "Canary") == {"fact", "dead_letter", "idempotency"}
    assert await erase(database, erased)
    assert await tables_with(database, "Canary") == set()
    assert await tables_with(database, str(erased)) == {"tombstone"}
    assert await tables_with(database, "Sparrow") == {"fact", "dead_letter", "idempotency"}


@pytest.mark.parametrize("is_replayed", [True, False], ids=["what is replayed", "what is buried"])
async def test_an_erasure_takes_also_what_is_being_kept_meanwhile(database: Database, is_replayed: bool) -> None:
    one = fact(uuid4())
    async with database.transaction() as connection:
        await dead_letters.bury(connection, arrival(one), "handler", "ValueError")
        (letter,) = await dead_letters.find(connection)
    async with database.transaction() as connection:
        if is_replayed:
            await dead_letters.lock(connection, letter.id)
            await outbox.say(connection, one)
        else:
            await dead_letters.bury(connection, arrival(one, is_readable=False), "event id", "missing")
        erasing = asyncio.create_task(erase(database, one.intake_id))
        await asyncio.wait([erasing], timeout=0.3)
    assert await erasing
    assert await tables_with(database, "Canary") == set()


async def test_erasing_again_changes_nothing(database: Database) -> None:
    intake_id = uuid4()
    assert await erase(database, intake_id)
    assert not await erase(database, intake_id)
    async with database.connection() as connection:
        assert await erasure.is_erased(connection, intake_id)
        assert not await erasure.is_erased(connection, uuid4())


async def test_that_it_was_erased_can_be_said_again_and_nothing_else(database: Database) -> None:
    intake_id = uuid4()
    await leave_traces(database, intake_id, "Canary")
    async with database.transaction() as connection:
        await erasure.erase(connection, intake_id, NOW)
        await outbox.say(connection, IntakeErased(intake_id=intake_id, version=2, time=NOW))
    assert not await erase(database, intake_id)
    async with database.transaction() as connection:
        await outbox.say_again(connection, [fact(intake_id).event_id])
        assert await outbox.resay(connection, key=intake_id) == 1
        topics = await connection.fetch("select topic from outbox left join fact on fact.id = outbox.fact_id")
    assert {topic for (topic,) in topics} == {IntakeErased.topic}


async def test_a_dead_letter_about_an_erased_intake_is_gone_for_a_replay(database: Database) -> None:
    intake_id = uuid4()
    await leave_traces(database, intake_id, "Canary")
    async with database.connection() as connection:
        before = await dead_letters.find(connection)
    await erase(database, intake_id)
    for letter in before:
        assert await consumer.replay(database, letter.id, HANDLERS, by="an admin") == "it is not open any more"


async def test_what_arrives_late_about_an_erased_intake_is_not_kept_as_a_dead_letter(database: Database) -> None:
    intake_id = uuid4()
    await erase(database, intake_id)
    late = arrival(fact(intake_id))
    unreadable = Arrival(late.topic, 0, 3, late.key, {}, late.value)
    async with database.transaction() as connection:
        await dead_letters.bury(connection, late, "handler", "ValueError")
        await consumer.handle(connection, [unreadable], HANDLERS)
    assert await tables_with(database, "Canary") == set()
