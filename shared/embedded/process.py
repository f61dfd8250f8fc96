"""One server process: started out of the terminal's reach, watched, stopped, and found again after a crash."""

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from shared.embedded.errors import EmbeddedError

SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 15.0
_COMPLAINT = re.compile(r"FATAL|PANIC|ERROR|[Ee]rror|Exception")


@dataclass(frozen=True)
class Program:
    """What to run. Every command line carries `mark`, by which a process of this folder is told from all others."""

    name: str
    command: Sequence[str]
    folder: Path
    logs: tuple[Path, ...]
    """Kept for one run and the run before; the first takes what the process prints."""
    mark: str
    executables: frozenset[str]
    stop_signal: signal.Signals
    leftover_signal: signal.Signals
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds_to_stop: float = SECONDS_TO_STOP
    account: str | None = None
    """The operating system's account to run as, where that is not the owner's."""

    def surroundings(self) -> dict[str, Any]:
        """What the program and its tools are started with: a session of their own, away from the terminal's signals."""
        return {
            "cwd": self.folder,
            "env": {**os.environ, **self.environment},
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "user": self.account,
            "group": self.account,
            "extra_groups": None if self.account is None else [],
        }


class Process:
    """A program's one process. It may be launched again whenever it has died, until it is stopped."""

    def __init__(self, program: Program) -> None:
        self.name = program.name
        self.stopped = False
        self._program = program
        self._turn = threading.Lock()
        self._tool: subprocess.Popen[str] | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._exit: Future[int] = Future()

    def clear(self) -> None:
        """Stops what an owner that was killed left running, and blocks until it is gone; touches no other process."""
        program = self._program
        left = [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] in program.executables
            and any(program.mark in part for part in process.info["cmdline"] or ())
        ]
        for which in (program.leftover_signal, signal.SIGKILL):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(which)
            deadline = time.monotonic() + SECONDS_TO_STOP
            while (left := [process for process in left if _is_alive(process)]) and time.monotonic() < deadline:
                time.sleep(0.02)

    def launch(self) -> None:
        """Starts it in a session of its own, once nothing of an earlier one is left; blocks while that is stopped."""
        program = self._program
        with self._turn:
            if self.stopped:
                return
            self.clear()
            for log in program.logs:
                if log.exists():
                    log.replace(log.with_suffix(".previous.log"))
            with program.logs[0].open("wb") as output:
                self._popen = subprocess.Popen(  # noqa: S603 -- nothing of it comes from outside
                    program.command, stdout=output, stderr=subprocess.STDOUT, **program.surroundings()
                )
            self._exit = Future()
            threading.Thread(target=_await_exit, args=(self._popen, self._exit), daemon=True).start()

    def run_tool(self, command: Sequence[str]) -> None:
        """Runs one of the program's tools to its end; raises EmbeddedError with what it complained of."""
        with self._turn:
            if self.stopped:
                raise EmbeddedError(f"{self.name} was stopped before it had started.")
            self._tool = tool = subprocess.Popen(  # noqa: S603 -- nothing of it comes from outside
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self._program.surroundings()
            )
        output, _ = tool.communicate()
        if tool.returncode != 0:
            raise EmbeddedError(f"{self.name} could not prepare its data folder: {_telling_line(output)}")

    async def answers(self, probe: Callable[[], Awaitable[None]], *, not_yet: tuple[type[Exception], ...]) -> None:
        """Returns when `probe` first passes; raises EmbeddedError when the process dies or stays silent instead."""
        try:
            async with asyncio.timeout(SECONDS_TO_START):
                while True:
                    try:
                        return await probe()
                    except not_yet:
                        if self._exit.done():
                            raise EmbeddedError(f"{self.name} could not start: {self.reason()}") from None
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise EmbeddedError(
                f"{self.name} did not answer within {SECONDS_TO_START:.0f} seconds; "
                f"its log is in {self._program.logs[0].parent}."
            ) from None

    async def exited(self) -> None:
        """Returns when the process launched last has ended."""
        await asyncio.shield(asyncio.wrap_future(self._exit))

    def kill(self) -> None:
        """Ends the process launched last by force."""
        if self._popen is not None:
            self._popen.kill()

    def reason(self) -> str:
        """Why it ended: the signal that ended it, or else its own last complaint or word."""
        code = self._exit.result()
        if code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        for log in self._program.logs:
            if log.exists() and (line := _telling_line(log.read_text(errors="replace"))):
                return f"{line} (see {log})"
        return f"it ended with exit status {code}"

    def stop(self) -> None:
        """Stops it in good order, or by force where it does not end in time; blocks until it is gone."""
        with self._turn:
            self.stopped = True
            if self._tool is not None and self._tool.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._tool.pid, signal.SIGKILL)
                self._tool.wait()
            if self._popen is None or self._exit.done():
                return
            self._popen.send_signal(self._program.stop_signal)
            try:
                self._exit.result(self._program.seconds_to_stop)
            except TimeoutError:
                self._popen.kill()
                self._exit.result()


def _telling_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return ([line for line in lines if _COMPLAINT.search(line)] or lines or [""])[-1]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _await_exit(popen: subprocess.Popen[bytes], outcome: Future[int]) -> None:
    outcome.set_result(popen.wait())
