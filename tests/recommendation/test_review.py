from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from services.recommendation.domain.review import (
    DECIDED,
    MAX_NOTE,
    STATE_AFTER,
    WAITING,
    AlreadyReviewed,
    Case,
    FormNotOffered,
    NothingOverridden,
    NotReviewable,
    OutOfStep,
    OverrideNeeded,
    QuestionNeeded,
    ReasonNeeded,
    Review,
    Reviewer,
    ReviewRequest,
    StaleVersion,
    Unfit,
    UnknownReason,
    arriving,
    decide,
    take_up,
)
from shared.contracts.recommendation import CommercialForm, Decision, Model, ProposalState
from shared.questionnaire import PUBLISHED
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.situations import NOW, PLAYBOOK

ANNA = Reviewer(uuid7(), "Anna Berg")
BORIS = Reviewer(uuid7(), "Boris Vidal")
WHY: dict[str, Any] = {"reason_code": "client_choice", "note": "They ran two projects with us and want one more."}


def case(state: ProposalState = "proposed", **changes: Any) -> Case:
    plain = Case(
        intake_id=uuid7(),
        version=1,
        revision=1,
        state=state,
        model="dedicated_team",
        commercial_form="monthly_team",
        questionnaire=PUBLISHED,
        answers=SAAS_SCALE_UP,
        assignee=None,
        review=None,
    )
    return replace(plain, **changes)


def reviewed(found: Case, **request: Any) -> Review:
    asked = ReviewRequest.model_validate({"version": found.version} | request)
    return decide(found, asked, ANNA, NOW, PLAYBOOK)


@pytest.mark.parametrize("state", WAITING)
@pytest.mark.parametrize(
    "named",
    [{}, {"model": "dedicated_team"}, {"model": "dedicated_team", "commercial_form": "monthly_team"}],
)
def test_an_approval_keeps_what_was_proposed(state: ProposalState, named: dict[str, str]) -> None:
    review = reviewed(case(state), decision="approve", **named)
    assert (review.model, review.commercial_form) == ("dedicated_team", "monthly_team")
    assert (review.version, review.revision, review.by, review.at) == (2, 1, ANNA, NOW)


def test_a_discovery_call_is_approved_like_any_other_proposal() -> None:
    call = case(model="discovery_call", commercial_form="fixed_price")
    assert reviewed(call, decision="approve").model == "discovery_call"


@pytest.mark.parametrize(
    ("asked", "model", "form"),
    [
        ({"model": "hybrid"}, "hybrid", "milestones"),
        ({"model": "project_based"}, "project_based", "capped_time_and_materials"),
        (
            {"model": "project_based", "commercial_form": "time_and_materials"},
            "project_based",
            "time_and_materials",
        ),
        ({"commercial_form": "retainer"}, "dedicated_team", "retainer"),
        ({"model": "discovery_call"}, "discovery_call", "fixed_price"),
    ],
)
def test_an_override_changes_model_or_form(asked: dict[str, str], model: Model, form: CommercialForm) -> None:
    review = reviewed(case(), decision="override", **WHY, **asked)
    assert (review.model, review.commercial_form) == (model, form)
    assert (review.reason_code, review.note) == (WHY["reason_code"], WHY["note"])


def test_a_return_asks_a_question_and_names_no_model() -> None:
    review = reviewed(case(), decision="return", note="Who signs the contract?")
    assert (review.model, review.commercial_form, review.note) == (None, None, "Who signs the contract?")


