"""What is done to a system: each fault by itself, and seeded schedules of them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

import asyncpg
from aiokafka.errors import KafkaError

from services.laptop import PACKAGES
from tests.chaos import wire
from tests.chaos.checker import findings, read_state
from tests.chaos.ledger import read
from tests.chaos.systems import SECONDS_TO_START, System, Trio, eventually, ready, running

Fault = Callable[[float], Awaitable[datetime]]
"""Takes the seconds that what it hits stays away; returns when it struck."""

GROUP_SECONDS = 6
SECONDS_TO_SETTLE = 120
TOLD = 5


@dataclass(frozen=True)
class Strike:
    """A fault, the seconds of peace before it, and the seconds that what it hits stays away."""

    peace: float
    fault: str
    away: float


async def kill(system: System, part: str, away: float) -> datetime:
    """SIGKILL, and back after a while."""
    system.kill(part)
    return await _gone(system, away)


async def freeze(system: Trio, service: str, away: float) -> datetime:
    """SIGSTOP until the group has given a service's partitions away; then it goes on as if nothing had been."""
    system.processes[service].signal(signal.SIGSTOP)
    return await _gone(system, GROUP_SECONDS + away)


async def restart(system: System, away: float) -> datetime:
    """SIGTERM to every process of the advisor, which must end by itself and without complaint."""
    await running(system)
    codes = await system.stop()
    assert set(codes) == {0}, f"after SIGTERM the exit codes were {codes}"
    return await _gone(system, away)


async def delete_topics(system: System, away: float) -> datetime:
    """All topics go, under live producers and consumers, as soon as Kafka answers."""

    async def kept() -> str | None:
        try:
            await wire.delete_topics(system.bootstrap_servers)
        except KafkaError as error:
            return f"Kafka does not take orders ({type(error).__name__})"
        return None

    await eventually(kept, SECONDS_TO_START)
    return await _gone(system, away)


async def wipe_kafka(system: System, away: float) -> datetime:
    """Kafka comes back with nothing at all, as another cluster."""
    struck = datetime.now(UTC)
    await system.wipe_kafka()
    await asyncio.sleep(away)
    return struck


async def _gone(system: System, away: float) -> datetime:
    struck = datetime.now(UTC)
    await asyncio.sleep(away)
    await system.restore()
    return struck


def faults(system: System) -> dict[str, Fault]:
    """Everything that can be done to a system, by name."""
    found: dict[str, Fault] = {f"kill {part}": partial(kill, system, part) for part in system.parts}
    found["restart"] = partial(restart, system)
    found["delete all topics"] = partial(delete_topics, system)
    found["wipe Kafka's data"] = partial(wipe_kafka, system)
    if isinstance(system, Trio):
        found |= {f"freeze {service}": partial(freeze, system, service) for service in PACKAGES}
    return found


def schedule(seed: int, names: Sequence[str]) -> Iterator[Strike]:
    """An endless schedule: every fault comes once, in an order of the seed's, before any comes again."""
    random = Random(seed)
    while True:
        for fault in random.sample(sorted(names), len(names)):
            yield Strike(random.uniform(0.5, 2), fault, random.choice([0, 0.5, 2]))


async def settled(
    system: System, ledger: Path, poison: Collection[tuple[str, str]] = (), seconds: float = SECONDS_TO_SETTLE
) -> None:
    """Returns when the system is ready, has read all there is, and keeps every promise of the ledger."""
    await ready(system, seconds)

    async def unsettled() -> str | None:
        try:
            behind = await wire.unread(system.bootstrap_servers)
        except KafkaError:
            return "Kafka does not answer"
        if behind:
            return f"{behind} records have not been read"
        broken = findings(read(ledger), await read_state(system.database_url), poison)
        return f"{len(broken)} promises are broken: {'; '.join(broken[:TOLD])}" if broken else None

    await eventually(unsettled, seconds)


async def seconds_to_proposal(database_url: str, struck: datetime) -> float:
    """How long after a fault the first proposal came for an intake that was submitted after it."""
    owner = await asyncpg.connect(database_url)
    try:
        first = await owner.fetchval(
            "select min(proposed_at) from recommendation.proposal where submitted_at > $1", struck
        )
    finally:
        await owner.close()
    assert first is not None, "nothing has been proposed since"
    return float((first - struck).total_seconds())
