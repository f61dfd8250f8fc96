import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import ClassVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.kafka import Consumer, Handler, batched, consumer, dead_letters, ensure_topics
from shared.kafka.consumer import MAX_VALUE_BYTES
from shared.kafka.dead_letters import Arrival
from shared.kafka.topics import SETTINGS, TopicRefused
from shared.postgres import Connection, Database
from tests.shared.plumbing import NOW, Bus, Noted, Proxy, Record, arrival_of, at_work, record_of, until


class Other(Noted):
    topic: ClassVar[str] = "test.other.v1"


async def note(connection: Connection, event: Noted) -> None:
    await connection.execute(
        "insert into heard (event_id, subject, text) values ($1, $2, $3)", event.event_id, event.subject, event.text
    )


async def heard(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [row["text"] for row in await connection.fetch("select text from heard order by seq")]


async def buried(database: Database) -> list[dead_letters.DeadLetter]:
    async with database.connection() as connection:
        return await dead_letters.find(connection)


def facts(event: type[Noted], texts: Iterable[str], subject: UUID | None = None) -> list[Noted]:
    subject = subject or uuid4()
    return [event(subject=subject, version=version, time=NOW, text=text) for version, text in enumerate(texts, 1)]


async def test_topics_have_their_partitions_and_settings(bus: Bus) -> None:
    busy, rare = bus.event(partitions_=6), bus.event()
    assert await ensure_topics(bus.servers, [busy, rare]) == {busy.topic, rare.topic}

    async def have_partitions() -> bool:
        described = await bus.admin.describe_topics([busy.topic, rare.topic])
        return {topic["topic"]: len(topic["partitions"]) for topic in described} == {busy.topic: 6, rare.topic: 1}

    await until(have_partitions)
    (answer,) = await bus.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, busy.topic)])
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert settings | SETTINGS == settings


async def test_ensuring_topics_at_once_or_again_creates_each_of_them_once(bus: Bus) -> None:
    events = [bus.event(), bus.event()]
    created = await asyncio.gather(*(ensure_topics(bus.servers, events) for _ in range(3)))
    assert sorted(topic for one in created for topic in one) == sorted(event.topic for event in events)
    assert await ensure_topics(bus.servers, events) == set()


async def test_a_topic_that_kafka_refuses_is_named(bus: Bus) -> None:
    class Misnamed(Noted):
        topic = "not a topic!"

    with pytest.raises(TopicRefused, match="not a topic!"):
        await ensure_topics(bus.servers, [Misnamed])


async def test_what_was_said_before_a_consumer_first_came_is_heard_in_order_per_thing(
    database: Database, bus: Bus
) -> None:
    event = await bus.created(partitions=3)
    first, second = facts(event, (f"a{n}" for n in range(150))), facts(event, (f"b{n}" for n in range(150)))
    await bus.say(*(fact for pair in zip(first, second, strict=True) for fact in pair))
    async with at_work(Consumer(database, bus.servers, {event: note}).run()):
        await until(lambda: has_heard(database, 300))
    texts = await heard(database)
    for said in (first, second):
        assert [text for text in texts if text[0] == said[0].text[0]] == [fact.text for fact in said]


async def has_heard(database: Database, count: int) -> bool:
    return len(await heard(database)) >= count


async def has_committed(bus: Bus, database: Database, event: type[Noted], count: int) -> bool:
    return await bus.committed(database.service, event) == count


def poison(event: type[Noted]) -> list[tuple[str, Record]]:
    """Records that no handler can take, each with an identity of its own, and the reason to give for each."""

    def fresh() -> Noted:
        return event(subject=uuid4(), version=1, time=NOW, text="poison")

    def holding(value: bytes | None) -> Record:
        key, _, headers = record_of(fresh())
        return key, value, headers

    def without(name: str) -> Record:
        key, value, headers = record_of(fresh())
        return key, value, [header for header in headers if header[0] != name]

    return [
        ("size", holding(None)),
        ("size", holding(b'"' + 2 * MAX_VALUE_BYTES * b"x" + b'"')),
        ("content", holding(b"{nonsense")),
        ("content", holding(b"\xff\xfe")),
        ("content", holding(b'{"subject": "\\u0000", "version": 1, "time": 2}')),
        ("content", holding(b"[" * 100_000)),
        ("event id", without("ce_id")),
        ("event id", record_of(fresh(), ce_id=b"seven")),
        ("event id", (None, b"", [])),
        ("event id", (b"\xff\0", b"\0", [])),
        ("type", without("ce_type")),
        ("type", record_of(fresh(), ce_type=b"test.another.v1")),
        ("header", record_of(fresh(), ce_type=None)),
        ("header", record_of(fresh(), note=b"\xff")),
        ("header", record_of(fresh(), **{"n\0ul": b"\xff"})),
    ]


