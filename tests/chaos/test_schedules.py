"""Long schedules of faults under load: whatever is done to the system, the ledger holds."""

import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.chaos import ledger, wire
from tests.chaos.ledger import Ledger
from tests.chaos.load import sending
from tests.chaos.nemesis import faults, schedule, seconds_to_proposal, settled
from tests.chaos.systems import Laptop, System, Trio, started

SECONDS_TO_START_AND_SETTLE = 12
LEAST_SECONDS_OF_FAULTS = 5
PER_SECOND = 20

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(0)]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--seed"))


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """How long each of the two schedules lasts, apart from starting and settling."""
    whole = float(request.config.getoption("--seconds"))
    return max(LEAST_SECONDS_OF_FAULTS, whole / 2 - SECONDS_TO_START_AND_SETTLE)


async def strike(system: System, path: Path, seed: int, seconds: float) -> list[str]:
    """Let the seed's faults come one after another under load, and end with every promise kept; what it showed."""
    table, struck, until = faults(system), list[tuple[str, datetime]](), time.monotonic() + seconds
    kept = Ledger(path)
    try:
        async with sending(system, kept, seed=seed, per_second=PER_SECOND) as load:
            for one in schedule(seed, list(table)):
                await load.calm(one.peace)
                struck.append((one.fault, await table[one.fault](one.away)))
                if time.monotonic() > until:
                    break
            await load.more(1)
        await settled(system, path)
    finally:
        kept.close()
    requests = ledger.read(path)
    attempts = sum(request.attempts for request in requests.values())
    repeats = wire.repeats(await wire.records(system.bootstrap_servers))
    return [
        f"seed {seed}: {len(requests)} requests in {attempts} attempts, none lost, {repeats} repeats in Kafka",
        "  seconds until something submitted after each fault was proposed:",
        *[f"  {name}: {await seconds_to_proposal(system.database_url, at):.1f} s" for name, at in struck],
    ]


async def test_three_services_keep_every_promise_through_a_schedule_of_faults(
    trio: Trio, tmp_path: Path, seed: int, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    told = await strike(trio, tmp_path / "ledger.jsonl", seed, seconds)
    with capsys.disabled():
        print("\nthree services,", *told, sep="\n")  # noqa: T201


async def test_one_process_keeps_every_promise_through_a_schedule_of_faults(
    tmp_path: Path, seed: int, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    async with started(Laptop, tmp_path) as laptop:
        told = await strike(laptop, tmp_path / "ledger.jsonl", seed, seconds)
    with capsys.disabled():
        print("\none process,", *told, sep="\n")  # noqa: T201
