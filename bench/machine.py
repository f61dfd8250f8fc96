"""The machine that the figures come from."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

PAGE = b"\0" * 8192
SYNC_SECONDS = 2


@dataclass(frozen=True)
class Machine:
    """Its size, and how often a second it makes an 8 kB page durable, as pg_test_fsync counts fdatasync."""

    cpus: int
    memory_gb: float
    syncs_per_second: float


def machine(folder: Path) -> Machine:
    """This machine; syncing is tried in the folder."""
    sync = getattr(os, "fdatasync", os.fsync)
    path, count = folder / "sync", 0
    with path.open("wb", buffering=0) as file:
        file.write(PAGE)
        began = time.monotonic()
        while time.monotonic() - began < SYNC_SECONDS:
            file.seek(0)
            file.write(PAGE)
            sync(file.fileno())
            count += 1
    path.unlink()
    return Machine(os.cpu_count() or 1, psutil.virtual_memory().total / 1e9, count / SYNC_SECONDS)


def megabytes(process_id: int) -> dict[str, float]:
    """Memory of a process and all below it by program: proportional set size, or resident without it."""
    found: dict[str, float] = {}
    top = psutil.Process(process_id)
    for process in (top, *top.children(recursive=True)):
        memory = process.memory_full_info()
        found[process.name()] = found.get(process.name(), 0) + getattr(memory, "pss", memory.rss) / 1e6
    return found
