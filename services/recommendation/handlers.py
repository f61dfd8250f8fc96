"""Steps that recommendation's edges share: finding the playbook, taking a case up, reviewing and releasing it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from uuid import UUID

from uuid_utils.compat import uuid7

from services.recommendation.domain import lines
from services.recommendation.domain import release as releases
from services.recommendation.domain import review as rules
from services.recommendation.domain.assignment import (
    Assignment,
    AssignRequest,
    UnknownColleague,
    asked_with_reason,
    stand_in,
)
from services.recommendation.domain.blueprint import Blueprint, Edit, EditAction, compose
from services.recommendation.domain.blueprint_checks import parse as parse_blueprint
from services.recommendation.domain.document import Basis, Content, draw_up, sha256
from services.recommendation.domain.outcome import OutcomeRequest, Recorded, record, to_come_back_to
from services.recommendation.domain.playbook import parse
from services.recommendation.domain.proposal import instead
from services.recommendation.domain.release import Document, Link
from services.recommendation.domain.review import (
    Case,
    Review,
    Reviewer,
    ReviewRequest,
    Sequel,
    SignatureRequest,
    UndoRequest,
)
from services.recommendation.store import cases, colleagues, documents, outcomes, reviews
from services.recommendation.store import lines as line_edits
from services.recommendation.store.cases import CaseFile
from shared import audit, outbox
from shared.contracts.assessment import Assessment
from shared.contracts.recommendation import (
    RecommendationAssigned,
    RecommendationOutcomeRecorded,
    RecommendationReleased,
    RecommendationReviewed,
)
from shared.postgres import Connection
from shared.questionnaire import load

PLAYBOOKS = {
    (version := source.name.removesuffix(".yaml")): parse(source.read_text(encoding="utf-8"), load(version))
    for source in (files("services.recommendation") / "playbook").iterdir()
}
"""The playbook for each version of the questionnaire, checked when the service starts."""

BLUEPRINTS = {
    (version := source.name.removesuffix(".yaml")): parse_blueprint(
        source.read_text(encoding="utf-8"), source.name, PLAYBOOKS[version], load(version)
    )
    for source in (files("services.recommendation") / "blueprint").iterdir()
}
"""The rules of the blueprint for the versions of the questionnaire that have them, checked likewise."""


LINE_ACTS: dict[EditAction, str] = {
    "add": "line_added",
    "change": "line_changed",
    "drop": "line_dropped",
    "undo": "line_edit_undone",
}


def blueprint_of(file: CaseFile) -> Blueprint | None:
    """The blueprint of a case as reviews and edits left it; None after erasure."""
    return None if file.proposal is None else _basis(file).blueprint


class UnknownCase(Exception):
    """Nothing was proposed for this intake."""

    def __init__(self) -> None:
        super().__init__("There is no proposal for this intake yet. Check its id, or look again later.")


async def take_up(connection: Connection, intake_id: UUID, version: int, reviewer: Reviewer, now: datetime) -> None:
    """Put a case into a reviewer's hands and say so. Raises UnknownCase, OutOfStep where it moved on, or OwnWork."""
    case = await _locked(connection, intake_id)
    taken = rules.take_up(case, version, reviewer)
    if taken is not case:
        await _put(connection, taken, Assignment(taken.version, reviewer, None, reviewer, None, now))


async def assign(
    connection: Connection, intake_id: UUID, request: AssignRequest, by: Reviewer, now: datetime
) -> Assignment:
    """Give a case to a colleague, or to the deputy of one who is away, and say so.

    Raises UnknownCase, OutOfStep or Unfit.
    """
    case = await _locked(connection, intake_id)
    reason = asked_with_reason(request)
    asked = await colleague(connection, request.assignee)
    found = stand_in(asked, await colleagues.absences(connection, now.date()))
    taken = rules.take_up(case, request.version, found)
    asked_for = asked if found.id != asked.id else None
    assignment = Assignment(taken.version, found, asked_for, by, reason, now)
    if taken is not case:
        await _put(connection, taken, assignment)
    return assignment


async def colleague(connection: Connection, staff_id: UUID) -> Reviewer:
    """The account manager with this id. Raises UnknownColleague."""
    for one in await colleagues.account_managers(connection):
        if one.id == staff_id:
            return one
    raise UnknownColleague("assignee", "Choose one of the account managers.")


async def _put(connection: Connection, taken: Case, assignment: Assignment) -> None:
    await cases.move(connection, taken)
    await cases.record_assignment(connection, taken.intake_id, assignment)
    await outbox.say(connection, _assigned(taken, assignment.by, assignment.at))
    acted = {"version": taken.version, "assignee": assignment.assignee.id}
    await audit.record(connection, "assigned", taken.intake_id, assignment.at, acted, actor=assignment.by.id)


