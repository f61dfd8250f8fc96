"""Topics exist before anybody consumes from them; the broker's own creation is off."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from shared.contracts.base import Event

CREATED, ALREADY_EXISTS = 0, 36
MAX_REPLICAS = 3
ANSWER_SECONDS = 5
MAX_RECORD_BYTES = 4_194_304

DAY_MS = 24 * 3600 * 1000

# records go by whole segments: what was erased elsewhere is gone from here a day after its week at the latest
SETTINGS = {
    "retention.ms": str(7 * DAY_MS),
    "segment.ms": str(DAY_MS),
    "max.message.bytes": str(MAX_RECORD_BYTES),
}


class TopicRefused(Exception):
    """Kafka would not create a topic; the message says which and why."""


@asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=ANSWER_SECONDS * 1000)
    # a start that is cancelled would leave its connection open
    starting = asyncio.create_task(admin.start())
    try:
        await asyncio.shield(starting)
        async with asyncio.timeout(ANSWER_SECONDS):
            yield admin
    finally:
        await asyncio.wait([starting])
        # a cancellation that meets it is swallowed inside
        await asyncio.shield(admin.close())


async def _missing(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> set[str]:
    # asking for topics by name would make a broker that creates topics itself create them with its own settings
    return set(topics) - set(await admin.list_topics())


async def missing_topics(bootstrap_servers: str, topics: Iterable[str]) -> set[str]:
    """Those of the topics that Kafka does not have; raises KafkaError or TimeoutError when it does not answer."""
    async with _admin(bootstrap_servers) as admin:
        return await _missing(admin, topics)


async def ensure_topics(bootstrap_servers: str, events: Iterable[type[Event]]) -> set[str]:
    """Create the missing topics, with three replicas where there are as many brokers, and return their names."""
    async with _admin(bootstrap_servers) as admin:
        events = list(events)
        missing = await _missing(admin, [event.topic for event in events])
        if not missing:
            return set()
        replicas = min(MAX_REPLICAS, len((await admin.describe_cluster())["brokers"]))
        answer = await admin.create_topics(
            [
                NewTopic(event.topic, event.partitions, replicas, topic_configs=SETTINGS)
                for event in events
                if event.topic in missing
            ]
        )
        created = set()
        for topic, code, message in answer.topic_errors:
            if code == CREATED:
                created.add(topic)
            elif code != ALREADY_EXISTS:
                error = for_code(code)
                if issubclass(error, KafkaError) and error.retriable:
                    raise error(message)
                raise TopicRefused(f"Kafka did not create topic {topic}: {message or error.__name__}")
        return created
