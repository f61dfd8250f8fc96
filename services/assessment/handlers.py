"""Steps that assessment's edges share: finding the rubric, and putting the packaged one in force."""

from importlib.resources import files

from services.assessment import store
from services.assessment.domain.rubric import Rubric, parse
from shared.postgres import Connection, Database
from shared.questionnaire import load

_parsed: dict[str, Rubric] = {}


async def rubric(connection: Connection, rubric_hash: str) -> Rubric:
    """A published rubric, parsed once: what has this hash never changes."""
    if rubric_hash not in _parsed:
        questionnaire, content = await store.rubric_text(connection, rubric_hash)
        _parsed[rubric_hash] = parse(content, load(questionnaire))
    return _parsed[rubric_hash]


async def seed_rubrics(database: Database) -> None:
    """Publish the packaged rubrics where the database does not have them yet; afterwards the database decides."""
    async with database.transaction() as connection:
        for source in sorted((files("services.assessment") / "rubrics").iterdir(), key=lambda source: source.name):
            content = source.read_text(encoding="utf-8")
            packaged = parse(content, load(source.name.removesuffix(".yaml")))
            await store.publish_rubric(connection, packaged, content)
