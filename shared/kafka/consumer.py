"""One batch subscriber per service over all its topics."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any, TypeAlias
from uuid import UUID

import stamina
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from pydantic import ValidationError

from shared import postgres
from shared.contracts.base import Event
from shared.kafka import dead_letters
from shared.kafka.dead_letters import Arrival
from shared.kafka.topics import missing_topics
from shared.postgres import Connection, Database

Handler: TypeAlias = Callable[[Connection, Any], Awaitable[None]]
Handlers: TypeAlias = Mapping[type[Event], Handler]

MAX_BATCH = 100
MAX_VALUE_BYTES = 1_048_576
RETRY_SECONDS = 240
STUCK_SECONDS = 20
UNSETTLED_SECONDS = 60
GRACE_SECONDS = 20
IDLE_FETCH_MS = 500
COMMIT_SECONDS = 5
CAREFUL_SECONDS = 0.1
UNDECODABLE = (CorruptRecordException, UnsupportedCodecError, ValueError)

log = structlog.get_logger(__name__)

_batched: set[Handler] = set()


def batched(handler: Handler) -> Handler:
    """Marks a handler that takes all events of its kind in a batch, in their order, and commits what it writes itself.

    It gets no transaction: what it writes about one event is one statement, or a transaction that it opens. That spares
    most round trips, at high rates and at low ones, where nearly every batch is of one.
    """
    _batched.add(handler)
    return handler


class Refused(Exception):
    """A record that no handler can take: a short reason, and a detail that names parts of it and quotes no value."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def read(arrival: Arrival, handlers: Handlers) -> Event:
    """The event in a record, of a kind that has a handler; raises Refused."""
    if arrival.value is None or len(arrival.value) > MAX_VALUE_BYTES:
        size = 0 if arrival.value is None else len(arrival.value)
        raise Refused("size", f"{size} bytes, where 1 to {MAX_VALUE_BYTES} can be read")
    unreadable = sorted(name for name, value in arrival.headers.items() if "\\x" in value or value == "")
    if unreadable:
        raise Refused("header", f"header {unreadable[0]!r} is empty or not UTF-8")
    if arrival.event_id is None:
        raise Refused("event id", "header ce_id is missing or not a UUID")
    by_topic = {event.topic: event for event in handlers}
    named = arrival.headers.get("ce_type", "")
    if named != arrival.topic or named not in by_topic:
        raise Refused("type", f"ce_type {named[:80]!r} is not read from topic {arrival.topic}")
    try:
        return by_topic[named].model_validate_json(arrival.value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise Refused("content", f"{where}: {first['type']}") from error


async def handle(connection: Connection, arrivals: Iterable[Arrival], handlers: Handlers) -> None:
    """Apply records kind by kind, each fact once; what cannot be read becomes a dead letter."""
    events: dict[type[Event], dict[UUID | None, Event]] = {}
    refused: list[tuple[Arrival, Refused]] = []
    for arrival in arrivals:
        try:
            event = read(arrival, handlers)
        except Refused as refusal:
            refused.append((arrival, refusal))
        else:
            events.setdefault(type(event), {})[arrival.event_id] = event
    for facts in events.values():
        await hand_over(connection, handlers, list(facts.values()))
    for arrival, why in refused:
        log.warning("event.refused", topic=arrival.topic, offset=arrival.offset, reason=why.reason)
        await dead_letters.bury(connection, arrival, why.reason, why.detail)


async def hand_over(connection: Connection, handlers: Handlers, events: Sequence[Event]) -> None:
    """Let the handler of their kind have events, which are all of one kind."""
    handler = handlers[type(events[0])]
    if handler in _batched:
        await handler(connection, events)
        return
    for event in events:
        await handler(connection, event)


def arrival_of(record: "ConsumerRecord[bytes | None, bytes | None]") -> Arrival:
    """A Kafka record with its headers as text."""
    headers = {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in record.headers}
    return Arrival(record.topic, record.partition, record.offset, record.key, headers, record.value)


class Consumer:
    """Consumes until cancelled: at least once, in order per key, batch by batch, rebuilt when it dies."""

    def __init__(self, database: Database, bootstrap_servers: str, handlers: Handlers, within_ms: int = 0) -> None:
        """`within_ms`: how long events may wait in Kafka to be handed over together."""
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self._handlers = handlers
        self._batched_topics = {event.topic for event, handler in handlers.items() if handler in _batched}
        self._within_ms = within_ms
        self._broker: KafkaBroker | None = None
        self._handled: dict[TopicPartition, int] = {}
        self._is_stopping = self._is_careful = False
        self._batch_since: float | None = None
        self._unsettled_since: float | None = time.monotonic()
        self.consumed = 0

    def problems(self) -> list[str]:
        """What keeps events from being handled now; empty when all is well."""
        found = self._faults()
        if self._batch_since is not None and time.monotonic() - self._batch_since > STUCK_SECONDS:
            found.append(f"a batch has not finished for {STUCK_SECONDS} seconds")
        return found

    async def run(self) -> None:
        """Consume until cancelled. Topics are waited for, and a consumer that died is built anew."""
        while True:
            self._unsettled_since = time.monotonic()
            while missing := await self._missing_topics():
                log.debug("consumer.waiting", service=self._database.service, topics=sorted(missing))
                await asyncio.sleep(0.3)
            self._broker = self._build_broker()
            self._handled = {}
            self._is_stopping = self._is_careful = False
            try:
                await self._broker.start()
                await self._until_dead()
                log.warning("consumer.rebuilding", service=self._database.service, problems=self._faults())
            except KafkaError as error:
                log.warning("consumer.not_started", service=self._database.service, error=type(error).__name__)
                await asyncio.sleep(1)
            finally:
                self._revive()
                self._is_stopping = True
                await self._commit()
                await self._broker.stop()
                self._broker = None

    async def _missing_topics(self) -> set[str]:
        topics = {event.topic for event in self._handlers}
        try:
            return await missing_topics(self._bootstrap_servers, topics)
        except (KafkaError, OSError, TimeoutError):
            return topics

    async def _until_dead(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._revive()
            await self._commit()
            faults = self._faults()
            now = time.monotonic()
            self._unsettled_since = (self._unsettled_since or now) if faults else None
            if self._is_dead() or (faults and now - (self._unsettled_since or now) > UNSETTLED_SECONDS):
                return

    async def _commit(self) -> None:
        """Tell Kafka how far batches are handled: once a second, for what it has not heard is harmless to repeat."""
        consumer: AIOKafkaConsumer | None = self._subscribers()[0].consumer
        if consumer is None:
            return
        reached = {
            partition: offset for partition, offset in self._handled.items() if partition in consumer.assignment()
        }
        try:
            if reached:
                async with asyncio.timeout(COMMIT_SECONDS):
                    await consumer.commit(reached)
            ours = consumer.assignment()
            self._handled = {
                one: offset for one, offset in self._handled.items() if one in ours and reached.get(one, -1) < offset
            }
        except (KafkaError, TimeoutError) as error:
            log.warning("consumer.not_committed", service=self._database.service, error=type(error).__name__)

    def _revive(self) -> None:
        """Start the task that learns where Kafka is anew if it has died: all else, stop() too, waits for it for ever.

        On uvloop it dies of writing to a connection that Kafka has just closed (aiokafka #1038).
        """
        consumer = self._aiokafka()
        if consumer is not None and (task := consumer._client._sync_task) is not None and task.done():
            log.warning("consumer.revived", service=self._database.service)
            consumer._client._sync_task = asyncio.create_task(consumer._client._md_synchronizer())

    def _is_dead(self) -> bool:
        consumer = self._aiokafka()
        return (
            consumer is None
            or all(task.done() for subscriber in self._subscribers() for task in subscriber.tasks)
            or consumer._coordinator._coordination_task.done()
            or consumer._fetcher._fetch_task.done()
        )

    def _faults(self) -> list[str]:
        """There is no public health signal (aiokafka #1154), so the insides are read."""
        consumer = self._aiokafka()
        if consumer is None:
            return ["the consumer is not running"]
        if self._is_dead():
            return ["the consumer has died"]
        if consumer._coordinator.coordinator_id is None:
            return ["the consumer has no group coordinator"]
        if not consumer.assignment():
            return ["the consumer has no partitions"]
        return [
            f"a record of {topic}, partition {partition}, cannot be decoded"
            for topic, partition in sorted(consumer.paused())
        ]

    def _subscribers(self) -> Sequence[Any]:
        return () if self._broker is None else list(self._broker.subscribers)

    def _aiokafka(self) -> AIOKafkaConsumer | None:
        for subscriber in self._subscribers():
            return subscriber.consumer if subscriber.running else None
        return None

    def _build_broker(self) -> KafkaBroker:
        broker = KafkaBroker(
            self._bootstrap_servers,
            consumer_only=True,
            apply_types=False,
            allow_auto_create_topics=False,
            metadata_max_age_ms=5000,
            request_timeout_ms=15000,
            graceful_timeout=GRACE_SECONDS,
            parser=_with_readable_headers,
            logger=logging.getLogger("shared.kafka.client"),
        )

        subscriber = broker.subscriber(
            *sorted(event.topic for event in self._handlers),
            batch=True,
            max_records=MAX_BATCH,
            fetch_min_bytes=MAX_VALUE_BYTES if self._within_ms else 1,
            fetch_max_wait_ms=self._within_ms or IDLE_FETCH_MS,
            group_id=self._database.service,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            decoder=_raw,
            isolation_level="read_committed",
            session_timeout_ms=6000,
            heartbeat_interval_ms=1000,
            max_poll_interval_ms=300_000,
            no_reply=True,
        )
        subscriber.get_msg = self._next_batch  # type: ignore[method-assign]

        @subscriber
        async def on_batch(records: Any) -> None:
            await self._take(records)

        return broker

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> tuple[Any, ...]:
        """Records of any partitions; once one could not be decoded, of one partition at a time."""
        if self._is_careful:
            return await self._next_of_one(consumer)
        reached = _positions(consumer)
        try:
            found = await consumer.getmany(timeout_ms=IDLE_FETCH_MS, max_records=MAX_BATCH)
        except UNDECODABLE as error:
            # what was taken from other partitions before it is in nobody's hands
            log.warning("consumer.careful", service=self._database.service, error=type(error).__name__)
            for partition in reached.keys() & consumer.assignment():
                consumer.seek(partition, reached[partition])
            self._is_careful = True
            return ()
        return tuple(chain(*found.values()))

    async def _next_of_one(self, consumer: AIOKafkaConsumer) -> tuple[Any, ...]:
        for partition in consumer.assignment() - consumer.paused():
            try:
                found = await consumer.getmany(partition, max_records=MAX_BATCH)
            except UNDECODABLE as error:
                topic, number = partition
                log.warning("partition.held_up", topic=topic, partition=number, error=type(error).__name__)
                consumer.pause(partition)
            else:
                if found:
                    return tuple(found[partition])
        await asyncio.sleep(CAREFUL_SECONDS)
        return ()

    async def _take(self, records: Sequence["ConsumerRecord[bytes | None, bytes | None]"]) -> None:
        consumer: AIOKafkaConsumer = self._subscribers()[0].consumer
        try:
            await self._apply([arrival_of(record) for record in records])
        except Exception:
            for record in reversed(records):
                consumer.seek(TopicPartition(record.topic, record.partition), record.offset)
            raise
        self._handled |= {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        if self._is_stopping:
            await self._commit()

    async def _apply(self, arrivals: list[Arrival]) -> None:
        self._batch_since = time.monotonic()
        try:
            try:
                await self._handle_patiently(arrivals)
            except Exception as error:
                if postgres.is_transient(error):
                    raise
                log.warning("batch.divided", service=self._database.service, error=type(error).__name__)
                for arrival in arrivals:
                    await self._apply_or_bury(arrival)
            self.consumed += len(arrivals)
        finally:
            self._batch_since = None

    async def _apply_or_bury(self, arrival: Arrival) -> None:
        try:
            await self._handle_patiently([arrival])
        except Exception as error:
            if postgres.is_transient(error):
                raise
            log.exception("event.failed", topic=arrival.topic, offset=arrival.offset)
            async for attempt in _retrying(Exception):
                with attempt:
                    async with self._database.transaction() as connection:
                        await dead_letters.bury(connection, arrival, "handler", type(error).__name__)

    async def _handle_patiently(self, arrivals: Sequence[Arrival]) -> None:
        try:
            await self._handle(arrivals)
        except Exception as error:
            if not postgres.is_transient(error):
                raise
            async for attempt in _retrying():
                with attempt:
                    await self._handle(arrivals)

    async def _handle(self, arrivals: Sequence[Arrival]) -> None:
        async with self._writing(arrivals) as connection:
            await handle(connection, arrivals, self._handlers)

    def _writing(self, arrivals: Iterable[Arrival]) -> AbstractAsyncContextManager[Connection]:
        if all(arrival.topic in self._batched_topics for arrival in arrivals):
            return self._database.autocommit()
        return self._database.transaction()


def _retrying(on: Any = postgres.is_transient) -> Any:
    return stamina.retry_context(
        on=on,
        attempts=None,
        timeout=RETRY_SECONDS,
        wait_initial=0.2,
        wait_max=30,
        wait_jitter=0.2,
    )


def _positions(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    assignment = consumer._subscription.subscription and consumer._subscription.subscription.assignment
    states = {} if assignment is None else {one: assignment.state_value(one) for one in assignment.tps}
    return {partition: state.position for partition, state in states.items() if state.has_valid_position}


async def _with_readable_headers(message: Any, original: Any) -> Any:
    """FastStream drops a record whose header is null or not UTF-8 (faststream #2458): show its parser none of them."""
    records = message if isinstance(message, tuple) else (message,)
    kept = [record.headers for record in records]
    for record in records:
        record.headers = ()
    parsed = await original(message)
    for record, headers in zip(records, kept, strict=True):
        record.headers = headers
    return parsed


async def _raw(message: Any) -> list[Any]:
    return list(message.raw_message)


async def replay(database: Database, letter_id: UUID, handlers: Handlers, *, by: str) -> str | None:
    """Hand an open dead letter to its handler once more; the reason where it fails again and stays open."""
    async with database.transaction() as connection:
        letter = await dead_letters.lock(connection, letter_id)
        if letter is None or letter.state != "open":
            return "it is not open any more"
        try:
            async with connection.transaction():
                await hand_over(connection, handlers, [read(letter.arrival, handlers)])
        except Exception as error:
            if postgres.is_transient(error):
                raise
            refusal = error if isinstance(error, Refused) else Refused("handler", type(error).__name__)
            log.exception("event.failed_again", topic=letter.arrival.topic, offset=letter.arrival.offset)
            await dead_letters.bury(connection, letter.arrival, refusal.reason, refusal.detail)
            return str(refusal)
        await dead_letters.settle(connection, letter_id, "replayed", by)
    return None
