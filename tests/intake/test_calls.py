"""What a call takes down: fields, notes, what is still missing, and what it becomes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from services.intake.domain.calls import MAX_NOTE, fields, kept, missing, notes
from services.intake.domain.drafts import Draft, Entry, NotKept, begin
from shared.questionnaire import load
from tests.intake.prospect import NORDWIND

COMPANY = {field: value for field, value in NORDWIND.items() if not field.startswith("contact")}


def call(**values: str) -> Draft:
    entries = {field.replace("__", "."): Entry(value, 1) for field, value in values.items()}
    return replace(begin(uuid7(), datetime.now(UTC)), channel="console", entries=entries)


def test_every_question_has_its_answer_its_origin_and_its_note() -> None:
    taken_down = fields(load())
    assert {"company_name", "aim", "how.aim", "note.aim", "notes"} <= set(taken_down)
    assert len(taken_down) == len(set(taken_down)) == 6 + 3 * 26 + 1


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("note.aim", " Mara: a fair in March.\r\nBudget with Jan. ", "Mara: a fair in March.\nBudget with Jan."),
        ("notes", "x" * MAX_NOTE, "x" * MAX_NOTE),
        ("how.aim", "inferred", "inferred"),
        ("how.aim", "", ""),
        ("aim", "steady_growth", "steady_growth"),
    ],
)
def test_a_call_keeps_answers_origins_and_notes(field: str, value: str, stored: str) -> None:
    assert kept(field, value, load()) == stored


@pytest.mark.parametrize(
    ("field", "value"), [("notes", "x" * (MAX_NOTE + 1)), ("note.aim", "a\x00b"), ("how.aim", "guessed"), ("aim", "a")]
)
def test_a_call_says_what_to_do_about_what_it_cannot_keep(field: str, value: str) -> None:
    with pytest.raises(NotKept, match=r"\.$"):
        kept(field, value, load())


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({}, set()),
        ({"contact_name": "Mara Lind", "contact_email": "mara@nordwind.example"}, set()),
        ({"contact_name": "Mara Lind"}, {"contact_email"}),
        ({"contact_email": "mara@nordwind.example"}, {"contact_name"}),
        ({"contact_name": "Mara Lind", "contact_email": "mara@"}, {"contact_email"}),
        ({"headcount": ""}, {"headcount"}),
    ],
)
def test_a_contact_may_be_left_out_of_a_call_but_not_by_half(more: dict[str, str], asked: set[str]) -> None:
    assert missing(call(**COMPANY | more)).keys() == asked


def test_a_call_tells_what_was_said_from_what_was_inferred() -> None:
    given = call(aim="steady_growth", how__aim="inferred", deadline="firm", how__horizon="inferred").given
    assert {question: (answer.level, answer.confidence) for question, answer in given.items()} == {
        "aim": ("steady_growth", "inferred"),
        "deadline": ("firm", "said"),
    }


def test_the_notes_of_a_call_say_what_they_stood_beside() -> None:
    assert notes(call(note__aim="A fair.", note__deadline="", notes="Friendly.")) == {
        "note.aim": "What do you mainly want from the next 12 months of work?\nA fair.",
        "notes": "Friendly.",
    }
