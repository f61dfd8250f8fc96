"""The blueprint of a case, and edits of its lines."""

from datetime import datetime
from uuid import UUID

from services.recommendation.domain import lines
from services.recommendation.domain.blueprint import Blueprint, Edit, EditAction, compose
from services.recommendation.domain.document import Basis
from services.recommendation.domain.proposal import instead
from services.recommendation.domain.review import Reviewer
from services.recommendation.handlers.case import UnknownCase, locked
from services.recommendation.handlers.playbooks import BLUEPRINTS, PLAYBOOKS
from services.recommendation.store import cases
from services.recommendation.store import lines as line_edits
from services.recommendation.store.cases import CaseFile
from shared import audit
from shared.contracts.assessment import Assessment
from shared.postgres import Connection
from shared.questionnaire import load

LINE_ACTS: dict[EditAction, str] = {
    "add": "line_added",
    "change": "line_changed",
    "drop": "line_dropped",
    "undo": "line_edit_undone",
}


def blueprint_of(file: CaseFile) -> Blueprint | None:
    """The blueprint of a case as reviews and edits left it; None after erasure."""
    return None if file.proposal is None else basis(file).blueprint


async def edit_line(
    connection: Connection, intake_id: UUID, request: lines.EditRequest, editor: Reviewer, now: datetime
) -> Edit:
    """Keep what a person did to a line of the blueprint. Raises UnknownCase, UnknownLine, OutOfStep or Unfit."""
    case = await locked(connection, intake_id)
    file = await cases.read(connection, intake_id)
    blueprint = None if file is None else blueprint_of(file)
    if file is None or blueprint is None:
        raise UnknownCase
    edit = lines.edit(case, blueprint, file.edits, request, by=editor, now=now)
    await line_edits.add(connection, intake_id, edit)
    await cases.advance(connection, intake_id, case.revision, edit.version)
    acted = {"version": edit.version, "section": edit.section, "line": edit.line, "rule": edit.rule}
    await audit.record(connection, LINE_ACTS[edit.action], intake_id, now, acted, actor=editor.id)
    return edit


def basis(file: CaseFile) -> Basis:
    """What the document of a case that has not been erased is drawn up from, as reviews and edits left it."""
    assert file.company is not None, "only an erased case has no company"
    assert file.proposal is not None
    assert file.questionnaire is not None
    assert file.revision is not None
    playbook, questionnaire = PLAYBOOKS[file.questionnaire], load(file.questionnaire)
    assessment = Assessment.model_validate(file.assessment)
    proposal, decision = file.proposal, file.review
    if decision and decision.model and decision.commercial_form and decision.decision == "override":
        proposal = instead(decision.model, decision.commercial_form, assessment, playbook, questionnaire)
    blueprint = compose(
        proposal,
        assessment,
        file.company,
        rules=BLUEPRINTS[file.questionnaire],
        playbook=playbook,
        questionnaire=questionnaire,
    )
    return Basis(
        assessment=assessment,
        proposal=proposal,
        proposed=file.proposal.model,
        blueprint=lines.edited(blueprint, file.edits, file.revision),
        questionnaire=questionnaire,
    )