@pytest.mark.parametrize(
    ("asked", "refusal", "field"),
    [
        ({"decision": "override", "model": "hybrid"}, ReasonNeeded, "reason_code"),
        ({"decision": "override", "model": "hybrid", "reason_code": "risk"}, ReasonNeeded, "note"),
        ({"decision": "override", "model": "hybrid", "reason_code": "risk", "note": " \n"}, ReasonNeeded, "note"),
        ({"decision": "override", "model": "hybrid", "note": "Because."}, ReasonNeeded, "reason_code"),
        ({"decision": "override", "model": "hybrid", **WHY, "reason_code": "mood"}, UnknownReason, "reason_code"),
        ({"decision": "approve", "reason_code": "mood"}, UnknownReason, "reason_code"),
        ({"decision": "return"}, QuestionNeeded, "note"),
        ({"decision": "return", "note": ""}, QuestionNeeded, "note"),
        ({"decision": "approve", "model": "hybrid"}, OverrideNeeded, "model"),
        ({"decision": "approve", "commercial_form": "retainer"}, OverrideNeeded, "commercial_form"),
        ({"decision": "return", "model": "hybrid", "note": "Why?"}, OverrideNeeded, "model"),
        ({"decision": "override", **WHY}, NothingOverridden, "model"),
        ({"decision": "override", "model": "dedicated_team", **WHY}, NothingOverridden, "model"),
        (
            {"decision": "override", "model": "hybrid", "commercial_form": "retainer", **WHY},
            FormNotOffered,
            "commercial_form",
        ),
    ],
)
def test_a_decision_that_cannot_stand_says_which_field_to_change(
    asked: dict[str, Any], refusal: type[Unfit], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        reviewed(case(), **asked)
    assert refused.value.field == field
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    "asked",
    [
        {"decision": "approve"},
        {"decision": "override", "model": "hybrid", **WHY},
        {"decision": "return", "note": "Why?"},
        {"decision": "override"},
    ],
)
def test_a_decision_on_an_older_version_is_refused_with_the_present_state(asked: dict[str, Any]) -> None:
    present = case("in_review", version=3, assignee=BORIS)
    for seen in (1, 2, 4):
        with pytest.raises(StaleVersion) as refused:
            reviewed(present, **asked, version=seen)
        assert refused.value.case is present


def test_an_override_without_reason_and_words_is_told_both() -> None:
    with pytest.raises(ReasonNeeded) as refused:
        reviewed(case(), decision="override", model="hybrid")
    assert list(refused.value.errors) == ["reason_code", "note"]
    with pytest.raises(ReasonNeeded) as refused:
        reviewed(case(), decision="override", model="hybrid", reason_code="client_choice")
    assert list(refused.value.errors) == ["note"]


def test_a_note_that_is_far_too_long_is_refused_before_it_is_tidied() -> None:
    for note in ("e" + "\u0301" * 64_000, "e" + " " * 4 * MAX_NOTE):
        with pytest.raises(ValidationError, match="Use at most 2000 characters"):
            ReviewRequest(decision="approve", note=note, version=1)


@pytest.mark.parametrize("state", DECIDED)
@pytest.mark.parametrize("version", [1, 2])
def test_a_second_decision_is_refused_with_the_first(state: ProposalState, version: int) -> None:
    first = Review(2, 1, "approve", BORIS, "dedicated_team", "monthly_team", None, None, NOW)
    with pytest.raises(AlreadyReviewed, match="Boris Vidal") as refused:
        reviewed(case(state, version=2, review=first), decision="approve", version=version)
    assert refused.value.case.review is first


@pytest.mark.parametrize("state", sorted(set(get_args(ProposalState)) - {*WAITING, *DECIDED}))
def test_nothing_is_decided_or_taken_up_once_a_case_is_closed(state: ProposalState) -> None:
    with pytest.raises(NotReviewable, match=state):
        reviewed(case(state), decision="approve")
    with pytest.raises(NotReviewable):
        take_up(case(state), 1, ANNA)


@pytest.mark.parametrize("state", WAITING)
def test_taking_a_case_up_puts_it_into_review(state: ProposalState) -> None:
    taken = take_up(case(state, assignee=BORIS), 1, ANNA)
    assert (taken.state, taken.assignee, taken.version) == ("in_review", ANNA, 2)


def test_taking_up_what_one_has_already_changes_nothing() -> None:
    mine = case("in_review", version=4, assignee=ANNA)
    assert take_up(mine, 1, ANNA) is mine


def test_of_two_who_take_a_case_up_the_second_is_told() -> None:
    taken = take_up(case(), 1, ANNA)
    with pytest.raises(StaleVersion):
        take_up(taken, 1, BORIS)
    assert take_up(taken, taken.version, BORIS).assignee == BORIS


