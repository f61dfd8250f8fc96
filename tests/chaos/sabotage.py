"""Runs the command line with one safeguard taken out: `python -m tests.chaos.sabotage FLAW serve NAME`."""

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from services.__main__ import main
from services.intake import jobs
from shared import outbox
from shared.kafka import consumer
from shared.outbox import Relay
from shared.postgres import Connection
from shared.service.frame import no_jobs


async def _parse_all_headers(message: Any, original: Any) -> Any:
    return await original(message)


def parser_that_drops() -> None:
    """FastStream reads the headers itself, and loses a record whose header is not UTF-8."""
    patch.object(consumer, "_with_readable_headers", _parse_all_headers).start()


async def _send_and_hope(relay: Relay, connection: Connection) -> int:
    producer = await relay._started_producer()
    facts = await connection.fetch(
        """
        with gone as (delete from outbox returning fact_id)
        select * from fact where id in (select fact_id from gone)
        """
    )
    for fact in facts:
        headers = outbox._cloudevent_headers(relay._database.service, fact)
        await producer.send(fact["topic"], fact["payload"].encode(), key=str(fact["key"]).encode(), headers=headers)
    return len(facts)


def relay_that_hopes() -> None:
    """Facts leave the outbox before Kafka has acknowledged them, and nobody asks again."""
    patch.object(Relay, "_send_batch", _send_and_hope).start()
    patch.object(jobs, "jobs", no_jobs).start()


FLAWS: dict[str, Callable[[], None]] = {flaw.__name__: flaw for flaw in (parser_that_drops, relay_that_hopes)}


if __name__ == "__main__":
    FLAWS[sys.argv.pop(1)]()
    main()
