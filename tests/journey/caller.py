"""A machine with an API key, talking to a running system over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from shared.contracts.intake import Role
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.chaos.systems import System, eventually

SECONDS_TO_PROPOSE = 20
COMPANY = {"name": "Cadence Health", "headcount": "51-250", "industry": "software", "country": "IE"}
CONTACT = {"name": "Aoife Brennan", "email": "a.brennan@example.com"}


def submission(**changes: Any) -> dict[str, Any]:
    """A body that is accepted, with some of its fields changed."""
    return {"company": COMPANY, "contact": CONTACT, "answers": SAAS_SCALE_UP, "consent": True, **changes}


class Caller:
    """Calls with one key. Answers are content where all went well; `refused` gives the problem instead."""

    def __init__(self, system: System, client: httpx2.AsyncClient) -> None:
        self.system = system
        self._client = client

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """The answer, whatever it is."""
        return await self._client.request(method, self.system.url(path), **more)

    async def get(self, path: str) -> dict[str, Any]:
        """What stands at a path."""
        return _content(await self.ask("GET", path))

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What became of a body."""
        return _content(await self.ask("POST", path, json=body))

    async def submit(self, **changes: Any) -> str:
        """The id of a new intake."""
        return str((await self.post("/api/intake/intakes", submission(**changes)))["intake_id"])

    async def proposal(self, intake_id: str, *, revision: int = 1) -> dict[str, Any]:
        """The proposal for a revision, once it is there."""
        await self._until(f"/api/recommendation/intakes/{intake_id}", "revision", revision)
        return await self.get(f"/api/recommendation/intakes/{intake_id}")

    async def intake(self, intake_id: str, *, state: str) -> dict[str, Any]:
        """The intake, once it has reached a state."""
        await self._until(f"/api/intake/intakes/{intake_id}", "state", state)
        return await self.get(f"/api/intake/intakes/{intake_id}")

    async def standing(self, intake_id: str, state: str) -> None:
        """Returns when recommendation shows the case in a state."""
        await self._until(f"/api/recommendation/intakes/{intake_id}", "state", state)

    async def _until(self, path: str, name: str, value: object) -> None:
        async def other() -> str | None:
            answer = await self.ask("GET", path)
            found = answer.json().get(name)
            return None if found == value else f"{path} says {name} {found} ({answer.status_code}), not {value}"

        await eventually(other, SECONDS_TO_PROPOSE)


def _content(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.status_code}: {answer.text}"
    content: dict[str, Any] = answer.json()
    return content


@asynccontextmanager
async def with_key(system: System, *roles: Role) -> AsyncIterator[Caller]:
    """A caller whose key was made on the command line."""
    options = [option for role in roles for option in ("--role", role)]
    made = system.command("key", "add", " and ".join(roles), *options)
    assert made.returncode == 0, made.stderr
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    async with httpx2.AsyncClient(headers=headers, timeout=10) as client:
        yield Caller(system, client)