@pytest.mark.parametrize(
    ("revision", "current", "is_withdrawn", "state"),
    [
        (1, None, False, "proposed"),
        (2, 1, False, "proposed"),
        (1, 2, False, "superseded"),
        (1, None, True, "withdrawn"),
        (2, 1, True, "withdrawn"),
        (1, 2, True, "superseded"),
    ],
)
def test_the_highest_revision_is_the_one_to_review(
    revision: int, current: int | None, is_withdrawn: bool, state: ProposalState
) -> None:
    assert arriving(revision, current, is_withdrawn=is_withdrawn) == state


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("  Why?\r\nAnd how?\t ", "Why?\nAnd how?"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("x" * MAX_NOTE, "x" * MAX_NOTE),
        (" ", None),
    ],
)
def test_a_note_is_kept_as_it_reads(note: str, kept: str | None) -> None:
    assert ReviewRequest(decision="approve", note=note, version=1).note == kept


@pytest.mark.parametrize("note", ["x" * (MAX_NOTE + 1), "a\x00b", "a\x1bb", "a\x07b"])
def test_a_note_that_cannot_be_shown_is_refused(note: str) -> None:
    with pytest.raises(ValidationError):
        ReviewRequest(decision="approve", note=note, version=1)


ASKED = st.one_of(
    st.just({"decision": "approve"}),
    st.just({"decision": "return", "note": "Who signs the contract?"}),
    st.fixed_dictionaries(
        {"decision": st.sampled_from(get_args(Decision))},
        optional={
            "model": st.sampled_from(get_args(Model)),
            "commercial_form": st.sampled_from(get_args(CommercialForm)),
            "reason_code": st.just("client_choice"),
            "note": st.sampled_from(["", "They insist."]),
        },
    ),
)


class Reviewing(RuleBasedStateMachine):
    """Any interleaving of reviewers with old and new versions in hand, and of new revisions."""

    @initialize()
    def open(self) -> None:
        self.case = case()
        self.kept: list[Review] = []

    @rule(asked=ASKED, behind=st.integers(0, 2), by=st.sampled_from([ANNA, BORIS]))
    def decide(self, asked: dict[str, Any], behind: int, by: Reviewer) -> None:
        request = ReviewRequest(version=self.case.version - behind, **asked)
        try:
            review = decide(self.case, request, by, NOW, PLAYBOOK)
        except (OutOfStep, Unfit):
            return
        assert behind == 0
        self.kept.append(review)
        self.case = replace(self.case, version=review.version, state=STATE_AFTER[review.decision], review=review)

    @rule(behind=st.integers(0, 2), by=st.sampled_from([ANNA, BORIS]))
    def take_up(self, behind: int, by: Reviewer) -> None:
        try:
            self.case = take_up(self.case, self.case.version - behind, by)
        except OutOfStep:
            return
        assert self.case.state == "in_review"

    @rule()
    def revise(self) -> None:
        self.case = replace(
            self.case, version=self.case.version + 1, revision=self.case.revision + 1, state="proposed", review=None
        )

    @precondition(lambda self: self.case.state in DECIDED)
    @rule(by=st.sampled_from([ANNA, BORIS]))
    def leave_a_decision_alone(self, by: Reviewer) -> None:
        for decision in get_args(Decision):
            with pytest.raises(AlreadyReviewed):
                decide(self.case, ReviewRequest(decision=decision, version=self.case.version), by, NOW, PLAYBOOK)
        with pytest.raises(AlreadyReviewed):
            take_up(self.case, self.case.version, by)

    @invariant()
    def no_version_has_two_decisions(self) -> None:
        versions = [review.version for review in self.kept]
        assert versions == sorted(set(versions))
        assert self.case.version >= max(versions, default=1)

    @invariant()
    def what_is_decided_was_decided_by_somebody_on_this_revision(self) -> None:
        if self.case.state in DECIDED:
            last = self.kept[-1]
            assert self.case.review is last
            assert (last.revision, last.version) == (self.case.revision, self.case.version)
            assert last.model is not None
            assert STATE_AFTER[last.decision] == self.case.state

    @invariant()
    def a_revision_is_decided_once_and_for_all(self) -> None:
        final = [review.revision for review in self.kept if review.decision != "return"]
        assert len(final) == len(set(final))

    @invariant()
    def an_override_has_its_reason_and_changed_something(self) -> None:
        for review in self.kept:
            if review.decision == "override":
                assert review.reason_code
                assert review.note
                assert (review.model, review.commercial_form) != ("dedicated_team", "monthly_team")


TestReviewing = Reviewing.TestCase