async def review(
    connection: Connection, intake_id: UUID, request: ReviewRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Decide on a case and say so; the case as it stands then.

    A decision that needs a second person is not said before that signs it. Raises UnknownCase, OutOfStep or Unfit.
    """
    case = await _locked(connection, intake_id)
    decision = rules.decide(case, request, reviewer, now, PLAYBOOKS[case.questionnaire])
    decided = rules.after(case, decision)
    await reviews.record(connection, intake_id, decision)
    await cases.move(connection, decided)
    if decision.needs_second:
        await outbox.say(connection, _assigned(decided, reviewer, now))
    else:
        await outbox.say(connection, _reviewed(decided, decision))
    acted = {
        "version": decision.version,
        "decision": decision.decision,
        "model": decision.model,
        "commercial_form": decision.commercial_form,
        "reason_code": decision.reason_code,
        "needs_second": decision.needs_second,
    }
    await audit.record(connection, "reviewed", intake_id, now, acted, actor=reviewer.id)
    return decided


async def sign(
    connection: Connection, intake_id: UUID, request: SignatureRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Give the second person's word on a decision and say so; the case as it stands then.

    Raises UnknownCase, OutOfStep or Unfit.
    """
    case = await _locked(connection, intake_id)
    sequel = rules.sign(case, request, reviewer, now)
    signed = rules.after(case, sequel)
    await reviews.record_sequel(connection, intake_id, sequel)
    await cases.move(connection, signed)
    if sequel.kind == "confirmed" and signed.review is not None:
        await outbox.say(connection, _reviewed(signed, signed.review))
    else:
        await outbox.say(connection, _assigned(signed, reviewer, now))
    await _record(connection, intake_id, sequel)
    return signed


async def undo(
    connection: Connection, intake_id: UUID, request: UndoRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Take the last decision back and say so; the case in the hands of who did. Raises UnknownCase or OutOfStep."""
    case = await _locked(connection, intake_id)
    sequel = rules.undo(case, request, reviewer, now)
    undone = rules.after(case, sequel)
    await reviews.record_sequel(connection, intake_id, sequel)
    await cases.move(connection, undone)
    await outbox.say(connection, _assigned(undone, reviewer, now))
    await _record(connection, intake_id, sequel)
    return undone


async def _record(connection: Connection, intake_id: UUID, sequel: Sequel) -> None:
    acted = {"version": sequel.version, "of_version": sequel.review}
    await audit.record(connection, sequel.kind, intake_id, sequel.at, acted, actor=sequel.by.id)


async def edit_line(
    connection: Connection, intake_id: UUID, request: lines.EditRequest, editor: Reviewer, now: datetime
) -> Edit:
    """Keep what a person did to a line of the blueprint. Raises UnknownCase, UnknownLine, OutOfStep or Unfit."""
    case = await _locked(connection, intake_id)
    file = await cases.read(connection, intake_id)
    blueprint = None if file is None else blueprint_of(file)
    if file is None or blueprint is None:
        raise UnknownCase
    edit = lines.edit(case, blueprint, file.edits, request, by=editor, now=now)
    await line_edits.add(connection, intake_id, edit)
    await documents.move(connection, intake_id, case.revision, edit.version)
    acted = {"version": edit.version, "section": edit.section, "line": edit.line, "rule": edit.rule}
    await audit.record(connection, LINE_ACTS[edit.action], intake_id, now, acted, actor=editor.id)
    return edit


@dataclass(frozen=True)
class Released:
    """A document, the link that opens it, and its case's version since."""

    document: Document
    link: Link
    version: int


async def release(
    connection: Connection,
    intake_id: UUID,
    version: int,
    reviewer: Reviewer,
    now: datetime,
    *,
    render: Callable[[Content, str], Awaitable[bytes]],
) -> Released:
    """Freeze a case's document, open it to the client and say so. Raises UnknownCase or OutOfStep.

    `render` makes the file from the content and its hash.
    """
    case = await _locked(connection, intake_id)
    decision = releases.release(case, version)
    file = await cases.read(connection, intake_id)
    assert file is not None, "a case that is locked can be read"
    content = drawn(file, await documents.next_number(connection, intake_id), now)
    canonical = content.canonical
    document = Document(
        intake_id=intake_id,
        number=content.number,
        revision=case.revision,
        review_version=decision.version,
        hash=sha256(canonical),
        model=decision.model or case.model,
        commercial_form=decision.commercial_form or case.commercial_form,
        questionnaire=content.questionnaire.version,
        rubric=content.rubric.version,
        playbook=content.playbook.version,
        released_by=reviewer,
        released_at=now,
    )
    released = Released(document, releases.link(uuid7(), document.number, now), case.version + 1)
    await documents.add(connection, document, canonical, await render(content, document.hash), released.link)
    await documents.move(connection, intake_id, case.revision, released.version, "released")
    await outbox.say(connection, _released(released, reviewer, now))
    await _record_link(connection, "released", released, reviewer, now)
    return released


async def share_again(connection: Connection, intake_id: UUID, reviewer: Reviewer, now: datetime) -> Released:
    """Make a new link in the place of the last and say so. Raises UnknownCase, or OutOfStep where nothing is out."""
    case = await _locked(connection, intake_id)
    releases.share_again(case)
    document = await documents.latest(connection, intake_id)
    assert document is not None, "what is released has a document"
    shared = Released(document, releases.link(uuid7(), document.number, now), case.version + 1)
    await documents.add_link(connection, intake_id, shared.link, reviewer.id)
    await documents.move(connection, intake_id, case.revision, shared.version, "released")
    await outbox.say(connection, _released(shared, reviewer, now))
    await _record_link(connection, "link_made", shared, reviewer, now)
    return shared


async def _record_link(connection: Connection, act: str, released: Released, by: Reviewer, now: datetime) -> None:
    document = released.document
    acted = {"version": released.version, "document": document.number, "hash": document.hash, "link": released.link.id}
    await audit.record(connection, act, document.intake_id, now, acted, actor=by.id)


async def stop_sharing(connection: Connection, intake_id: UUID, reviewer: Reviewer, now: datetime) -> None:
    """Close the link that stands, if one does. Raises UnknownCase."""
    await _locked(connection, intake_id)
    await documents.close_link(connection, intake_id, now)
    await audit.record(connection, "link_closed", intake_id, now, actor=reviewer.id)


async def record_outcome(
    connection: Connection, intake_id: UUID, request: OutcomeRequest, reviewer: Reviewer, now: datetime
) -> Recorded:
    """Note what became of a case and say so. Raises UnknownCase, OutOfStep or Unfit.

    It settles what was due until today, and puts on the list when to ask whether the model still fits.
    """
    case = await _locked(connection, intake_id)
    before = next(iter(await outcomes.of_case(connection, intake_id)), None)
    document = await documents.latest(connection, intake_id)
    recorded = record(case, document, request, before=before, by=reviewer, now=now)
    until = None if recorded.outcome == "lost" else now.date()
    await outcomes.settle(connection, intake_id, now, by=reviewer.id, until=until)
    await outcomes.settle(connection, intake_id, now, by=reviewer.id, kind="acceptance")
    await outcomes.come_back_to(connection, intake_id, to_come_back_to(recorded, request.first_release_on))
    await outcomes.record(connection, intake_id, recorded)
    await documents.move(connection, intake_id, case.revision, recorded.version)
    await outbox.say(
        connection,
        RecommendationOutcomeRecorded(
            intake_id=intake_id,
            version=recorded.version,
            time=now,
            revision=case.revision,
            outcome=recorded.outcome,
            model_used=recorded.model_used,
            reason_code=recorded.reason_code,
            happened_on=recorded.happened_on,
            by=reviewer.id,
        ),
    )
    acted = {"version": recorded.version, "outcome": recorded.outcome, "model": recorded.model_used}
    await audit.record(connection, "outcome_recorded", intake_id, now, acted, actor=reviewer.id)
    return recorded


def drawn(file: CaseFile, number: int, now: datetime) -> Content:
    """The document of a case that has not been erased, as reviews and edits left it."""
    assert file.company is not None, "only an erased case has no company"
    decision = file.review if file.review and file.review.decision != "return" else None
    reviewed_by = decision.by.name if decision else None
    return draw_up(_basis(file), number=number, company=file.company.name, reviewed_by=reviewed_by, day=now.date())


def _basis(file: CaseFile) -> Basis:
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


async def _locked(connection: Connection, intake_id: UUID) -> Case:
    case = await cases.lock(connection, intake_id)
    if case is None:
        raise UnknownCase
    return case


def _assigned(case: Case, by: Reviewer, now: datetime) -> RecommendationAssigned:
    assert case.assignee is not None, "what is in review is in somebody's hands"
    return RecommendationAssigned(
        intake_id=case.intake_id,
        version=case.version,
        time=now,
        revision=case.revision,
        assignee=case.assignee.id,
        by=by.id,
    )


def _reviewed(case: Case, decision: Review) -> RecommendationReviewed:
    second = decision.second
    return RecommendationReviewed(
        intake_id=case.intake_id,
        version=case.version,
        time=second.at if second else decision.at,
        revision=decision.revision,
        decision=decision.decision,
        by=decision.by.id,
        model=decision.model,
        commercial_form=decision.commercial_form,
        reason_code=decision.reason_code,
        confirmed_by=second.by.id if second else None,
    )


def _released(released: Released, by: Reviewer, now: datetime) -> RecommendationReleased:
    document = released.document
    return RecommendationReleased(
        intake_id=document.intake_id,
        version=released.version,
        time=now,
        revision=document.revision,
        by=by.id,
        model=document.model,
        commercial_form=document.commercial_form,
        document=document.number,
        document_hash=document.hash,
        link_id=released.link.id,
        expires_at=released.link.expires_at,
    )