async def test_poison_is_kept_as_a_dead_letter_and_its_neighbours_are_handled(database: Database, bus: Bus) -> None:
    event = await bus.created()
    reasons, bad = zip(*poison(event), strict=True)
    good = facts(event, (f"good {number}" for number in range(len(bad))))
    await bus.publish(event.topic, *(one for pair in zip(bad, map(record_of, good), strict=True) for one in pair))
    receiver = Consumer(database, bus.servers, {event: note})
    async with at_work(receiver.run()):
        await until(lambda: has_committed(bus, database, event, 2 * len(bad)))
    assert receiver.consumed == 2 * len(bad)
    assert await heard(database) == [fact.text for fact in good]
    letters = await buried(database)
    assert [(letter.reason, letter.attempts) for letter in letters] == [(reason, 1) for reason in reasons]
    assert [(letter.arrival.key, letter.arrival.value) for letter in letters] == [record[:2] for record in bad]


async def mistaken(connection: Connection, fact: Noted) -> None:
    await note(connection, fact)
    if fact.text in ("7", "13"):
        await connection.execute("select 1 / 0")


@batched
async def mistaken_at_once(connection: Connection, events: Sequence[Noted]) -> None:
    await connection.executemany(
        "insert into heard (event_id, subject, text) select $1, $2, $3 where 1 / $4::int = 1",
        [(fact.event_id, fact.subject, fact.text, fact.text not in ("7", "13")) for fact in events],
    )


@pytest.mark.parametrize("handler", [mistaken, mistaken_at_once])
async def test_a_handlers_mistake_costs_only_the_event_that_shows_it(
    database: Database, bus: Bus, handler: Handler
) -> None:
    event = await bus.created()
    said = facts(event, (str(number) for number in range(20)))
    await bus.say(*said)
    async with at_work(Consumer(database, bus.servers, {event: handler}).run()):
        await until(lambda: has_committed(bus, database, event, len(said)))
    assert await heard(database) == [fact.text for fact in said if fact.text not in ("7", "13")]
    letters = await buried(database)
    assert [letter.arrival.event_id for letter in letters] == [said[7].event_id, said[13].event_id]
    assert {(letter.reason, letter.detail, letter.attempts) for letter in letters} == {
        ("handler", "DivisionByZeroError", 1)
    }


async def test_a_batched_handler_takes_all_of_its_kind_at_once_and_each_fact_once(database: Database) -> None:
    said, other = facts(Noted, (str(number) for number in range(20))), facts(Other, ["another kind"])
    batches: list[list[str]] = []

    @batched
    async def take(_: Connection, events: Sequence[Noted]) -> None:
        batches.append([fact.text for fact in events])

    async with database.transaction() as connection:
        arrivals = [arrival_of(fact) for fact in (*said[:10], *other, *said)]
        await consumer.handle(connection, arrivals, {Noted: take, Other: note})
    assert batches == [[fact.text for fact in said]]
    assert await heard(database) == ["another kind"]


async def test_only_what_batched_handlers_take_alone_is_not_one_transaction(database: Database, bus: Bus) -> None:
    seen: list[bool] = []

    @batched
    async def take(connection: Connection, _: Sequence[Noted]) -> None:
        seen.append(connection.is_in_transaction())

    async def take_each(connection: Connection, _: Noted) -> None:
        seen.append(connection.is_in_transaction())

    receiver = Consumer(database, bus.servers, {Noted: take, Other: take_each})
    ours, theirs = (arrival_of(event(subject=uuid4(), version=1, time=NOW)) for event in (Noted, Other))
    for arrivals in ([ours], [theirs], [ours, theirs]):
        await receiver._apply(arrivals)
    assert seen == [False, True, True, True]


class Garbled(str):
    """A header name that is not UTF-8."""

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return b"\xff"


