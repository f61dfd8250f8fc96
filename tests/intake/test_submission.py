"""What can be submitted, and the fact it becomes."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.intake.domain.countries import COUNTRIES
from services.intake.domain.submission import (
    CONSENT_TEXT,
    RevisionClosed,
    RevisionForm,
    SubmissionForm,
    check_revisable,
    complete,
    given_answers,
    submitted,
)
from shared.contracts.intake import Answer, Company
from shared.questionnaire import UNKNOWN, load
from tests.clients import submission

COMPANY = submission()["company"]
CONTACT = submission()["contact"]


def faults(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        SubmissionForm.model_validate(body)
    return {".".join(str(part) for part in fault["loc"]): fault["msg"] for fault in refused.value.errors()}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"company": None}, "company"),
        ({"company": COMPANY | {"headcount": "12"}}, "company.headcount"),
        ({"company": COMPANY | {"industry": "it"}}, "company.industry"),
        ({"company": COMPANY | {"country": "XX"}}, "company.country"),
        ({"company": COMPANY | {"name": "  "}}, "company.name"),
        ({"company": COMPANY | {"name": "x" * 201}}, "company.name"),
        ({"company": COMPANY | {"name": "a\x00b"}}, "company.name"),
        ({"company": COMPANY | {"name": "a\nb"}}, "company.name"),
        ({"company": COMPANY | {"name": "a\u2028b"}}, "company.name"),
        ({"company": COMPANY | {"name": 7}}, "company.name"),
        ({"company": COMPANY | {"vat": "DE1"}}, "company.vat"),
        ({"contact": None}, "contact"),
        ({"contact": CONTACT | {"email": "nobody"}}, "contact.email"),
        ({"contact": CONTACT | {"email": "j\u00fcrgen@example.com"}}, "contact.email"),
        ({"consent": None}, "consent"),
        ({"consent": False}, "consent.given"),
        ({"consent": "yes"}, "consent"),
        ({"answers": {"colour": "blue"}}, "answers"),
        ({"answers": {"requirements": "perfect"}}, "answers"),
        ({"answers": {"requirements": 3}}, "answers.requirements"),
        (
            {"answers": {"requirements": {"level": "written", "confidence": "guessed"}}},
            "answers.requirements.confidence",
        ),
        ({"answers": ["written"]}, "answers"),
        ({"campaign": "spring"}, "campaign"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    assert list(faults(submission(**changes))) == [field]


def test_a_refused_answer_says_what_could_be_chosen() -> None:
    assert (
        "written, mostly_written, outline, problem_only, or unknown"
        in faults(submission(answers={"requirements": "perfect"}))["answers"]
    )


def test_short_consent_means_given_on_the_current_text() -> None:
    consent = SubmissionForm.model_validate(submission()).consent
    assert (consent.given, consent.text_version) == (True, CONSENT_TEXT)


def test_names_are_kept_as_people_write_them() -> None:
    company = COMPANY | {"name": "  Bücher & Ärzte O'Neill  "}
    assert SubmissionForm.model_validate(submission(company=company)).company.name == "Bücher & Ärzte O'Neill"


def test_there_are_249_countries_and_small_letters_are_taken() -> None:
    assert len(COUNTRIES) == 249
    assert SubmissionForm.model_validate(submission(company=COMPANY | {"country": "fr"})).company.country == "FR"


def test_what_was_not_answered_is_unknown_and_what_follows_is_inferred() -> None:
    answers = complete({"after_release": Answer(level="hand_over")}, load())
    assert len(answers) == 26
    assert answers["after_release"] == Answer(level="hand_over", confidence="said")
    assert answers["live_service"] == Answer(level="none", confidence="inferred")
    assert answers["aim"] == Answer(level=UNKNOWN)


def test_what_was_said_is_never_replaced_by_what_follows() -> None:
    said = {"after_release": Answer(level="hand_over"), "live_service": Answer(level="office_hours")}
    assert complete(said, load())["live_service"].level == "office_hours"


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers(), st.none()), max_size=5))
def test_no_body_is_taken_that_is_not_a_submission(body: dict[str, Any]) -> None:
    faults(body)


def test_the_fact_carries_no_contact() -> None:
    form = SubmissionForm.model_validate(submission())
    fact = submitted(
        intake_id=uuid4(),
        revision=1,
        version=1,
        questionnaire=load(),
        given=given_answers(form),
        company=Company(**form.company.model_dump()),
        channel="api",
        language="en",
        now=datetime.now(UTC),
    )
    assert "ines" not in fact.model_dump_json().lower()


def test_a_revision_names_at_least_one_answer() -> None:
    with pytest.raises(ValidationError):
        RevisionForm.model_validate({"answers": {}})


@pytest.mark.parametrize("state", ["accepted", "withdrawn", "erased"])
def test_a_finished_request_takes_no_revision(state: str) -> None:
    with pytest.raises(RevisionClosed) as refusal:
        check_revisable(state)
    assert refusal.value.state == state


@pytest.mark.parametrize("state", ["submitted", "approved", "released"])
def test_a_request_takes_revisions_until_it_is_accepted(state: str) -> None:
    check_revisable(state)
