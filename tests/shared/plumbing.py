"""What the tests of the plumbing share: facts that nobody else says, their topics, and a network that breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.contracts.base import Event
from shared.kafka import ensure_topics
from shared.kafka.dead_letters import Arrival

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENCE_SECONDS = 40

Record: TypeAlias = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]
Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Noted(Event):
    """A fact that only tests say."""

    topic: ClassVar[str] = "test.noted.v1"

    subject: UUID
    text: str = ""

    @property
    def aggregate_id(self) -> UUID:
        return self.subject


def record_of(event: Event, **changed: bytes | None) -> Record:
    """A fact as a record, with some of its headers changed."""
    headers = {"ce_id": str(event.event_id).encode(), "ce_type": event.topic.encode(), **changed}
    return str(event.aggregate_id).encode(), event.model_dump_json().encode(), list(headers.items())


def arrival_of(event: Event, offset: int = 7, **changed: bytes | None) -> Arrival:
    """A fact as Kafka delivers it, with some of its headers changed."""
    key, value, headers = record_of(event, **changed)
    return Arrival(event.topic, 0, offset, key, {name: (text or b"").decode() for name, text in headers}, value)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for something that other tasks or processes bring about."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def at_work(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """A task that is cancelled and awaited at the end."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Bus:
    """Topics of one test's own on the real Kafka, deleted afterwards."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        self._topics: list[str] = []

    def event(self, partitions_: int = 1) -> type[Noted]:
        """A new kind of fact, with a topic that nobody else uses."""

        class Unique(Noted):
            topic: ClassVar[str] = f"test.{uuid4().hex[:12]}.v1"
            partitions: ClassVar[int] = partitions_

        self._topics.append(Unique.topic)
        return Unique

    async def created(self, partitions: int = 1) -> type[Noted]:
        """A new kind of fact whose topic exists."""
        event = self.event(partitions)
        await ensure_topics(self.servers, [event])
        return event

    async def publish(self, topic: str, *records: Record) -> None:
        """Send records of key, value and headers, as they are, to the topic's first partition."""
        async with self._producer() as producer:
            for key, value, headers in records:
                await producer.send_and_wait(topic, value, key=key, headers=headers, partition=0)

    async def say(self, *events: Event) -> None:
        """Send facts without an outbox."""
        async with self._producer() as producer:
            for event in events:
                key, value, headers = record_of(event)
                await producer.send_and_wait(event.topic, value, key=key, headers=headers)

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(bootstrap_servers=self.servers, max_request_size=4_194_304)
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    @asynccontextmanager
    async def listening(self, *events: type[Event]) -> AsyncIterator["Listener"]:
        """Read topics from their beginning, outside any group."""
        consumer = AIOKafkaConsumer(
            *(event.topic for event in events),
            bootstrap_servers=self.servers,
            auto_offset_reset="earliest",
            metadata_max_age_ms=1000,
        )
        await consumer.start()
        try:
            yield Listener(consumer)
        finally:
            await consumer.stop()

    async def committed(self, group: str, event: type[Event]) -> int:
        """How many records of an event's first partition a group has done with."""
        partition = TopicPartition(event.topic, 0)
        try:
            offsets = await self.admin.list_consumer_group_offsets(group, partitions=[partition])
        except GroupCoordinatorNotAvailableError:
            return 0  # a new Kafka has no place for positions until somebody commits one
        return max(0, int(offsets[partition].offset)) if partition in offsets else 0

    async def delete(self, event: type[Event]) -> None:
        """Delete an event's topic, with all that is on it."""
        await self.admin.delete_topics([event.topic])

    async def clear(self) -> None:
        """Delete every topic that was made here, by a way that no test has broken."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        existing = set(await admin.list_topics())
        await admin.delete_topics([topic for topic in self._topics if topic in existing])
        await admin.close()


class Listener:
    """What has arrived on some topics."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: list[ConsumerRecord[bytes | None, bytes | None]] = []

    async def heard(self, count: int) -> list["ConsumerRecord[bytes | None, bytes | None]"]:
        """All records so far, at least `count` of them."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.records) < count:
                for batch in (await self._consumer.getmany(timeout_ms=100)).values():
                    self.records += batch
        return self.records


class Proxy:
    """A TCP hop to a server: it can be cut, so that nothing answers, or frozen, so that everything hangs."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Proxy"]:
        """Listen on a free port of this machine."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Drop every connection and take no more."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Let nothing through, and close nothing."""
        self._flowing.clear()

    def mend(self) -> None:
        """Work again."""
        self._is_cut = False
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        upstream_reader, upstream_writer = await self._connect()
        pair = {writer, upstream_writer}
        self._writers |= pair
        try:
            pumps = [self._pump(reader, upstream_writer), self._pump(upstream_reader, writer)]
            await asyncio.wait([asyncio.create_task(pump) for pump in pumps], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= pair
            for one in pair:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()


def database_behind(url: str) -> Proxy:
    """A hop to the server of a database address, by socket folder or by host."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    port = parts.port or 5432
    if folder.startswith("/"):
        return Proxy(lambda: asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}"))
    return Proxy(lambda: asyncio.open_connection(parts.hostname, port))


def by_way_of(proxy: Proxy, url: str) -> str:
    """The same database by way of the hop."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}", query=""))