async def test_a_record_that_cannot_be_decoded_holds_up_its_own_partition_and_no_other(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, held_up = await bus.created(partitions=4), await bus.created()
    said = [str(number) for number in range(200)]
    receiver = Consumer(database, bus.servers, {event: note, held_up: note})
    async with at_work(receiver.run()):
        await bus.say(*(event(subject=uuid4(), version=1, time=NOW, text=text) for text in said[:20]))
        await until(lambda: has_heard(database, 20))
        with monkeypatch.context() as patch:
            for module in ("message_accumulator", "producer"):
                patch.setattr(f"aiokafka.producer.{module}.DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
            await bus.publish(held_up.topic, (None, b"{}", [(Garbled("name"), b"")]))
        for text in said[20:]:
            await bus.say(event(subject=uuid4(), version=1, time=NOW, text=text))
        await until(lambda: has_heard(database, len(said)))
        assert set(await heard(database)) == set(said)
        assert receiver.problems() == [f"a record of {held_up.topic}, partition 0, cannot be decoded"]
        assert await bus.committed(database.service, held_up) == 0


async def terminated(connection: Connection) -> None:
    await connection.execute("set role none; select pg_terminate_backend(pg_backend_pid())")


async def waiting_too_long_for_a_lock(connection: Connection) -> None:
    await connection.execute("set local lock_timeout = '20ms'; lock table tombstone")


@pytest.mark.parametrize("fault", [terminated, waiting_too_long_for_a_lock])
async def test_a_passing_fault_of_the_database_is_waited_out_and_buries_nothing(
    database: Database, bus: Bus, fault: Callable[[Connection], Awaitable[None]]
) -> None:
    event = await bus.created()
    said = facts(event, "abc")
    attempts = 0

    async def hindered(connection: Connection, fact: Noted) -> None:
        nonlocal attempts
        await note(connection, fact)
        if fact.text == "b":
            attempts += 1
            if attempts < 3:
                await fault(connection)

    async with database.transaction() as holder, at_work(Consumer(database, bus.servers, {event: hindered}).run()):
        await holder.execute("lock table tombstone in share mode")
        await bus.say(*said)
        await until(lambda: has_committed(bus, database, event, len(said)))
    assert await heard(database) == ["a", "b", "c"]
    assert await buried(database) == []


async def test_a_fault_that_lasts_is_never_committed_past(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.1)
    event = await bus.created()
    said = facts(event, "abc")
    attempts, is_over = 0, False

    async def hindered(connection: Connection, fact: Noted) -> None:
        nonlocal attempts
        attempts += 1
        if not is_over:
            raise ConnectionRefusedError
        await note(connection, fact)

    receiver = Consumer(database, bus.servers, {event: hindered})
    async with at_work(receiver.run()):
        await bus.say(*said)
        await until(lambda: attempts > 5)
        assert await bus.committed(database.service, event) == 0
        is_over = True
        await until(lambda: has_committed(bus, database, event, len(said)))
    assert await heard(database) == ["a", "b", "c"]
    assert await buried(database) == []


async def test_what_can_neither_be_used_nor_kept_is_waited_with(
    database: Database, database_url: str, service: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await bus.created()
    deliveries = attempts = 0
    bury = dead_letters.bury

    async def counted(connection: Connection, arrival: Arrival, reason: str, detail: str) -> None:
        nonlocal attempts
        attempts += 1
        await bury(connection, arrival, reason, detail)

    class Counting(Consumer):
        async def _apply(self, arrivals: list[Arrival]) -> None:
            nonlocal deliveries
            deliveries += 1
            await super()._apply(arrivals)

    monkeypatch.setattr(dead_letters, "bury", counted)
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"alter table {service}.dead_letter rename to away")
    await bus.publish(event.topic, (None, b"poison", []))
    async with at_work(Counting(database, bus.servers, {event: note}).run()):
        await until(lambda: attempts > 4)
        await owner.execute(f"alter table {service}.away rename to dead_letter")
        await until(lambda: has_committed(bus, database, event, 1))
    await owner.close()
    assert deliveries == 1
    assert len(await buried(database)) == 1


CRASHES_AFTER_ITS_FIRST_BATCH = """
import asyncio, os, sys
from typing import ClassVar
from shared import postgres
from shared.kafka import Consumer
from tests.shared.plumbing import Noted
from tests.shared.test_kafka import note

url, service, servers, name = sys.argv[1:]

class Said(Noted):
    topic: ClassVar[str] = name

class Crashing(Consumer):
    async def _apply(self, arrivals):
        await super()._apply(arrivals)
        os._exit(9)

async def main():
    async with postgres.connect(url, service) as database:
        await Crashing(database, servers, {Said: note}).run()

asyncio.run(main())
"""


async def test_what_a_crash_left_uncommitted_is_delivered_again(
    database: Database, database_url: str, bus: Bus
) -> None:
    event = await bus.created()
    await bus.say(*facts(event, "abc"))
    arguments = (database_url, database.service, bus.servers, event.topic)
    crashing = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHES_AFTER_ITS_FIRST_BATCH, *arguments)
    assert await crashing.wait() == 9
    assert await heard(database) == ["a", "b", "c"]
    assert await bus.committed(database.service, event) == 0
    async with at_work(Consumer(database, bus.servers, {event: note}).run()):
        await until(lambda: has_committed(bus, database, event, 3))
    assert await heard(database) == ["a", "b", "c"] * 2


async def test_what_is_handled_while_kafka_is_told_how_far_is_told_next(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await bus.created(), await bus.created()
    telling, release = asyncio.Event(), asyncio.Event()
    commit = AIOKafkaConsumer.commit

    async def slow(consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        telling.set()
        await release.wait()
        await commit(consumer, offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", slow)
    await bus.say(*facts(first, ["first"]))
    async with at_work(Consumer(database, bus.servers, {first: note, second: note}).run()):
        await telling.wait()
        await bus.say(*facts(second, ["second"]))
        await until(lambda: has_heard(database, 2))
        release.set()
        await until(lambda: has_committed(bus, database, second, 1))
    assert await bus.committed(database.service, first) == 1


async def test_stopping_finishes_and_commits_the_batch_in_flight(database: Database, bus: Bus) -> None:
    event = await bus.created()
    first, second = facts(event, ["first", "second"])
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection, fact: Noted) -> None:
        entered.set()
        await release.wait()
        await note(connection, fact)

    await bus.say(first)
    async with at_work(Consumer(database, bus.servers, {event: slow}).run()) as task:
        await entered.wait()
        task.cancel()
        release.set()
        await asyncio.wait([task])
    assert await bus.committed(database.service, event) == 1
    await bus.say(second)
    async with at_work(Consumer(database, bus.servers, {event: note}).run()):
        await until(lambda: has_heard(database, 2))
    assert await heard(database) == ["first", "second"]


async def test_a_look_at_the_topics_ends_when_it_is_cancelled_at_whatever_moment(bus: Bus) -> None:
    async def looking() -> None:
        while True:
            await ensure_topics(bus.servers, [])

    for moment in range(200):
        task = asyncio.create_task(looking())
        await asyncio.sleep(moment / 20_000)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done, moment


async def test_a_consumer_waits_for_topics_that_come_later(database: Database, bus: Bus) -> None:
    here, later = await bus.created(), bus.event()
    receiver = Consumer(database, bus.servers, {here: note, later: note})
    async with at_work(receiver.run()):
        await bus.say(*facts(here, ["here"]))
        assert receiver.problems() == ["the consumer is not running"]
        await ensure_topics(bus.servers, [later])
        await bus.say(*facts(later, ["later"]))
        await until(lambda: has_heard(database, 2))
        await until(lambda: not receiver.problems())
    assert sorted(await heard(database)) == ["here", "later"]


def consume_loop(receiver: Consumer) -> None:
    receiver._subscribers()[0].tasks[0].cancel()


def coordinator(receiver: Consumer) -> None:
    running = receiver._aiokafka()
    assert running is not None
    running._coordinator._coordination_task.cancel()


def fetcher(receiver: Consumer) -> None:
    running = receiver._aiokafka()
    assert running is not None
    running._fetcher._fetch_task.cancel()


@pytest.mark.parametrize("kill", [consume_loop, coordinator, fetcher])
async def test_a_consumer_with_a_dead_part_says_so_and_is_built_anew(
    database: Database, bus: Bus, kill: Callable[[Consumer], None]
) -> None:
    event = await bus.created()
    receiver = Consumer(database, bus.servers, {event: note})
    async with at_work(receiver.run()):
        await bus.say(*facts(event, ["before"]))
        await until(lambda: has_committed(bus, database, event, 1))
        assert receiver.problems() == []

        def is_missed() -> bool:
            if not receiver.problems():
                kill(receiver)  # again each time: while it takes over partitions the client swallows a cancellation
            return bool(receiver.problems())

        await until(is_missed)
        await bus.say(*facts(event, ["after"]))
        await until(lambda: has_heard(database, 2))
        await until(lambda: not receiver.problems())
    assert await heard(database) == ["before", "after"]


async def test_a_batch_that_hangs_shows(database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "STUCK_SECONDS", 0)
    event = await bus.created()
    entered, release = asyncio.Event(), asyncio.Event()

    async def hanging(connection: Connection, fact: Noted) -> None:
        entered.set()
        await release.wait()

    receiver = Consumer(database, bus.servers, {event: hanging})
    async with at_work(receiver.run()):
        await bus.say(*facts(event, ["slow"]))
        await entered.wait()
        assert receiver.problems() == ["a batch has not finished for 0 seconds"]
        release.set()
        await until(lambda: not receiver.problems())


async def test_an_outage_of_kafka_shows_and_passes(database: Database, bus: Bus, kafka_proxy: Proxy) -> None:
    event = await bus.created()
    receiver = Consumer(database, bus.servers, {event: note})
    async with at_work(receiver.run()):
        await bus.say(*facts(event, ["before"]))
        await until(lambda: has_committed(bus, database, event, 1))
        kafka_proxy.cut()
        await until(lambda: bool(receiver.problems()))
        kafka_proxy.mend()
        await bus.say(*facts(event, ["after"]))
        await until(lambda: has_heard(database, 2))
        await until(lambda: not receiver.problems())
