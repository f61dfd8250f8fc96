"""Kafka's side of it: what the topics hold, how far each service has read, and records that no service can use."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services import running
from services.laptop import PACKAGES

Offsets: TypeAlias = dict[TopicPartition, int]
Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"

TOPICS = sorted({event.topic for name in PACKAGES for event in running.service(name).publishes})


@asynccontextmanager
async def admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def _reader(bootstrap_servers: str) -> AsyncIterator[tuple[AIOKafkaConsumer, Offsets]]:
    """A consumer of all there is, with where it ends now; it belongs to no group and commits nothing."""
    async with admin(bootstrap_servers) as client:
        described = await client.describe_topics(sorted(set(TOPICS) & set(await client.list_topics())))
    partitions = [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(partitions)
        yield consumer, await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()


async def ends(bootstrap_servers: str) -> Offsets:
    """Where each partition of the services' topics ends now."""
    async with _reader(bootstrap_servers) as (_, end):
        return end


async def records(bootstrap_servers: str, since: Offsets | None = None) -> list[Record]:
    """What the services' topics hold now, from the beginning or from the offsets given."""
    async with _reader(bootstrap_servers) as (consumer, end):
        for partition, offset in {**await consumer.beginning_offsets(list(end)), **(since or {})}.items():
            consumer.seek(partition, offset)
        found: list[Record] = []
        while [one for one, offset in end.items() if await consumer.position(one) < offset]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found


def repeats(found: Iterable[Record]) -> int:
    """How many records came more than once, by their event ids: each is a duplicate that no service may act on."""
    ids = Counter(value for record in found for name, value in record.headers if name == "ce_id")
    return sum(count - 1 for count in ids.values())


async def unread(bootstrap_servers: str) -> int:
    """How many records the services have not yet read and committed."""
    end = await ends(bootstrap_servers)
    async with admin(bootstrap_servers) as client:
        behind = 0
        for name in PACKAGES:
            read = {event.topic for event in running.service(name).handlers}
            committed = await client.list_consumer_group_offsets(name)
            for partition, offset in end.items():
                if partition.topic in read:
                    behind += max(0, offset - (committed[partition].offset if partition in committed else 0))
        return behind


async def delete_topics(bootstrap_servers: str) -> None:
    """Take all topics of the services away, with all they hold."""
    async with admin(bootstrap_servers) as client:
        await client.delete_topics(TOPICS)


def poison(topic: str) -> dict[str, tuple[bytes, Headers]]:
    """Records that nobody who reads the topic can use, as value and headers, by what is wrong with them."""
    event_type = ("ce_type", topic.encode())

    def event_id(number: int) -> tuple[str, bytes]:
        return "ce_id", str(uuid5(UUID(int=number), topic)).encode()

    return {
        "bad JSON": (b'{"version": 1, ', [event_type, event_id(1)]),
        "bad UTF-8": (b'{"version": "\xff"}', [event_type, event_id(2)]),
        "a header that is not UTF-8": (b"{}", [event_type, event_id(3), ("ce_source", b"\xff")]),
        "a null header": (b"{}", [event_type, event_id(4), ("ce_time", None)]),
        "no ce_id": (b'{"no": "id"}', [event_type]),
        "an unknown type": (b"{}", [("ce_type", b"intake.unheard-of.v1"), event_id(5)]),
        "no body": (b"", [event_type, event_id(6)]),
        "2 MB": (b'"' + b"x" * 2_000_000 + b'"', [event_type, event_id(7)]),
    }


def identity(topic: str, value: bytes, headers: Headers) -> str:
    """The identity under which a dead letter of this record is kept, for a record without a key."""
    event_id = dict(headers).get("ce_id")
    if event_id is not None:
        return event_id.decode()
    return hashlib.sha256(b"\0".join((topic.encode(), b"", value))).hexdigest()


async def throw(bootstrap_servers: str, topic: str, value: bytes, headers: Headers) -> None:
    """Put one record on a topic, as it is, behind those that came before."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", max_request_size=4_194_304)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value, headers=headers, partition=0)
    finally:
        await producer.stop()
