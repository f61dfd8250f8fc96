"""How a proposal is reviewed: who takes it up, what may be decided and by whom, and how a decision is taken back."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.recommendation.domain.offer import forbidden
from services.recommendation.domain.playbook import Playbook
from shared.contracts.recommendation import CommercialForm, Decision, Model, ProposalState

WAITING: tuple[ProposalState, ...] = ("proposed", "in_review", "returned")
DECIDED: tuple[ProposalState, ...] = ("approved", "overridden")
STATE_AFTER: dict[Decision, ProposalState] = {"approve": "approved", "override": "overridden", "return": "returned"}
MAX_NOTE = 2000
WHY_NEEDED = {
    "reason_code": "Choose the reason that comes nearest.",
    "note": "Say in a sentence or two why you decide otherwise.",
}

Ending: TypeAlias = Literal["confirmed", "refused", "undone"]
Standing: TypeAlias = Literal["stands", "waits", "refused", "undone"]


@dataclass(frozen=True)
class Reviewer:
    """An account manager, by id and by the name that colleagues know."""

    id: UUID
    name: str


@dataclass(frozen=True)
class Sequel:
    """What became of a decision: a second person signed it or refused to, or it was taken back.

    `review` is the decision's version, `version` the case's after this.
    """

    review: int
    version: int
    kind: Ending
    by: Reviewer
    note: str | None
    at: datetime


@dataclass(frozen=True)
class Review:
    """One decision, kept for ever beside the machine's result. A return names no model and no form.

    One that overrides a veto needs a second person, and waits until somebody signs it or refuses to.
    """

    version: int
    revision: int
    decision: Decision
    by: Reviewer
    model: Model | None
    commercial_form: CommercialForm | None
    reason_code: str | None
    note: str | None
    at: datetime
    needs_second: bool = False
    sequels: tuple[Sequel, ...] = ()

    @property
    def standing(self) -> Standing:
        """Whether it holds."""
        ends = {sequel.kind for sequel in self.sequels}
        if "undone" in ends:
            return "undone"
        if "refused" in ends:
            return "refused"
        return "waits" if self.needs_second and "confirmed" not in ends else "stands"

    @property
    def second(self) -> Sequel | None:
        """The second person's signature."""
        return next((sequel for sequel in self.sequels if sequel.kind == "confirmed"), None)


@dataclass(frozen=True)
class Case:
    """An intake's current proposal as a reviewer finds it: the machine's result, its answers, and the decisions.

    `review` is the last decision that stands, `waiting` the one that needs a second person, and `authors` are the
    colleagues who took answers down.
    """

    intake_id: UUID
    version: int
    revision: int
    state: ProposalState
    model: Model
    commercial_form: CommercialForm
    questionnaire: str
    answers: dict[str, str]
    assignee: Reviewer | None
    review: Review | None
    waiting: Review | None = None
    authors: frozenset[UUID] = frozenset()


def readable(note: str) -> str | None:
    """What somebody typed, tidied, None where it is empty. Raises ValueError where it cannot be kept."""
    if len(note) <= 4 * MAX_NOTE:  # composing takes time by the square of the length
        note = unicodedata.normalize("NFC", note.replace("\r\n", "\n")).strip()
    if len(note) > MAX_NOTE:
        raise ValueError(f"Use at most {MAX_NOTE} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t" for character in note):
        raise ValueError("It holds characters that cannot be shown. Type it again.")
    return note or None


class ReviewRequest(BaseModel):
    """A decision on the version that the reviewer saw. Without model and form, an override keeps what fits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    decision: Decision
    model: Model | None = None
    commercial_form: CommercialForm | None = None
    reason_code: Annotated[str, Field(max_length=100)] | None = None
    note: Annotated[str, AfterValidator(readable)] | None = None
    version: int


class SignatureRequest(BaseModel):
    """A second person's word on a decision, about the version that was read. Whoever refuses says why."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    decision: Literal["confirm", "refuse"]
    note: Annotated[str, AfterValidator(readable)] | None = None
    version: int


