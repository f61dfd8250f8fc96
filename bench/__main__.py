"""`python -m bench [--quick] [--json FILE]`: the floor and the product in turn, on the same fresh servers."""

import argparse
import asyncio
import json
import sys
import tempfile
import timeit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import fmean, median

import asyncpg
import uvloop

from bench import product, web
from bench.load import Job, Ledger, Load, ledgers, run
from bench.machine import machine, megabytes
from bench.report import FLOOR, Figures, Laptop, outcome, table
from services import laptop
from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from services.demo import companies
from shared import postgres
from shared.contracts.intake import Answer
from shared.embedded import Addresses, Servers
from shared.questionnaire import load

LOADS = (Load(2000, 100), Load(5000, 500), Load(5000))
QUICK_LOADS = (Load(300, 100), Load(1000, 500), Load(1000))
ROUNDS = 3
TIMES = 20
SETTLE_SECONDS = 10


async def bench(folder: Path, *, quick: bool) -> Figures:
    """Measure everything, with the servers' data in the folder."""
    loads, rounds = (QUICK_LOADS, 1) if quick else (LOADS, ROUNDS)
    found_machine, found_laptop = machine(folder), await _laptop(folder / "laptop", quick=quick)
    measured: dict[str, list[list[Ledger]]] = {FLOOR: [], "in one process": [], "over HTTP": []}
    async with _servers(folder / "servers") as servers:
        url, kafka = servers.database_url, servers.kafka_bootstrap_servers
        await postgres.migrate(url, laptop.PACKAGES)
        connection = await asyncpg.connect(url)
        secrets = laptop.own_secrets(folder)
        _progress("warming the servers with the product's own submissions")
        await _in_a_process("product", Job(url, kafka, [], secrets))
        texts = await connection.fetchrow(product.TEXTS)
        assert texts is not None
        for number in range(rounds):
            _progress(f"round {number + 1} of {rounds}: the floor")
            measured[FLOOR].append(await _in_a_process("floor", Job(url, kafka, loads, dict(texts))))
            _progress(f"round {number + 1} of {rounds}: the product in one process")
            measured["in one process"].append(await _in_a_process("product", Job(url, kafka, loads, secrets)))
            _progress(f"round {number + 1} of {rounds}: the product over HTTP")
            async with web.advisor(folder / "web", servers) as up, web.client(up.settings) as client:
                measured["over HTTP"].append(await run(loads, client.submit, connection, product.MARKS))
        await connection.close()
    outcomes = {
        system: [[outcome(ledger) for ledger in each] for each in zip(*rounds_of, strict=True)]
        for system, rounds_of in measured.items()
    }
    return Figures(found_machine, found_laptop, loads, outcomes)


async def _laptop(data: Path, *, quick: bool) -> Laptop:
    _progress("starting a system of its own, twice")
    async with web.advisor(data):
        pass
    async with web.advisor(data) as up:
        async with web.client(up.settings) as client:
            seconds_to_proposal = await web.seconds_to_proposal(client, 5 if quick else TIMES)
        await asyncio.sleep(SETTLE_SECONDS)
        memory = await asyncio.to_thread(megabytes, up.process_id)
    return Laptop(up.seconds_to_ready, seconds_to_proposal * 1000, memory, _microseconds_to_assess())


def _microseconds_to_assess() -> float:
    """The median over the example companies, each assessed a hundred times, in turn so that no two alike follow."""
    questionnaire = load()
    rubric = parse(
        (files("services.assessment") / "rubrics" / f"{questionnaire.version}.yaml").read_text(), questionnaire
    )
    cases = [{question: Answer(level=level) for question, level in one.answers.items()} for one in companies()]
    rounds = [
        [timeit.timeit(partial(assess, case, rubric, questionnaire), number=1) for case in cases] for _ in range(100)
    ]
    return median(fmean(times) for times in zip(*rounds, strict=True)) * 1_000_000


@asynccontextmanager
async def _servers(data: Path) -> AsyncIterator[Addresses]:
    """Embedded servers on a fresh folder, with a Postgres that stamps each commit with its time."""
    addresses = await (servers := Servers(data, report=_progress)).start()
    owner = await asyncpg.connect(addresses.database_url)
    await owner.execute("alter system set track_commit_timestamp = on")
    await owner.close()
    await servers.stop()
    addresses = await (servers := Servers(data, report=_progress)).start()
    supervision = asyncio.create_task(servers.supervise())
    try:
        yield addresses
    finally:
        supervision.cancel()
        with suppress(asyncio.CancelledError):
            await supervision
        await servers.stop()


async def _in_a_process(name: str, job: Job) -> list[Ledger]:
    """Run `bench.floor` or `bench.product` with nothing of this process in its memory."""
    with tempfile.TemporaryFile() as answer:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"bench.{name}", stdin=asyncio.subprocess.PIPE, stdout=answer
        )
        await process.communicate(job.told())
        if process.returncode != 0:
            raise RuntimeError(f"bench.{name} ended with exit status {process.returncode}")
        answer.seek(0)
        return ledgers(answer.read())


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser("bench", description="The product beside its floor.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="advisor-bench-", ignore_cleanup_errors=True) as folder:
        figures = uvloop.run(bench(Path(folder), quick=options.quick))
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(asdict(figures), indent=2))


if __name__ == "__main__":
    main()
