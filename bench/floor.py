"""The floor: asyncpg and aiokafka alone, with the product's steps, payloads and durability.

A submission and its outbox row in one statement, a relay, a topic of 6 partitions, a transaction per batch with the
assessment and its outbox row, a relay, a topic, a transaction with the proposal. No HTTP, no framework, no rules.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from operator import itemgetter
from uuid import UUID, uuid4

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.load import Connection, Job, Ledger, run

SUBMITTED, COMPLETED = "floor.submitted", "floor.completed"
PARTITIONS = 6
POOL_SIZE = 12
RELAY_BATCH, CONSUMER_BATCH = 500, 100
TABLES = """
    drop schema if exists floor cascade;
    create schema floor;
    create table floor.submission (id uuid primary key, answers jsonb);
    create table floor.assessment (id uuid primary key, at timestamptz, assessment jsonb);
    create table floor.proposal (id uuid primary key, at timestamptz, proposal jsonb);
    create table floor.submitted (seq bigint generated always as identity primary key, key uuid, payload text);
    create table floor.completed (seq bigint generated always as identity primary key, key uuid, payload text);
"""
MARKS = """
    select id,
        extract(epoch from pg_xact_commit_timestamp(submission.xmin))::float8,
        extract(epoch from assessment.at)::float8,
        extract(epoch from pg_xact_commit_timestamp(assessment.xmin))::float8,
        extract(epoch from proposal.at)::float8,
        extract(epoch from pg_xact_commit_timestamp(proposal.xmin))::float8
    from floor.submission join floor.assessment using (id) join floor.proposal using (id)
    where id = any($1)
"""

Step = Callable[[Connection, list[UUID], datetime], Awaitable[None]]


class Floor:
    """The steps, with the texts of one real case in place of anything worked out."""

    def __init__(self, pool: asyncpg.Pool, producer: AIOKafkaProducer, texts: dict[str, str]) -> None:
        self._pool = pool
        self._producer = producer
        self._texts = texts
        self._woken = {"submitted": asyncio.Event(), "completed": asyncio.Event()}

    async def submit(self) -> UUID:
        one = uuid4()
        await self._pool.execute(
            """
            with kept as (insert into floor.submission (id, answers) values ($1, $2::text::jsonb))
            insert into floor.submitted (key, payload) values ($1, $3)
            """,
            one,
            self._texts["answers"],
            self._texts["submitted"],
        )
        self._woken["submitted"].set()
        return one

    async def relay(self, outbox: str, topic: str) -> None:
        async with self._pool.acquire() as connection:
            while True:
                self._woken[outbox].clear()
                async with connection.transaction():
                    rows = await connection.fetch(
                        f"""
                        delete from floor.{outbox} where seq in (select seq from floor.{outbox} order by seq limit $1)
                        returning seq, key, payload
                        """,
                        RELAY_BATCH,
                    )
                    await asyncio.gather(
                        *[
                            await self._producer.send(topic, row["payload"].encode(), key=row["key"].bytes)
                            for row in sorted(rows, key=itemgetter("seq"))
                        ]
                    )
                if not rows:
                    await self._woken[outbox].wait()

    async def consume(self, consumer: AIOKafkaConsumer, step: Step) -> None:
        async with self._pool.acquire() as connection:
            while True:
                records = await _batch(consumer)
                at = datetime.now(UTC)
                for record in records:
                    orjson.loads(record.value)
                async with connection.transaction():
                    await step(connection, [UUID(bytes=record.key) for record in records], at)
                self._woken["completed"].set()
                await consumer.commit()

    async def assess(self, connection: Connection, ids: list[UUID], at: datetime) -> None:
        await connection.execute(
            """
            with kept as (
                insert into floor.assessment (id, at, assessment)
                select id, $2, $3::text::jsonb from unnest($1::uuid[]) id
                on conflict do nothing returning id
            )
            insert into floor.completed (key, payload) select id, $4 from kept
            """,
            ids,
            at,
            self._texts["assessment"],
            self._texts["completed"],
        )

    async def propose(self, connection: Connection, ids: list[UUID], at: datetime) -> None:
        await connection.execute(
            """
            insert into floor.proposal (id, at, proposal) select id, $2, $3::text::jsonb from unnest($1::uuid[]) id
            on conflict do nothing
            """,
            ids,
            at,
            self._texts["proposal"],
        )


async def _batch(consumer: AIOKafkaConsumer) -> Sequence[ConsumerRecord[bytes, bytes]]:
    while True:
        records = [
            record
            for records in (await consumer.getmany(timeout_ms=100, max_records=CONSUMER_BATCH)).values()
            for record in records
        ]
        if records:
            return records


async def _ensure_topics(bootstrap_servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        missing = {SUBMITTED, COMPLETED} - set(await admin.list_topics())
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in missing])
    finally:
        await admin.close()


async def measure(job: Job) -> list[Ledger]:
    """The ledger of each load."""
    servers = job.kafka_bootstrap_servers
    await _ensure_topics(servers)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(job.database_url, max_size=POOL_SIZE))
        await pool.execute(TABLES)
        producer = AIOKafkaProducer(
            bootstrap_servers=servers, acks="all", enable_idempotence=True, max_batch_size=262_144
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        floor = Floor(pool, producer, job.more)
        work = [floor.relay("submitted", SUBMITTED), floor.relay("completed", COMPLETED)]
        for topic, step in ((SUBMITTED, floor.assess), (COMPLETED, floor.propose)):
            consumer = AIOKafkaConsumer(
                topic,
                bootstrap_servers=servers,
                group_id=f"{topic} reader",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
            await consumer.start()
            stack.push_async_callback(consumer.stop)
            work.append(floor.consume(consumer, step))
        async with asyncio.TaskGroup() as working, pool.acquire() as connection:
            tasks = [working.create_task(one) for one in work]
            measured = await run(job.loads, floor.submit, connection, MARKS)
            for task in tasks:
                task.cancel()
    return measured


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(Job.heard()))))
