"""Both servers of one data folder, from start to stop."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiokafka.errors import KafkaError

from shared.embedded.errors import EmbeddedError
from shared.embedded.folder import Folder
from shared.embedded.kafka import Kafka
from shared.embedded.postgres import Postgres
from shared.embedded.process import Process
from shared.embedded.tasks import together

DEATHS_TO_GIVE_UP = 5
SECONDS_TO_COUNT_DEATHS = 60.0
SECONDS_BETWEEN_QUESTIONS = 5.0
SILENCES_TO_RESTART = 6


@dataclass(frozen=True)
class Addresses:
    """Where the running servers listen, in the forms that asyncpg and aiokafka take."""

    database_url: str
    kafka_bootstrap_servers: str


class Servers:
    """Postgres and Kafka on one data folder, owned by one process; used once: start, supervise, stop."""

    def __init__(self, data: Path, *, report: Callable[[str], None], maven_mirror: str | None = None) -> None:
        self._folder = Folder(data)
        self._report = report
        self._postgres = Postgres(self._folder, report=report)
        self._kafka = Kafka(self._folder, report=report, maven_mirror=maven_mirror)

    async def start(self) -> Addresses:
        """Takes the folder and returns when both servers answer; raises EmbeddedError, leaving nothing running."""
        try:
            await asyncio.to_thread(self._folder.claim)
            database_url, bootstrap_servers = await together(self._postgres.start(), self._kafka.start())
        except OSError as failure:
            await self.stop()
            raise EmbeddedError(f"The servers on {self._folder.path} could not start: {failure}") from failure
        except BaseException:
            await self.stop()
            raise
        return Addresses(database_url, bootstrap_servers)

    async def supervise(self) -> None:
        """Starts a server that dies again on the same address, until cancelled; raises EmbeddedError when it cannot.

        Kafka is also started again when it runs and keeps silent.
        """
        await together(self._keep(self._postgres.process), self._keep(self._kafka.process), self._watch_kafka())

    async def stop(self) -> None:
        """Stops both in good order and gives the folder back; may be called at any time, and again."""
        if self._folder.is_held:
            await together(asyncio.to_thread(self._postgres.stop), asyncio.to_thread(self._kafka.process.stop))
            self._folder.release()

    async def _watch_kafka(self) -> None:
        silences = 0
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_QUESTIONS)
            try:
                await self._kafka.coordinates()
                silences = 0
            except (OSError, KafkaError, TimeoutError):
                silences += 1
            if silences == SILENCES_TO_RESTART:
                self._report("Kafka runs but does not answer.")
                self._kafka.process.kill()
                silences = 0

    async def _keep(self, process: Process) -> None:
        deaths: deque[float] = deque(maxlen=DEATHS_TO_GIVE_UP)
        while True:
            await process.exited()
            if process.stopped:
                return
            reason = await asyncio.to_thread(process.reason)
            deaths.append(time.monotonic())
            if len(deaths) == DEATHS_TO_GIVE_UP and deaths[-1] - deaths[0] < SECONDS_TO_COUNT_DEATHS:
                raise EmbeddedError(f"{process.name} died {DEATHS_TO_GIVE_UP} times within a minute: {reason}")
            self._report(f"{process.name} died and is started again: {reason}.")
            try:
                await asyncio.to_thread(process.launch)
            except OSError as failure:
                raise EmbeddedError(f"{process.name} died and cannot be started again: {failure}") from failure
