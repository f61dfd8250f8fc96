"""`python -m bench.engine [--json FILE]`: the decision beside its floor, the bare arithmetic or the bare server."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median

import numpy as np
import uvloop
from numpy.typing import NDArray

from bench import web
from services.assessment.domain import robustness
from services.assessment.domain.replay import replay
from services.assessment.domain.rubric import Rubric, parse
from services.assessment.domain.scale import Scale, scale_of
from services.assessment.domain.scoring import assess
from shared.contracts.intake import Answer
from shared.questionnaire import Questionnaire, load
from shared.service import Settings

CASES = 10_000
ALONE = 400
REQUESTS = 400
ROUNDS = 5
SEED = 12


@dataclass(frozen=True)
class Figure:
    """Medians in milliseconds of the product and its floor, and the product's slowest where single calls were timed."""

    name: str
    floor_is: str
    product_ms: float
    floor_ms: float
    slowest_ms: float | None = None


def cases(questionnaire: Questionnaire, count: int) -> list[dict[str, str]]:
    """Made-up cases: three in four answered throughout, the others with up to half of their answers missing."""
    chance = random.Random(SEED)
    made = []
    for number in range(count):
        case = {question.id: chance.choice(question.levels).key for question in questionnaire.questions}
        missing = chance.randrange(1, len(case) // 2) if number % 4 == 0 else 0
        made.append({question: case[question] for question in chance.sample(list(case), len(case) - missing)})
    return made


def one_assessment(rubric: Rubric, questionnaire: Questionnaire) -> Figure:
    """Each case once, after one round that is not counted."""
    scale = scale_of(rubric, questionnaire)
    given = [{key: Answer(level=level) for key, level in case.items()} for case in cases(questionnaire, ALONE)]
    levels = [questionnaire.completed(case) for case in cases(questionnaire, ALONE)]
    product = [[_ms(partial(assess, case, rubric, questionnaire)) for case in given] for _ in range(2)][1]
    floor = [[_ms(partial(scale.whole.total, case)) for case in levels] for _ in range(2)][1]
    return Figure("one assessment", "adding up the answers alone", median(product), median(floor), max(product))


def many_cases(rubric: Rubric, questionnaire: Questionnaire) -> Figure:
    """From answers to verdicts, strengths and margins."""
    given = cases(questionnaire, CASES)
    scale = scale_of(rubric, questionnaire)
    rows = _differences(given, scale)
    product, floor = _in_turn(lambda: replay(given, rubric, questionnaire), lambda: _products(rows, scale))
    return Figure(f"replay of {CASES:,} cases", "the bare matrix product", product, floor)


def many_weightings(rubric: Rubric, questionnaire: Questionnaire) -> Figure:
    """How many of the bank's weightings lead to continuity, for each case."""
    scale = scale_of(rubric, questionnaire)
    rows = _differences(cases(questionnaire, CASES), scale)
    product, floor = _in_turn(lambda: robustness.counts(rows, scale), lambda: _products(rows, scale))
    return Figure(f"SMAA, {CASES:,} x {len(scale.weight_bank.columns[0]):,}", "the bare matrix product", product, floor)


async def previews(folder: Path, questionnaire: Questionnaire) -> Figure:
    """One after another over one kept connection, to a system of its own that does nothing else."""
    bodies = [json.dumps({"answers": case}).encode() for case in cases(questionnaire, REQUESTS)]
    async with web.advisor(folder) as up, web.client(up.settings) as client:
        answer = await client.preview(bodies[0])
        product = [[await _awaited_ms(client.preview, body) for body in bodies] for _ in range(2)][1]
        async with _bare(answer, up.settings) as settings, web.client(settings) as bare:
            floor = [[await _awaited_ms(bare.preview, body) for body in bodies] for _ in range(2)][1]
    return Figure(
        "preview over HTTP", "the same bytes from a bare server", median(product), median(floor), max(product)
    )


@asynccontextmanager
async def _bare(answer: bytes, settings: Settings) -> AsyncIterator[Settings]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(answer)
    process.stdin.close()
    try:
        port = int(await process.stdout.readline())
        yield settings.model_copy(update={"public_url": f"http://127.0.0.1:{port}"})
    finally:
        process.terminate()
        await process.wait()


def _differences(given: Sequence[Mapping[str, str]], scale: Scale) -> NDArray[np.int64]:
    return np.array(
        [[ends[case.get(question, "unknown")].low for question, ends in scale.differences.items()] for case in given]
    )


def _products(rows: NDArray[np.int64], scale: Scale) -> None:
    """The margins under every weighting, in the chunks in which the product takes them, and then forgotten."""
    for start in range(0, len(rows), robustness.CHUNK):
        rows[start : start + robustness.CHUNK].astype(np.float64) @ scale.weight_bank.columns


def _in_turn(product: Callable[[], object], floor: Callable[[], object]) -> tuple[float, float]:
    """The medians of both, taken in turn after one round that is not counted."""
    times = [(_ms(product), _ms(floor)) for _ in range(ROUNDS + 1)][1:]
    return median(one for one, _ in times), median(other for _, other in times)


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


async def _awaited_ms(ask: Callable[[bytes], Awaitable[bytes]], body: bytes) -> float:
    began = time.perf_counter()
    await ask(body)
    return (time.perf_counter() - began) * 1000


def _row(figure: Figure) -> str:
    slowest = "" if figure.slowest_ms is None else f"{figure.slowest_ms:.2f} ms"
    ratio = figure.product_ms / figure.floor_ms
    return (
        f"{figure.name:<26}{figure.product_ms:>12.3f} ms{slowest:>14}{figure.floor_ms:>12.3f} ms"
        f"{ratio:>9.2f}x  {figure.floor_is}"
    )


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser("bench.engine", description="The decision beside its floor.")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    options = parser.parse_args()
    questionnaire = load()
    packaged = files("services.assessment") / "rubrics" / f"{questionnaire.version}.yaml"
    rubric = parse(packaged.read_text(encoding="utf-8"), questionnaire)
    with tempfile.TemporaryDirectory(prefix="advisor-bench-", ignore_cleanup_errors=True) as folder:
        figures = [
            one_assessment(rubric, questionnaire),
            uvloop.run(previews(Path(folder), questionnaire)),
            many_cases(rubric, questionnaire),
            many_weightings(rubric, questionnaire),
        ]
    print(f"{'':<26}{'median':>15}{'slowest':>14}{'floor':>15}{'ratio':>10}  the floor is")
    for figure in figures:
        print(_row(figure))
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


if __name__ == "__main__":
    main()
