"""What people did to the lines of blueprints."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.recommendation.domain.blueprint import Edit
from services.recommendation.domain.blueprint_rules import Says
from services.recommendation.domain.review import Reviewer
from shared.postgres import Connection

MOST = 50
WORDS: TypeAdapter[Says] = TypeAdapter(Says)


@dataclass(frozen=True)
class Edited:
    """How often people edited lines of one rule, and took that back; lines that were added have no rule."""

    section: str
    rule: str | None
    blueprints: int
    added: int
    changed: int
    dropped: int
    undone: int


async def add(connection: Connection, intake_id: UUID, edit: Edit) -> None:
    """Keep an edit."""
    await connection.execute(
        """
        insert into line_edit (intake_id, version, revision, section, line, rule, action, said, says, editor,
            editor_name, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        intake_id,
        edit.version,
        edit.revision,
        edit.section,
        edit.line,
        edit.rule,
        edit.action,
        None if edit.said is None else edit.said.model_dump(),
        None if edit.says is None else edit.says.model_dump(),
        edit.by.id,
        edit.by.name,
        edit.at,
    )


async def of_case(connection: Connection, intake_id: UUID) -> tuple[Edit, ...]:
    """All edits of a case, whatever their revision, in their order."""
    rows = await connection.fetch("select * from line_edit where intake_id = $1 order by version", intake_id)
    return tuple(
        Edit(
            version=row["version"],
            revision=row["revision"],
            section=row["section"],
            line=row["line"],
            rule=row["rule"],
            action=row["action"],
            said=_words(row["said"]),
            says=_words(row["says"]),
            by=Reviewer(row["editor"], row["editor_name"]),
            at=row["at"],
        )
        for row in rows
    )


async def most_edited(connection: Connection) -> list[Edited]:
    """The rules whose lines people edit most, of all cases, those whose edits were kept most often first."""
    rows = await connection.fetch(
        """
        select section, rule, count(distinct (intake_id, revision)) as blueprints,
            count(*) filter (where action = 'add') as added,
            count(*) filter (where action = 'change') as changed,
            count(*) filter (where action = 'drop') as dropped,
            count(*) filter (where action = 'undo') as undone
        from line_edit group by section, rule
        order by count(*) - 2 * count(*) filter (where action = 'undo') desc, section, rule limit $1
        """,
        MOST,
    )
    return [Edited(**row) for row in rows]


async def erase(connection: Connection, intake_id: UUID) -> None:
    """Delete what was written; who edited which line when stays."""
    await connection.execute("update line_edit set said = null, says = null where intake_id = $1", intake_id)


def _words(content: Any) -> Says | None:
    return None if content is None else WORDS.validate_python(content)
