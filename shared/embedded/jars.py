"""The broker's jars: named in the committed lock, and used only where their SHA-256 agrees with it."""

import asyncio
import fcntl
import hashlib
import os
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from shared.embedded.errors import EmbeddedError
from shared.embedded.tasks import together

LOCK = Path(__file__).with_name("kafka.lock.toml")
_ADVICE = (
    "The first start needs the network: start again once it is there, "
    "or let ADVISOR_MAVEN_MIRROR name a mirror of Maven Central."
)


@dataclass(frozen=True)
class Jar:
    """A jar as the lock names it; `path` is its place in any Maven repository."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


def locked_jars() -> list[Jar]:
    """The jars of the committed lock."""
    jars = []
    for entry in tomllib.loads(LOCK.read_text())["dependencies"]:
        group, artifact, version = entry["groupId"].replace(".", "/"), entry["artifactId"], entry["version"]
        jars.append(Jar(f"{group}/{artifact}/{version}/{artifact}-{version}.jar", entry["sha256"]))
    return jars


def local_repository() -> Path:
    """The user's Maven repository, which all data folders and other Java tools share."""
    return Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")


async def ensure_jars(cache: Path, *, mirror: str | None, report: Callable[[str], None]) -> None:
    """Leaves every locked jar in `cache` whole and unaltered; fetches what is missing or damaged from the mirror."""
    jars = locked_jars()
    if await asyncio.to_thread(_lacking, cache, jars):
        await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
        async with sole_user(cache):
            lacking = await asyncio.to_thread(_lacking, cache, jars)
            await _fetch(lacking, cache, mirror or _maven_central(), report)


def _lacking(cache: Path, jars: Sequence[Jar]) -> list[Jar]:
    return [
        jar for jar in jars if not (cache / jar.path).is_file() or not _is_whole(jar, (cache / jar.path).read_bytes())
    ]


def _is_whole(jar: Jar, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == jar.sha256


def _maven_central() -> str:
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 -- costs 0.3 s, and only a first start needs it

    return str(MAVEN_CENTRAL_URL)


@asynccontextmanager
async def sole_user(cache: Path) -> AsyncIterator[None]:
    """Keeps every other process of this system from writing to `cache` meanwhile."""
    with (cache / ".advisor.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        yield


async def _fetch(jars: Sequence[Jar], cache: Path, mirror: str, report: Callable[[str], None]) -> None:
    fetched = 0

    async def fetch(jar: Jar) -> None:
        nonlocal fetched
        try:
            response = await client.get(f"{mirror.rstrip('/')}/{jar.path}")
        except (httpx2.TransportError, httpx2.InvalidURL) as failure:
            raise EmbeddedError(
                f"Kafka could not be fetched ({failure or type(failure).__name__}). {_ADVICE}"
            ) from failure
        if response.status_code != httpx2.codes.OK:
            raise EmbeddedError(
                f"Kafka could not be fetched (the answer for {jar.name} was {response.status_code}). {_ADVICE}"
            )
        await asyncio.to_thread(_store, jar, response.content, cache)
        fetched += 1
        report(f"Fetching Kafka: {fetched} of {len(jars)} files")

    patient = httpx2.Timeout(30, pool=None)
    limits = httpx2.Limits(max_connections=8)
    async with httpx2.AsyncClient(timeout=patient, limits=limits, follow_redirects=True) as client:
        await together(*(fetch(jar) for jar in jars))


def _store(jar: Jar, content: bytes, cache: Path) -> None:
    if not _is_whole(jar, content):
        raise EmbeddedError(
            f"{jar.name} did not arrive as it was published, so Kafka was not started. "
            "Start again; if it happens again, let ADVISOR_MAVEN_MIRROR name another mirror of Maven Central."
        )
    path = cache / jar.path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(path)
