"""Callers that send intakes at a steady rate and repeat each request, under its key, until it is acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.laptop import own_secrets
from shared import access
from shared.access import Principal
from shared.questionnaire import UNKNOWN, load
from tests.chaos.ledger import ACCEPTED, TRY_AGAIN, Answer, Ledger
from tests.chaos.systems import System, eventually

SHARE_REVISED = 0.15
SHARE_REPEATED = 0.15
SECONDS_TO_ANSWER = 8
SECONDS_TO_ACKNOWLEDGE = 90


class Load:
    """Sends until told to stop. `acknowledged` counts requests that are done with."""

    def __init__(self, system: System, ledger: Ledger, client: httpx2.AsyncClient, seed: int) -> None:
        self._system = system
        self._ledger = ledger
        self._client = client
        self._random = Random(seed)
        self._run = uuid4().hex[:8]
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._sent = 0
        self.acknowledged = 0

    async def send(self, per_second: float) -> None:
        """Begin a request at every tick, however slow the answers are, until cancelled."""
        while True:
            self._begin()
            await asyncio.sleep(1 / per_second)

    async def more(self, count: int) -> None:
        """Returns when so many more requests have been acknowledged from now on."""
        goal = self.acknowledged + count

        async def missing() -> str | None:
            self._raise_failures()
            return None if self.acknowledged >= goal else f"{goal - self.acknowledged} of {count} acknowledgements"

        await eventually(missing, SECONDS_TO_ACKNOWLEDGE)

    async def calm(self, seconds: float) -> None:
        """Nothing but load for a while."""
        await asyncio.sleep(seconds)
        self._raise_failures()

    async def finish(self) -> None:
        """Returns when every request that was begun has been acknowledged."""

        async def missing() -> str | None:
            self._raise_failures()
            return f"{sorted(self._pending)} have had no answer" if self._pending else None

        await eventually(missing, SECONDS_TO_ACKNOWLEDGE)

    def _begin(self) -> None:
        key = f"{self._run}-{self._sent}"
        self._sent += 1
        self._pending[key] = asyncio.create_task(self._submit(key))

    def _raise_failures(self) -> None:
        for key, task in list(self._pending.items()):
            if task.done():
                del self._pending[key]
                task.result()

    async def _submit(self, key: str) -> None:
        chance = self._random.random()
        intake_id = await self._acknowledged("/api/intake/intakes", key, self._submission(key))
        if intake_id is not None and chance < SHARE_REVISED:
            path = f"/api/intake/intakes/{intake_id}/revisions"
            await self._acknowledged(path, f"{key} revised", {"answers": self._answers()}, revises=intake_id)
        elif chance > 1 - SHARE_REPEATED:
            await self._acknowledged("/api/intake/intakes", key, self._submission(key))
        self.acknowledged += 1

    async def _acknowledged(
        self, path: str, key: str, body: dict[str, Any], revises: UUID | None = None
    ) -> UUID | None:
        pause = 0.05
        while True:
            self._ledger.sent(key, revises)
            answer = await self._answer(path, key, body)
            if answer is not None:
                self._ledger.answered(key, answer)
                if answer.status != TRY_AGAIN:
                    return answer.intake_id
            await asyncio.sleep(pause)
            pause = min(1, pause * 2)

    async def _answer(self, path: str, key: str, body: dict[str, Any]) -> Answer | None:
        try:
            reply = await self._client.post(self._system.url(path), json=body, headers={"Idempotency-Key": key})
        except httpx2.TransportError:
            return None
        if reply.status_code != ACCEPTED:
            return Answer(reply.status_code)
        content = reply.json()
        return Answer(ACCEPTED, UUID(content["intake_id"]), content["revision"])

    def _submission(self, key: str) -> dict[str, Any]:
        random = Random(key)
        return {
            "company": {"name": key, "headcount": "51-250", "industry": "software", "country": "DE"},
            "contact": {"name": "Load", "email": "load@example.com"},
            "answers": self._answers(random),
            "consent": True,
        }

    def _answers(self, random: Random | None = None) -> dict[str, str]:
        choose = random or self._random
        questions = load().questions
        return {one.id: choose.choice([UNKNOWN, *(level.key for level in one.levels)]) for one in questions}


def token(system: System) -> str:
    """A bearer token of a caller from sales, signed with the system's key."""
    caller = Principal(uuid4(), uuid4(), "Load", ("sales",), version=1)
    return access.sign(caller, own_secrets(system.data)["signing_key"], issued=datetime.now(UTC), expires=None)


@asynccontextmanager
async def sending(system: System, ledger: Ledger, *, seed: int, per_second: float) -> AsyncIterator[Load]:
    """Load while the block runs; afterwards every request that was begun is acknowledged."""
    headers = {"Authorization": f"Bearer {token(system)}"}
    async with httpx2.AsyncClient(headers=headers, timeout=SECONDS_TO_ANSWER) as client:
        load = Load(system, ledger, client, seed)
        task = asyncio.create_task(load.send(per_second))
        try:
            yield load
        finally:
            task.cancel()
        await load.finish()
