"""A rig that finds nothing means something only if it finds what is there: each safeguard is taken out once."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.chaos import wire
from tests.chaos.checker import findings, read_state
from tests.chaos.ledger import Ledger, read
from tests.chaos.load import sending
from tests.chaos.systems import ADVISOR, Trio, eventually, ready

PER_SECOND = 20

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(0)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    kept = Ledger(tmp_path / "ledger.jsonl")
    yield kept
    kept.close()


@asynccontextmanager
async def flawed(trio: Trio, name: str, flaw: str) -> AsyncIterator[None]:
    """A flawed service in the place of a sound one."""
    await replaced(trio, name, [sys.executable, "-m", "tests.chaos.sabotage", flaw])
    try:
        yield
    finally:
        await replaced(trio, name, [str(ADVISOR)])


async def replaced(trio: Trio, name: str, command: list[str]) -> None:
    await trio.processes[name].stop()
    trio.run(name, command)
    await trio.processes[name].ready()


async def read_to_the_end(trio: Trio) -> None:
    await ready(trio)

    async def behind() -> str | None:
        count = await wire.unread(trio.bootstrap_servers)
        return f"{count} records have not been read" if count else None

    await eventually(behind, 30)


async def found(trio: Trio, ledger: Ledger, poison: list[tuple[str, str]] | None = None) -> str:
    return "\n".join(findings(read(ledger.path), await read_state(trio.database_url), poison or []))


async def execute(trio: Trio, *statements: str) -> None:
    owner = await asyncpg.connect(trio.database_url)
    try:
        for statement in statements:
            await owner.execute(statement)
    finally:
        await owner.close()


async def test_a_parser_that_is_not_tolerant_is_found_out(trio: Trio, ledger: Ledger) -> None:
    topic = "intake.submitted.v1"
    poison = wire.poison(topic)
    dropped, after = poison["a header that is not UTF-8"], poison["no ce_id"]
    expected = [("assessment", wire.identity(topic, *record)) for record in (dropped, after)]
    async with flawed(trio, "assessment", "parser_that_drops"):
        await wire.throw(trio.bootstrap_servers, topic, *dropped)
        await wire.throw(trio.bootstrap_servers, topic, *after)
        await read_to_the_end(trio)
    assert await found(trio, ledger, expected) == f"assessment dropped a record that it could not use: {expected[0][1]}"


async def test_a_relay_that_deletes_before_it_is_acknowledged_is_found_out(trio: Trio, ledger: Ledger) -> None:
    async with flawed(trio, "intake", "relay_that_hopes"):
        async with sending(trio, ledger, seed=1, per_second=PER_SECOND) as load:
            await load.more(5)
            trio.kill("Kafka")
            await load.more(5)
        trio.processes["intake"].kill()
        await trio.restore()
    await read_to_the_end(trio)
    assert "has 0 recommendations" in await found(trio, ledger)


async def test_an_answer_before_the_commit_is_on_disk_is_found_out(trio: Trio, ledger: Ledger) -> None:
    settings = {"synchronous_commit": "off", "wal_writer_delay": "'10s'"}
    await execute(trio, *(f"alter system set {name} = {value}" for name, value in settings.items()))
    await execute(trio, "select pg_reload_conf()")
    async with sending(trio, ledger, seed=1, per_second=PER_SECOND) as load:
        await load.more(10)
    trio.kill("Postgres")
    await trio.restore()
    await ready(trio)
    await execute(trio, *(f"alter system reset {name}" for name in settings), "select pg_reload_conf()")
    assert "was acknowledged and is lost" in await found(trio, ledger)


async def test_a_table_without_its_natural_key_is_found_out(trio: Trio, ledger: Ledger) -> None:
    async with sending(trio, ledger, seed=1, per_second=PER_SECOND) as load:
        await load.more(5)
    await read_to_the_end(trio)
    await execute(
        trio,
        "alter table recommendation.review_case drop constraint review_case_pkey cascade",
        "alter table recommendation.proposal drop constraint proposal_pkey cascade",
        "alter table recommendation.fact drop constraint fact_pkey cascade",
    )
    trio.command("resay", "--service", "assessment")
    await read_to_the_end(trio)
    assert "has 2 recommendations" in await found(trio, ledger)
