"""What was measured, in figures and as one table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles

from bench.load import WARM_UP, Ledger, Load
from bench.machine import Machine

FLOOR = "floor"
STEPS = ("accept", "relay and Kafka", "assess", "relay and Kafka", "propose")
NAME_WIDTH, CELL_WIDTH = 22, 30


@dataclass(frozen=True)
class Outcome:
    """One load on one system: milliseconds from when a submission was due until its proposal was committed.

    `steps` are the medians of its parts; `per_second` counts from the first submission to the last proposal.
    """

    p50: float
    p95: float
    p99: float
    per_second: float
    lost: int
    steps: tuple[float, ...]


@dataclass(frozen=True)
class Laptop:
    """A system started by `advisor up` on a folder that was used before, asked a few times, then left alone."""

    seconds_to_ready: float
    ms_to_proposal: float
    idle_megabytes: dict[str, float]
    us_to_assess: float


@dataclass(frozen=True)
class Figures:
    """A whole run; `rounds[system][load]` has an outcome for each round."""

    machine: Machine
    laptop: Laptop
    loads: Sequence[Load]
    rounds: dict[str, list[list[Outcome]]]


def outcome(ledger: Ledger) -> Outcome:
    """The figures of one load."""
    steps = [[(after - before) * 1000 for before, after in pairwise(marks)] for marks in ledger.marks]
    hundredths = quantiles(map(sum, steps), n=100, method="inclusive")
    first, last = min(marks.due for marks in ledger.marks), max(marks.proposed for marks in ledger.marks)
    return Outcome(
        p50=hundredths[49],
        p95=hundredths[94],
        p99=hundredths[98],
        per_second=len(ledger.marks) / (last - first),
        lost=ledger.accepted - len(ledger.marks),
        steps=tuple(map(median, zip(*steps, strict=True))),
    )


def table(figures: Figures) -> str:
    """The figures for a person."""
    machine, laptop = figures.machine, figures.laptop
    memory = ", ".join(f"{name} {size:.0f}" for name, size in sorted(laptop.idle_megabytes.items()))
    lines = [
        f"machine    {machine.cpus} CPUs, {machine.memory_gb:.0f} GB, {machine.syncs_per_second:.0f} fdatasync/s",
        f"laptop     ready after {laptop.seconds_to_ready:.1f} s on a used folder; "
        f"a proposal is there {laptop.ms_to_proposal:.0f} ms after submitting (median on an idle system)",
        f"memory     {sum(laptop.idle_megabytes.values()):.0f} MB idle, as proportional set size: {memory}",
        f"assessing  {laptop.us_to_assess:.0f} µs for one assessment",
        "",
        _row("", figures.rounds),
    ]
    for number, load in enumerate(figures.loads):
        measured = {system: rounds[number] for system, rounds in figures.rounds.items()}
        if load.rate is None:
            lines.append(_figures("at most    /s", measured, lambda one: one.per_second))
        else:
            lines.append(_figures(f"{load.rate}/s      p50 ms", measured, lambda one: one.p50))
            lines.append(_figures("           p95 ms", measured, lambda one: one.p95))
            lines.append(_figures("           p99 ms", measured, lambda one: one.p99))
        lines.append(_row("           lost", [f"{sum(one.lost for one in each)}" for each in measured.values()]))
    first = {system: rounds[0] for system, rounds in figures.rounds.items()}
    lines += ["", f"steps at {figures.loads[0].rate}/s, median ms"]
    lines += [_figures(f"  {name}", first, _step(number)) for number, name in enumerate(STEPS)]
    return "\n".join(
        [
            *lines,
            "",
            f"Median of the rounds ({len(measured[FLOOR])}), lowest to highest, and how many times the floor's.",
            "Latency runs from when a submission was due until its proposal was committed.",
            f"Each process, and with it the servers, was warmed with {WARM_UP.count} submissions.",
        ]
    )


def _step(number: int) -> Callable[[Outcome], float]:
    return lambda one: one.steps[number]


def _figures(name: str, measured: dict[str, list[Outcome]], figure: Callable[[Outcome], float]) -> str:
    floor = median(map(figure, measured[FLOOR]))
    cells = []
    for system, outcomes in measured.items():
        found = sorted(map(figure, outcomes))
        digits = 0 if found[0] >= 100 else 1
        cell = f"{median(found):.{digits}f}"
        if len(found) > 1:
            cell += f" ({found[0]:.{digits}f} to {found[-1]:.{digits}f})"
        cells.append(cell if system == FLOOR else f"{cell}  {median(found) / floor:.2f}x")
    return _row(name, cells)


def _row(name: str, cells: Iterable[str]) -> str:
    return (f"{name:<{NAME_WIDTH}}" + "".join(f"{cell:<{CELL_WIDTH}}" for cell in cells)).rstrip()