class UndoRequest(BaseModel):
    """The wish to take the last decision back, on the version that was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    note: Annotated[str, AfterValidator(readable)] | None = None
    version: int


class OutOfStep(Exception):
    """The case does not stand as the reviewer saw it; it is carried as it stands now."""

    def __init__(self, case: Case, message: str) -> None:
        super().__init__(message)
        self.case = case


class NotReviewable(OutOfStep):
    """There is nothing left to decide on."""


class AlreadyReviewed(OutOfStep):
    """Somebody has decided."""


class StaleVersion(OutOfStep):
    """Something was said about the case since the reviewer read it."""


class AwaitsSecondPerson(OutOfStep):
    """A decision was made and needs somebody else's signature first."""


class NothingToSign(OutOfStep):
    """No decision waits for a second person."""


class NothingToUndo(OutOfStep):
    """There is no decision that could be taken back, or its document is out."""


class Unfit(ValueError):
    """A decision that cannot stand as it was sent: which field to change, and how; `errors` are all such fields."""

    def __init__(self, field: str, message: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.errors = dict(errors or {field: message})


class ReasonNeeded(Unfit):
    """Whoever overrides says why, by a code and in words."""


class UnknownReason(Unfit):
    """The reason is not one of the playbook's."""


class QuestionNeeded(Unfit):
    """Whoever returns a case asks something."""


class OverrideNeeded(Unfit):
    """Only an override changes the model or the form."""


class NothingOverridden(Unfit):
    """An override that keeps model and form is an approval."""


class FormNotOffered(Unfit):
    """The model is not sold in this form."""


class OwnWork(Unfit):
    """Whoever took the answers down does not approve what comes of them."""


class SecondPersonNeeded(Unfit):
    """Nobody signs their own decision a second time."""


def arriving(revision: int, current: int | None, *, is_withdrawn: bool) -> ProposalState:
    """The state of a revision's proposal when it arrives at a case whose current revision is another, or none."""
    if current is not None and revision < current:
        return "superseded"
    return "withdrawn" if is_withdrawn else "proposed"


def take_up(case: Case, version: int, reviewer: Reviewer) -> Case:
    """The case in this reviewer's hands, one version on; as it was where it is there already.

    Raises OutOfStep, or OwnWork where the reviewer could not decide on it.
    """
    if case.state == "in_review" and case.assignee is not None and case.assignee.id == reviewer.id:
        return case
    _in_step(case, version)
    if reviewer.id in case.authors:
        raise OwnWork("assignee", f"{reviewer.name} took the answers down, so somebody else has to decide.")
    return replace(case, version=case.version + 1, state="in_review", assignee=reviewer)


def decide(case: Case, request: ReviewRequest, reviewer: Reviewer, now: datetime, playbook: Playbook) -> Review:
    """The review that this request makes of the case, at the next version. Raises OutOfStep or Unfit."""
    _in_step(case, request.version)
    if case.waiting is not None:
        raise AwaitsSecondPerson(case, f"{case.waiting.by.name} has decided, and a second person has to sign it first.")
    if request.decision != "return":
        _by_somebody_else(case, reviewer)
    if request.reason_code is not None and request.reason_code not in {r.code for r in playbook.override_reasons}:
        codes = ", ".join(reason.code for reason in playbook.override_reasons)
        raise UnknownReason("reason_code", f"Choose one of {codes}.")
    model, form = _overriding(case, request, playbook) if request.decision == "override" else _keeping(case, request)
    if request.decision == "return" and request.note is None:
        raise QuestionNeeded("note", "Write the question that has to be answered first.")
    return Review(
        version=case.version + 1,
        revision=case.revision,
        decision=request.decision,
        by=reviewer,
        model=None if request.decision == "return" else model,
        commercial_form=None if request.decision == "return" else form,
        reason_code=request.reason_code,
        note=request.note,
        at=now,
        needs_second=request.decision == "override" and forbidden(model, case.answers, playbook),
    )


def sign(case: Case, request: SignatureRequest, reviewer: Reviewer, now: datetime) -> Sequel:
    """The second person's word on the decision that waits for it. Raises OutOfStep or Unfit."""
    if case.waiting is None:
        raise NothingToSign(case, "No decision waits for a second signature here. Look at the case again.")
    _in_step(case, request.version)
    if reviewer.id == case.waiting.by.id:
        raise SecondPersonNeeded("decision", "You decided this yourself, so another account manager has to sign it.")
    _by_somebody_else(case, reviewer)
    if request.decision == "refuse" and request.note is None:
        raise ReasonNeeded("note", "Say in a sentence or two why it cannot stand.")
    kind: Ending = "confirmed" if request.decision == "confirm" else "refused"
    return Sequel(case.waiting.version, case.version + 1, kind, reviewer, request.note, now)


def undo(case: Case, request: UndoRequest, reviewer: Reviewer, now: datetime) -> Sequel:
    """The last decision taken back, before its document is out. Raises OutOfStep."""
    undone = case.waiting if case.state in WAITING else case.review if case.state in DECIDED else None
    if undone is None:
        raise NothingToUndo(case, f"This case is {case.state.replace('_', ' ')}, so no decision can be taken back.")
    if case.version != request.version:
        raise StaleVersion(case, "The case moved on while you read. Look again, then take the decision back.")
    return Sequel(undone.version, case.version + 1, "undone", reviewer, request.note, now)


def after(case: Case, step: Review | Sequel) -> Case:
    """The case as a decision leaves it, or what became of one. A decision that falls leaves it in somebody's hands."""
    moved = replace(case, version=step.version, waiting=None)
    if isinstance(step, Review):
        if step.needs_second:
            return replace(moved, state="in_review", assignee=step.by, waiting=step)
        return replace(moved, state=STATE_AFTER[step.decision], review=step)
    if step.kind == "undone":
        return replace(moved, state="in_review", assignee=step.by, review=None if case.waiting is None else case.review)
    assert case.waiting is not None, "only what waits is signed"
    if step.kind == "refused":
        return replace(moved, state="in_review", assignee=case.waiting.by)
    signed = replace(case.waiting, sequels=(step,))
    return replace(moved, state=STATE_AFTER[signed.decision], review=signed)


def last(reviews: Iterable[Review], revision: int | None, standing: Standing) -> Review | None:
    """Of a case's decisions, latest first, the last one on a revision that stands so."""
    return next((one for one in reviews if (one.revision, one.standing) == (revision, standing)), None)


def _by_somebody_else(case: Case, reviewer: Reviewer) -> None:
    if reviewer.id in case.authors:
        raise OwnWork("decision", "You took the answers down, so another account manager has to decide.")


def _in_step(case: Case, version: int) -> None:
    if case.state in DECIDED and case.review is not None:
        done = {"approved": "approved", "overridden": "overrode"}[case.state]
        raise AlreadyReviewed(case, f"{case.review.by.name} {done} this proposal. Read that decision.")
    if case.state not in WAITING:
        raise NotReviewable(case, f"This request is {case.state}, so there is nothing to decide.")
    if case.version != version:
        raise StaleVersion(case, "The case moved on while you read. Look again, then decide.")


def _keeping(case: Case, request: ReviewRequest) -> tuple[Model, CommercialForm]:
    if request.model not in (None, case.model):
        raise OverrideNeeded("model", f"The proposal is {case.model}. Send an override to change it.")
    if request.commercial_form not in (None, case.commercial_form):
        raise OverrideNeeded(
            "commercial_form", f"The proposal is {case.commercial_form}. Send an override to change it."
        )
    return case.model, case.commercial_form


def _overriding(case: Case, request: ReviewRequest, playbook: Playbook) -> tuple[Model, CommercialForm]:
    """The model and form of an override; where it changes the model alone, the playbook's rules give the form."""
    missing = {name: advice for name, advice in WHY_NEEDED.items() if getattr(request, name) is None}
    if missing:
        raise ReasonNeeded(*next(iter(missing.items())), missing)
    model = request.model or case.model
    rule, _ = playbook.commercial_form(model, case.answers)
    form = request.commercial_form or rule.form
    if form not in playbook.models[model].forms:
        choices = ", ".join(playbook.models[model].forms)
        raise FormNotOffered("commercial_form", f"{model} is not offered as {form}. Choose one of {choices}.")
    if (model, form) == (case.model, case.commercial_form):
        raise NothingOverridden("model", "Choose another model or another form, or approve the proposal.")
    return model, form
