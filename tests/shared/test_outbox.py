import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.conn import AIOKafkaConnection
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from shared import outbox, postgres
from shared.contracts.base import Event
from shared.outbox import Relay
from shared.postgres import Database
from tests.shared.plumbing import NOW, Bus, Noted, Proxy, at_work, by_way_of, database_behind, until


async def say(database: Database, *events: Event) -> None:
    for event in events:
        async with database.transaction() as connection:
            await outbox.say(connection, event)


async def waiting(database: Database) -> int:
    async with database.connection() as connection:
        return (await outbox.depth(connection))[0]


def facts(event: type[Noted], count: int, subjects: int = 1) -> list[Noted]:
    """So many facts about so many things in turn, numbered in their text."""
    about = [uuid4() for _ in range(subjects)]
    return [
        event(subject=about[number % subjects], version=number // subjects + 1, time=NOW, text=str(number))
        for number in range(count)
    ]


async def test_a_fact_whose_transaction_is_rolled_back_is_never_sent(database: Database, bus: Bus) -> None:
    event = await bus.created()
    untrue, true = facts(event, 2)
    with suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            await outbox.say(connection, untrue)
            raise ZeroDivisionError
    await say(database, true)
    async with bus.listening(event) as listener, at_work(Relay(database, bus.servers).run()):
        assert [record.value for record in await listener.heard(1)] == [true.model_dump_json().encode()]


async def test_facts_about_one_thing_stay_on_one_partition_and_in_order(database: Database, bus: Bus) -> None:
    event = await bus.created(partitions=6)
    said = facts(event, 300, subjects=20)
    await say(database, *said)
    async with bus.listening(event) as listener, at_work(Relay(database, bus.servers).run()):
        records = await listener.heard(len(said))
    for subject in {fact.subject for fact in said}:
        about = [record for record in records if record.key == str(subject).encode()]
        assert len({record.partition for record in about}) == 1
        assert [record.value for record in about] == [
            fact.model_dump_json().encode() for fact in said if fact.subject == subject
        ]
    assert len({record.partition for record in records}) > 1


async def test_what_is_said_soon_after_others_waits_and_is_sent_together(
    database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await bus.created()
    first, *later = facts(event, 4)
    waits, over, sleep = asyncio.Event(), asyncio.Event(), asyncio.sleep

    async def until_over(seconds: float) -> None:
        if seconds == 1.234:
            waits.set()
            await over.wait()
        else:
            await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", until_over)
    relay = Relay(database, bus.servers, within_ms=1234)
    async with bus.listening(event) as listener, at_work(relay.run()):
        await say(database, first)
        await waits.wait()
        for fact in later:
            await say(database, fact)
        assert relay.sent == len(await listener.heard(1)) == 1
        over.set()
        records = await listener.heard(4)
    assert [record.value for record in records] == [fact.model_dump_json().encode() for fact in (first, *later)]


async def test_a_relay_that_is_stopped_at_whatever_moment_leaves_no_connection_behind(
    database: Database, bus: Bus
) -> None:
    for moment in range(60):
        async with at_work(Relay(database, bus.servers).run()):
            await asyncio.sleep(moment / 4000)
    assert not [one for one in gc.get_objects() if isinstance(one, AIOKafkaConnection) and one.connected()]


async def test_a_fact_that_commits_late_is_not_passed_over(database: Database, bus: Bus) -> None:
    event = await bus.created()
    late, early = facts(event, 2, subjects=2)
    async with bus.listening(event) as listener, at_work(Relay(database, bus.servers).run()):
        async with database.transaction() as connection:
            await outbox.say(connection, late)
            await say(database, early)
            assert len(await listener.heard(1)) == 1
        assert [record.key for record in await listener.heard(2)] == [
            str(fact.subject).encode() for fact in (early, late)
        ]


async def test_a_fact_said_again_has_the_same_id_and_bytes(database: Database, bus: Bus) -> None:
    event = await bus.created()
    fact = facts(event, 1)[0]
    await say(database, fact)
    async with bus.listening(event) as listener, at_work(Relay(database, bus.servers).run()):
        await listener.heard(1)
        async with database.transaction() as connection:
            await outbox.say_again(connection, [fact.event_id, uuid4()])
        first, second = await listener.heard(2)
    assert (first.key, first.value, first.headers) == (second.key, second.value, second.headers)


async def test_saying_the_same_fact_anew_does_not_change_what_was_said(database: Database, bus: Bus) -> None:
    event = await bus.created()
    fact = facts(event, 1)[0]
    await say(database, fact, fact.model_copy(update={"text": "another wording"}))
    async with bus.listening(event) as listener, at_work(Relay(database, bus.servers).run()):
        first, second = await listener.heard(2)
    assert first.value == second.value == fact.model_dump_json().encode()


async def test_everything_said_can_be_said_again_by_topic_thing_and_time(database: Database, bus: Bus) -> None:
    event, other = bus.event(), bus.event()
    subject = uuid4()
    facts = [
        event(subject=subject, version=1, time=NOW),
        event(subject=uuid4(), version=1, time=NOW + timedelta(hours=1)),
        other(subject=subject, version=1, time=NOW + timedelta(hours=2)),
    ]
    await say(database, *facts)
    async with database.transaction() as connection:
        assert await outbox.resay(connection) == 3
        assert await outbox.resay(connection, topics=[event.topic]) == 2
        assert await outbox.resay(connection, key=subject) == 2
        assert await outbox.resay(connection, since=NOW + timedelta(hours=1)) == 2
        assert await outbox.resay(connection, topics=[other.topic], key=facts[1].subject) == 0
        queued = await connection.fetch("select fact_id from outbox order by seq offset 3 limit 3")
    assert [row["fact_id"] for row in queued] == [fact.event_id for fact in facts]


async def test_what_is_forgotten_is_not_sent_even_if_it_waits(database: Database, bus: Bus) -> None:
    event, kept = await bus.created(), await bus.created()
    subject = uuid4()
    gone = event(subject=subject, version=1, time=NOW)
    last_word = kept(subject=subject, version=2, time=NOW)
    another = event(subject=uuid4(), version=1, time=NOW)
    await say(database, gone, last_word, another)
    async with database.transaction() as connection:
        await outbox.forget(connection, subject, keep=[kept.topic])
        assert await outbox.resay(connection, key=subject) == 1
    async with bus.listening(event, kept) as listener, at_work(Relay(database, bus.servers).run()):
        keys = [(record.topic, record.key) for record in await listener.heard(3)]
    assert sorted(keys) == sorted((fact.topic, str(fact.subject).encode()) for fact in (last_word, last_word, another))


async def test_a_crash_between_kafkas_word_and_the_commit_sends_twice_and_loses_nothing(
    database: Database, database_url: str, service: str, bus: Bus
) -> None:
    event = await bus.created()
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"""
        create sequence {service}.commits;
        create function {service}.fail_the_first_commit() returns trigger security definer language plpgsql as $$
            begin
                if nextval('{service}.commits') = 1 then
                    raise exception 'the commit fails' using errcode = 'serialization_failure';
                end if;
                return null;
            end
        $$;
        create constraint trigger crash after delete on {service}.outbox deferrable initially deferred
            for each row execute function {service}.fail_the_first_commit();
    """)
    await owner.close()
    said = facts(event, 3)
    await say(database, *said)
    relay = Relay(database, bus.servers)
    async with bus.listening(event) as listener, at_work(relay.run()):
        records = await listener.heard(2 * len(said))
        await until(lambda: relay.sent == len(said))
    ids = [dict(record.headers)["ce_id"].decode() for record in records]
    assert ids == 2 * [str(fact.event_id) for fact in said]
    assert await waiting(database) == 0


async def test_of_several_relays_one_leads_so_order_holds_and_nothing_is_sent_twice(
    connect: Callable[[str], Awaitable[Database]], service: str, bus: Bus
) -> None:
    event = await bus.created(partitions=3)
    said = facts(event, 1200, subjects=7)
    databases = [await connect(service) for _ in range(3)]
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(bus.listening(event))
        relays = [Relay(one, bus.servers) for one in databases]
        for relay in relays:
            await stack.enter_async_context(at_work(relay.run()))
        for start in range(0, len(said), 100):
            async with databases[0].transaction() as connection:
                for fact in said[start : start + 100]:
                    await outbox.say(connection, fact)
        records = await listener.heard(len(said))
        await until(lambda: sum(relay.sent for relay in relays) == len(said))
    assert len(records) == len(said)
    heard: dict[bytes | None, list[bytes | None]] = {}
    for record in records:
        heard.setdefault(record.key, []).append(record.value)
    for fact in said:
        assert heard[str(fact.subject).encode()].pop(0) == fact.model_dump_json().encode()


async def test_when_the_leader_ends_another_takes_the_lead(
    connect: Callable[[str], Awaitable[Database]], service: str, bus: Bus
) -> None:
    event = await bus.created()
    before, after = facts(event, 2)
    database, other = await connect(service), await connect(service)
    leader, heir = Relay(database, bus.servers), Relay(other, bus.servers)
    async with bus.listening(event) as listener, AsyncExitStack() as stack:
        async with at_work(leader.run()):
            await say(database, before)
            await until(lambda: leader.sent == 1)
            await stack.enter_async_context(at_work(heir.run()))
        await say(database, after)
        await until(lambda: heir.sent == 1)
        assert [record.value for record in await listener.heard(2)] == [
            fact.model_dump_json().encode() for fact in (before, after)
        ]


async def test_a_reference_to_a_fact_that_is_gone_does_not_wait_for_ever(database: Database, bus: Bus) -> None:
    async with database.transaction() as connection:
        await connection.execute("insert into outbox (fact_id) values ($1)", uuid4())

    async def is_empty() -> bool:
        return await waiting(database) == 0

    async with at_work(Relay(database, bus.servers).run()):
        await until(is_empty)


async def test_cloudevents_own_library_reads_what_is_sent(database: Database, bus: Bus) -> None:
    event = await bus.created()
    fact = event(subject=uuid4(), version=1, time=NOW, text="Zażółć gęślą jaźń")
    await say(database, fact)
    async with bus.listening(event) as listener, at_work(Relay(database, bus.servers).run()):
        (record,) = await listener.heard(1)
    assert record.value is not None
    message = KafkaMessage({name: value for name, value in record.headers if value}, record.key, record.value)
    read = from_binary(message, JSONFormat())
    assert (read.get_id(), read.get_type(), read.get_subject(), read.get_time(), read.get_source()) == (
        str(fact.event_id),
        event.topic,
        str(fact.subject),
        NOW,
        f"/{database.service}",
    )
    assert (read.get_specversion(), read.get_datacontenttype()) == ("1.0", "application/json")
    assert read.get_data() == fact.model_dump(mode="json")


async def test_depth_tells_how_many_wait_and_for_how_long(database: Database, bus: Bus) -> None:
    async with database.transaction() as connection:
        assert await outbox.depth(connection) == (0, 0)
    await say(database, *facts(bus.event(), 2))
    async with database.transaction() as connection:
        await connection.execute("update outbox set at = now() - interval '90 seconds' where seq = 1")
        count, age = await outbox.depth(connection)
    assert count == 2
    assert 90 <= age < 150


async def outage(relay: Relay, proxy: Proxy, partition: TopicPartition) -> None:
    proxy.cut()


async def frozen(relay: Relay, proxy: Proxy, partition: TopicPartition) -> None:
    proxy.freeze()


async def lost_count(relay: Relay, proxy: Proxy, partition: TopicPartition) -> None:
    """The broker answers OutOfOrderSequenceNumber, because it has counted fewer records than the producer claims."""
    assert relay._producer is not None
    relay._producer._txn_manager.increment_sequence_number(partition, 7)


async def dead_sender(relay: Relay, proxy: Proxy, partition: TopicPartition) -> None:
    assert relay._producer is not None
    relay._producer._sender.sender_task.cancel()


Fault = Callable[[Relay, Proxy, TopicPartition], Awaitable[None]]


@pytest.mark.parametrize("fault", [outage, frozen, lost_count, dead_sender])
async def test_after_any_failure_the_relay_sends_with_a_new_producer(
    database: Database, bus: Bus, kafka_proxy: Proxy, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(outbox, "SEND_SECONDS", 1)
    event = await bus.created()
    before, after = facts(event, 2)
    relay = Relay(database, bus.servers)
    async with bus.listening(event) as listener, at_work(relay.run()):
        await say(database, before)
        await until(lambda: relay.sent == 1)
        broken = relay._producer
        await fault(relay, kafka_proxy, TopicPartition(event.topic, 0))
        await say(database, after)
        if fault in (outage, frozen):
            await until(lambda: relay.failing_since is not None)
            assert await waiting(database) == 1
            kafka_proxy.mend()
        await until(lambda: relay.sent == 2)
        assert relay.failing_since is None
        assert relay._producer is not broken
        values = {record.value for record in await listener.heard(2)}
    assert values == {fact.model_dump_json().encode() for fact in (before, after)}


async def test_a_relay_outlives_an_outage_of_its_database(
    connect: Callable[[str], Awaitable[Database]], database_url: str, service: str, bus: Bus
) -> None:
    event = await bus.created()
    before, after = facts(event, 2)
    direct = await connect(service)
    async with (
        database_behind(database_url).open() as proxy,
        postgres.connect(by_way_of(proxy, database_url), service) as database,
        bus.listening(event) as listener,
    ):
        relay = Relay(database, bus.servers)
        async with at_work(relay.run()) as task:
            await say(direct, before)
            await until(lambda: relay.sent == 1)
            proxy.cut()
            await until(lambda: relay.failing_since is not None)
            await say(direct, after)
            proxy.mend()
            await listener.heard(2)
            await until(lambda: relay.failing_since is None)
            assert not task.done()
