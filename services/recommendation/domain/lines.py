"""Lines of a blueprint that people edit: beside what the rules say, and until the document is released."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from services.recommendation.domain.blueprint import Blueprint, Edit, EditAction, Line, Section, worst_first
from services.recommendation.domain.blueprint_rules import Says
from services.recommendation.domain.review import DECIDED, WAITING, Case, OutOfStep, Reviewer, StaleVersion, Unfit
from shared.contracts.recommendation import ProposalState

Place: TypeAlias = tuple[str, str, str | None]
"""Where an edit holds: section, line and rule."""


class NotEditable(OutOfStep):
    """The document is out, the request is closed, or what was decided is the editor's own work."""


class UnknownLine(Exception):
    """There is no such line, or no such section."""


class NothingEdited(Unfit):
    """The words are those that stand there."""


@dataclass(frozen=True)
class EditRequest:
    """An edit as somebody asks for it, who saw the line at `seen`: its last edit's version, 0 where it had none.

    Whoever adds a line has no `line` yet and saw the case at version `seen`. `says` is for a line added or changed.
    """

    action: EditAction
    section: str
    line: str | None
    seen: int
    says: Says | None = None


def may_edit(state: ProposalState, authors: Collection[UUID], editor: UUID) -> bool:
    """True until the document is out; after the decision not for those who could not have made it."""
    return state in WAITING or (state in DECIDED and editor not in authors)


def edited(blueprint: Blueprint, edits: Iterable[Edit], revision: int) -> Blueprint:
    """The blueprint with the edits that stand, of all a case ever had in their order; those that hold for none aside.

    An edit holds as long as the same rule gives its line.
    """
    edits = list(edits)
    standing = _standing(edit for edit in edits if edit.revision == revision)
    sections = tuple(_edited(section, standing) for section in blueprint.sections)
    held = {line.edit.version for section in sections for line in (*section.lines, *section.dropped) if line.edit}
    earlier = {edit.revision for edit in edits} - {revision}
    all_standing = [standing, *(_standing(edit for edit in edits if edit.revision == one) for one in sorted(earlier))]
    set_aside = tuple(edit for one in all_standing for edit in one.values() if edit.version not in held)
    return blueprint.model_copy(update={"sections": sections, "set_aside": set_aside})


def of_line(blueprint: Blueprint, section: str, line: str) -> Line:
    """One line, dropped or not. Raises UnknownLine."""
    part = of_section(blueprint, section)
    found = next((one for one in (*part.lines, *part.dropped) if one.id == line), None)
    if found is None:
        raise UnknownLine
    return found


def of_section(blueprint: Blueprint, section: str) -> Section:
    """One section. Raises UnknownLine."""
    found = next((part for part in blueprint.sections if part.id == section), None)
    if found is None:
        raise UnknownLine
    return found


def history(edits: Iterable[Edit], revision: int, section: str, line: Line) -> list[Edit]:
    """All that was done to a line in a revision, in its order."""
    return [edit for edit in edits if edit.revision == revision and _place(edit) == (section, line.id, line.rule)]


def edit(
    case: Case, blueprint: Blueprint, edits: Iterable[Edit], request: EditRequest, *, by: Reviewer, now: datetime
) -> Edit:
    """The edit that this request makes of a blueprint as it is edited so far.

    Raises OutOfStep, Unfit or UnknownLine.
    """
    if not may_edit(case.state, case.authors, by.id):
        own = " and you took the answers down" if case.state in DECIDED else ""
        raise NotEditable(case, f"This case is {case.state}{own}, so its blueprint stays as it is.")
    version = case.version + 1
    if request.line is None:
        line, said, before = f"added_{version}", None, case.version
        of_section(blueprint, request.section)
        says, rule = request.says, None
    else:
        present = of_line(blueprint, request.section, request.line)
        past = history(edits, case.revision, request.section, present)
        line, rule, before = present.id, present.rule, past[-1].version if past else 0
        said = None if present in of_section(blueprint, request.section).dropped else present.says
        says = request.says
    if request.seen != before:
        raise StaleVersion(case, "Somebody was faster. Read what stands there now, then decide again.")
    if request.line is not None and request.action == "undo":
        says = _left_by_undo(past, present)
    elif said == says:
        raise NothingEdited("says", "That is what stands there. Change it, or go back to the case.")
    return Edit(version, case.revision, request.section, line, rule, request.action, said, says, by, now)


def _left_by_undo(past: list[Edit], present: Line) -> Says | None:
    """What stands there once the last edit that stands is taken back."""
    stack = _stack(past)
    if not stack:
        raise NothingEdited("says", "Nothing is left to take back.")
    return stack[-2].says if len(stack) > 1 else present.rule_says


def _place(edit: Edit) -> Place:
    return edit.section, edit.line, edit.rule


def _stack(edits: Iterable[Edit]) -> list[Edit]:
    """The edits of one line that are not undone, the one that stands last."""
    found: list[Edit] = []
    for edit in edits:
        if edit.action == "undo":
            found.pop()
        else:
            found.append(edit)
    return found


def _standing(edits: Iterable[Edit]) -> dict[Place, Edit]:
    """The edit that stands at each place where one does."""
    places: dict[Place, list[Edit]] = {}
    for edit in edits:
        places.setdefault(_place(edit), []).append(edit)
    return {place: stack[-1] for place, past in places.items() if (stack := _stack(past))}


def _edited(section: Section, standing: Mapping[Place, Edit]) -> Section:
    lines: list[Line] = []
    dropped: list[Line] = []
    for line in section.lines:
        edit = standing.get((section.id, line.id, line.rule))
        if edit is None:
            lines.append(line)
        elif edit.says is None:
            dropped.append(line.model_copy(update={"edit": edit, "rule_says": line.says}))
        else:
            lines.append(line.model_copy(update={"says": edit.says, "edit": edit, "rule_says": line.says}))
    for (where, line_id, rule), edit in standing.items():
        if where != section.id or rule is not None:
            continue
        words = edit.says or edit.said
        assert words is not None, "only erasure empties both texts"
        added = Line(id=line_id, rule=None, answers={}, company={}, says=words, edit=edit)
        (dropped if edit.says is None else lines).append(added)
    return section.model_copy(update={"lines": tuple(sorted(lines, key=worst_first)), "dropped": tuple(dropped)})
