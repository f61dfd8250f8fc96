"""Steps that assessment's edges share: finding a rubric, putting one in force, and going back."""

import asyncio
from datetime import UTC, datetime
from importlib.resources import files

from services.assessment import store
from services.assessment.domain.activations import (
    BegunAlready,
    Signed,
    Step,
    VersionTaken,
    agreed,
    already,
    taken_back,
)
from services.assessment.domain.rubric import Rubric, parse
from services.assessment.domain.scale import scale_of
from shared.postgres import Connection, Database
from shared.questionnaire import Questionnaire, load

_parsed: dict[str, Rubric] = {}
_last: dict[str, Rubric] = {}


async def rubric(connection: Connection, rubric_hash: str) -> Rubric:
    """A published rubric, parsed once: what has this hash never changes."""
    if rubric_hash not in _parsed:
        questionnaire, content = await store.rubric_text(connection, rubric_hash)
        _parsed[rubric_hash] = await asyncio.to_thread(_ready, content, load(questionnaire))
    found = _parsed[rubric_hash]
    _last[found.questionnaire] = found
    return found


def last_rubric(questionnaire: str) -> Rubric | None:
    """The rubric that was last asked for; most likely, but not surely, still the one in force."""
    return _last.get(questionnaire)


def _ready(content: str, questionnaire: Questionnaire) -> Rubric:
    """The rubric, its weightings drawn: that takes long enough to hold up others on the loop."""
    found = parse(content, questionnaire)
    scale_of(found, questionnaire).weight_bank.columns  # noqa: B018
    return found


async def seed_rubrics(database: Database) -> None:
    """Publish the packaged rubrics where the database does not have them yet; afterwards the database decides."""
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        for source in sorted((files("services.assessment") / "rubrics").iterdir(), key=lambda source: source.name):
            content = source.read_text(encoding="utf-8")
            packaged = parse(content, load(source.name.removesuffix(".yaml")))
            await store.seed_rubric(connection, packaged, content, now)


async def publish(
    database: Database, published: Rubric, content: str, signed: Signed, active_from: datetime | None
) -> tuple[Step, bool]:
    """Put a checked rubric in force from a time to come, or at once where none is given; and whether that is new.

    Where the same content is in force or due already, that step stays and is the answer. Raises StepRefused.
    """
    agreed(signed)
    async with database.transaction() as connection:
        await store.lock_history(connection)
        now = datetime.now(UTC)
        if active_from is not None and active_from < now:
            raise BegunAlready(active_from)
        if await store.rubric_hash(connection, published.version) not in (None, published.hash):
            raise VersionTaken(published.version)
        history = await store.history(connection, published.questionnaire)
        if step := already(history, published.version, now):
            return step, False
        await store.add_rubric(connection, published, content)
        await store.add_step(connection, "published", published.version, signed, active_from=active_from or now, at=now)
        (*_, step) = await store.history(connection, published.questionnaire)
    return step, True


async def roll_back(database: Database, questionnaire: str, version: str | None, signed: Signed) -> list[Step]:
    """Take back the rubric in force, or a named version that is in force or due; the history after it is the answer.

    Raises StepRefused.
    """
    agreed(signed)
    async with database.transaction() as connection:
        await store.lock_history(connection)
        now = datetime.now(UTC)
        step = taken_back(await store.history(connection, questionnaire), version, now)
        await store.add_step(connection, "rolled_back", step.rubric, signed, active_from=now, at=now, undoes=step.id)
        return await store.history(connection, questionnaire)
