"""Facts leave with the transaction that made them true, in order, and can be said again."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared import postgres
from shared.contracts.base import Event
from shared.postgres import Connection, Database

BATCH = 500
SEND_SECONDS = 15
POLL_SECONDS = 0.1
STANDBY_SECONDS = 0.5
FROZEN_SECONDS = 60
MAX_PAUSE_SECONDS = 2.0

log = structlog.get_logger(__name__)


async def say(connection: Connection, event: Event) -> None:
    """Put a fact into the caller's transaction: it is sent if, and only if, that transaction commits."""
    await connection.execute(
        """
        with said as (
            insert into fact (id, topic, key, version, payload, at) values ($1, $2, $3, $4, $5, $6)
            on conflict (id) do nothing
        )
        insert into outbox (fact_id) values ($1)
        """,
        event.event_id,
        event.topic,
        event.aggregate_id,
        event.version,
        event.model_dump_json(by_alias=True),
        event.time,
    )


async def say_again(connection: Connection, event_ids: Iterable[UUID]) -> None:
    """Send facts once more, as they were and with their ids; unknown ids are left out."""
    await connection.execute(
        "insert into outbox (fact_id) select id from fact where id = any($1) order by at, version", list(event_ids)
    )


async def resay(
    connection: Connection,
    *,
    topics: Iterable[str] | None = None,
    key: UUID | None = None,
    since: datetime | None = None,
) -> int:
    """Send everything said so far once more, optionally only some topics, one aggregate, or since a time."""
    status = await connection.execute(
        """
        insert into outbox (fact_id)
        select id from fact
        where ($1::text[] is null or topic = any($1)) and ($2::uuid is null or key = $2)
          and ($3::timestamptz is null or at >= $3)
        order by at, version
        """,
        None if topics is None else list(topics),
        key,
        since,
        timeout=60,
    )
    return postgres.rows_affected(status)


async def forget(connection: Connection, key: UUID, *, keep: Iterable[str] = ()) -> None:
    """Delete what was said and what waits to be said about one aggregate, except on the topics to keep."""
    await connection.execute(
        """
        with gone as (delete from fact where key = $1 and topic <> all($2::text[]) returning id)
        delete from outbox where fact_id in (select id from gone)
        """,
        key,
        list(keep),
    )


async def depth(connection: Connection) -> tuple[int, float]:
    """How many facts wait to be sent, and how many seconds the oldest has waited."""
    row = await connection.fetchrow(
        "select count(*) as waiting, coalesce(extract(epoch from now() - min(at)), 0)::float8 as age from outbox"
    )
    assert row is not None
    return row["waiting"], row["age"]


class Relay:
    """Sends the outbox to Kafka: one leader per service, oldest first, deleted only after Kafka's acknowledgement."""

    def __init__(self, database: Database, bootstrap_servers: str, within_ms: int = 0) -> None:
        """`within_ms`: how long facts may wait after others were sent, to be sent together."""
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self._within_seconds = within_ms / 1000
        self._producer: AIOKafkaProducer | None = None
        self._starting: asyncio.Future[None]
        self.sent = 0
        self.failing_since: float | None = None

    async def run(self) -> None:
        """Relay until cancelled. After any failure the lead is given up and the producer is built anew."""
        pause = POLL_SECONDS
        try:
            while True:
                try:
                    async with self._database.connection() as connection:
                        await self._lead(connection)
                except (*postgres.TRANSIENT, KafkaError) as error:
                    pause = min(pause * 2, MAX_PAUSE_SECONDS)
                    if self.failing_since is None:
                        self.failing_since, pause = time.monotonic(), POLL_SECONDS
                        log.warning("relay.failing", service=self._database.service, error=type(error).__name__)
                    await self._drop_producer()
                    await asyncio.sleep(pause)
        finally:
            await self._drop_producer()

    async def _lead(self, connection: Connection) -> None:
        """Send until something fails, as the only one of this service: the lead is a lock of this session."""
        try:
            while not await connection.fetchval("select pg_try_advisory_lock(hashtext(current_schema()), 1)"):
                await asyncio.sleep(STANDBY_SECONDS)
            # what a crash brings back is sent once more, so no deletion has to wait for the disk
            await connection.execute(f"set idle_session_timeout = '{FROZEN_SECONDS}s'; set synchronous_commit = off")
            while True:
                self._database.committed.clear()
                sent = await self._send_batch(connection)
                if self.failing_since is not None:
                    self.failing_since = None
                    log.info("relay.recovered", service=self._database.service)
                if 0 < sent < BATCH:
                    await asyncio.sleep(self._within_seconds)
                if sent < BATCH:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL_SECONDS):
                            await self._database.committed.wait()
        finally:
            connection.terminate()

    async def _send_batch(self, connection: Connection) -> int:
        """The number of facts sent."""
        producer = await self._started_producer()
        async with asyncio.timeout(SEND_SECONDS):
            facts = await connection.fetch(
                """
                select seq, fact.* from outbox left join fact on fact.id = outbox.fact_id order by seq limit $1
                """,
                BATCH,
            )
            acknowledgements = [
                await producer.send(
                    fact["topic"],
                    fact["payload"].encode(),
                    key=str(fact["key"]).encode(),
                    headers=_cloudevent_headers(self._database.service, fact),
                )
                for fact in facts
                if fact["id"] is not None
            ]
            await asyncio.gather(*acknowledgements)
            if facts:
                await connection.execute("delete from outbox where seq = any($1)", [fact["seq"] for fact in facts])
        self.sent += len(acknowledgements)
        return len(facts)

    async def _started_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                acks="all",
                enable_idempotence=True,
                max_batch_size=262_144,
                max_request_size=4_194_304,
                request_timeout_ms=SEND_SECONDS * 1000,
                metadata_max_age_ms=5000,
            )
            self._producer, self._starting = producer, asyncio.ensure_future(producer.start())
        # a start that is cancelled half way leaves connections that nothing can close
        await asyncio.shield(self._starting)
        return self._producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await asyncio.wait([self._starting])
            # stop() would wait for batches whose claim is rolled back already, for as long as the broker is away
            producer._closed = True
            await producer._sender.close()
            await producer.client.close()


def _cloudevent_headers(service: str, fact: asyncpg.Record) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 in Kafka's binary mode: https://github.com/cloudevents/spec, kafka-protocol-binding."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(fact["id"]).encode()),
        ("ce_source", f"/{service}".encode()),
        ("ce_type", fact["topic"].encode()),
        ("ce_subject", str(fact["key"]).encode()),
        ("ce_time", fact["at"].isoformat().encode()),
        ("content-type", b"application/json"),
    ]
