from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from services.intake.domain.countries import COUNTRIES
from services.intake.domain.drafts import (
    COMPANY_FIELDS,
    CONSENT_TEXTS,
    KEPT,
    MISSING,
    Draft,
    Entry,
    NotKept,
    begin,
    first_open_dimension,
    inferred,
    kept,
    merge,
)
from services.intake.domain.submission import CONSENT_TEXT
from services.intake.store import drafts
from shared.contracts.intake import Company, Headcount, Industry
from shared.postgres import Database
from shared.questionnaire import PUBLISHED, UNKNOWN, load

Connect = Callable[[str], Awaitable[Database]]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NORDWIND = {
    "company_name": "Nordwind Energie",
    "headcount": "51-250",
    "industry": "energy",
    "country": "DE",
    "contact_name": "Mara Lind",
    "contact_email": "mara@nordwind.example",
}


def draft(**values: str) -> Draft:
    return replace(begin(uuid7(), NOW), entries={field: Entry(value, 1) for field, value in values.items()})


def test_a_draft_begins_empty_on_the_published_questionnaire_and_is_kept_for_thirty_days() -> None:
    begun = begin(UUID(int=1), NOW)
    assert begun.questionnaire.version == PUBLISHED
    assert begun.entry("aim") == Entry("", 0)
    assert begun.answers == {}
    assert begun.expires_at - NOW == KEPT == timedelta(days=30)


STORED = {"aim": Entry("steady_growth", 3), "company_name": Entry("Nordwind", 2)}


@pytest.mark.parametrize(
    ("field", "posted", "taken", "disputed"),
    [
        pytest.param("aim", Entry("steady_growth", 3), {}, {}, id="unchanged"),
        pytest.param("aim", Entry("finish_and_stop", 3), {"aim": Entry("finish_and_stop", 4)}, {}, id="changed"),
        pytest.param("aim", Entry("steady_growth", 1), {}, {}, id="stale-but-the-same"),
        pytest.param("aim", Entry("finish_and_stop", 2), {}, {"aim": "finish_and_stop"}, id="stale-and-different"),
        pytest.param("aim", Entry("finish_and_stop", 9), {}, {"aim": "finish_and_stop"}, id="a-seq-nobody-gave"),
        pytest.param("horizon", Entry("over_12_months", 0), {"horizon": Entry("over_12_months", 1)}, {}, id="first"),
        pytest.param("company_name", Entry("", 2), {"company_name": Entry("", 3)}, {}, id="emptied"),
        pytest.param("company_name", Entry("", 0), {}, {}, id="stale-and-empty-says-nothing"),
    ],
)
def test_a_form_changes_only_what_it_has_seen(
    field: str, posted: Entry, taken: dict[str, Entry], disputed: dict[str, str]
) -> None:
    outcome = merge(STORED, {field: posted})
    assert (outcome.taken, outcome.disputed) == (taken, disputed)


ENTRIES = st.builds(Entry, st.sampled_from(["", "none", "wished", "firm"]), st.integers(0, 3))
FORMS = st.dictionaries(st.sampled_from(["aim", "deadline", "start"]), ENTRIES)


@given(FORMS, FORMS)
def test_whatever_a_form_says_is_kept_or_asked_about_or_stands_already(
    entries: dict[str, Entry], posted: dict[str, Entry]
) -> None:
    outcome = merge(entries, posted)
    assert not outcome.taken.keys() & outcome.disputed.keys()
    for field, said in posted.items():
        held = entries.get(field, Entry())
        if field in outcome.taken:
            assert outcome.taken[field] == Entry(said.value, held.seq + 1)
            assert said.seq == held.seq
        elif field in outcome.disputed:
            assert outcome.disputed[field] == said.value != held.value
        else:
            assert said.value in ("", held.value)


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("aim", "steady_growth", "steady_growth"),
        ("aim", UNKNOWN, UNKNOWN),
        ("aim", "", ""),
        ("company_name", "  Nordwind Energie ", "Nordwind Energie"),
        ("company_name", "Zoe\u0308 & Söhne <GmbH>", "Zoë & Söhne <GmbH>"),
        ("company_name", "   ", ""),
        ("company_name", "x" * 200, "x" * 200),
        ("headcount", "over-5000", "over-5000"),
        ("country", "PL", "PL"),
        ("contact_email", "mara@", "mara@"),
    ],
)
def test_a_draft_keeps_what_can_be_shown_even_half_typed(field: str, value: str, stored: str) -> None:
    assert kept(field, value, load()) == stored


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("aim", "world_domination"),
        ("aims", "steady_growth"),
        ("company_name", "x" * 201),
        ("company_name", "Nord\x00wind"),
        ("contact_name", "Mara\x1b[31m"),
        ("contact_email", "mara\n@nordwind.example"),
        ("headcount", "12"),
        ("industry", "magic"),
        ("country", "ZZ"),
    ],
)
def test_a_draft_refuses_what_cannot_be_shown_or_chosen_and_says_what_to_do(field: str, value: str) -> None:
    with pytest.raises(NotKept) as refusal:
        kept(field, value, load())
    assert str(refusal.value).endswith(".")
    assert "nvalid" not in str(refusal.value)


def test_every_choice_of_the_company_page_is_kept() -> None:
    for field, choices in {
        "headcount": get_args(Headcount),
        "industry": get_args(Industry),
        "country": COUNTRIES,
    }.items():
        for choice in choices:
            assert kept(field, choice, load()) == choice


def test_everything_about_the_company_is_asked_for_by_name() -> None:
    assert draft().missing == MISSING
    assert MISSING.keys() == COMPANY_FIELDS.keys()
    assert draft(**NORDWIND).missing == {}


@pytest.mark.parametrize(
    "address", ["mara", "mara@", "@nordwind.example", "mara@nordwind", "mara lind@nordwind.example"]
)
def test_an_address_that_no_mail_would_reach_is_asked_for_again(address: str) -> None:
    assert draft(**NORDWIND | {"contact_email": address}).missing == {
        "contact_email": "Give an e-mail address such as name@company.com."
    }


def test_a_draft_becomes_the_company_and_the_answers_of_a_submission() -> None:
    filled = draft(**NORDWIND, aim="steady_growth", horizon=UNKNOWN, funding="")
    assert filled.company == Company(name="Nordwind Energie", headcount="51-250", industry="energy", country="DE")
    assert {question: answer.level for question, answer in filled.given.items()} == {
        "aim": "steady_growth",
        "horizon": UNKNOWN,
    }


def test_the_way_back_leads_to_the_first_question_without_an_answer() -> None:
    questions = load().questions
    assert first_open_dimension(draft()) == "Purpose"
    purpose = {question.id: UNKNOWN for question in load().of_dimension("Purpose")}
    assert first_open_dimension(draft(**purpose)) == "Scope"
    assert first_open_dimension(draft(**{question.id: UNKNOWN for question in questions})) is None


@pytest.mark.parametrize(
    ("answers", "followed"),
    [
        ({}, {}),
        ({"after_release": "hand_over"}, {"live_service": "none"}),
        ({"after_release": "hand_over", "live_service": UNKNOWN}, {"live_service": "none"}),
        ({"after_release": "hand_over", "live_service": "extended"}, {}),
        ({"after_release": "fixes_only"}, {}),
    ],
)
def test_an_answer_made_moot_follows_from_another_unless_it_was_given(
    answers: dict[str, str], followed: dict[str, str]
) -> None:
    assert inferred(draft(**answers)) == followed


def test_the_current_consent_text_has_words() -> None:
    assert CONSENT_TEXTS[CONSENT_TEXT].endswith(".")


async def test_a_draft_is_found_as_it_was_kept(connect: Connect) -> None:
    database = await connect("intake")
    begun = begin(uuid7(), NOW)
    async with database.transaction() as connection:
        await drafts.add(connection, begun)
        assert await drafts.find(connection, begun.id) == begun
        await drafts.keep(connection, begun.id, {"aim": Entry("steady_growth", 2), "headcount": Entry("1-10", 1)})
        await drafts.keep(connection, begun.id, {"aim": Entry("finish_and_stop", 1), "headcount": Entry("11-50", 2)})
        held = await drafts.lock(connection, begun.id)
    assert held is not None
    assert held.entries == {"aim": Entry("steady_growth", 2), "headcount": Entry("11-50", 2)}


async def test_a_draft_is_forgotten_with_all_that_was_typed(connect: Connect) -> None:
    database = await connect("intake")
    gone, stays = begin(uuid7(), NOW), begin(uuid7(), NOW)
    async with database.transaction() as connection:
        for begun in (gone, stays):
            await drafts.add(connection, begun)
            await drafts.keep(connection, begun.id, {"company_name": Entry("Nordwind", 1)})
        await drafts.forget(connection, gone.id)
        assert await drafts.find(connection, gone.id) is None
        assert await connection.fetchval("select array_agg(draft_id) from draft_entry") == [stays.id]


async def test_only_what_was_never_sent_in_time_is_dropped(connect: Connect) -> None:
    database = await connect("intake")
    old, sent, fresh = begin(uuid7(), NOW - KEPT), begin(uuid7(), NOW - KEPT), begin(uuid7(), NOW)
    async with database.transaction() as connection:
        for begun in (old, sent, fresh):
            await drafts.add(connection, begun)
            await drafts.keep(connection, begun.id, {"company_name": Entry("Nordwind", 1)})
        await drafts.mark_sent(connection, sent.id, NOW - KEPT)
        assert await drafts.drop_expired(connection, NOW + timedelta(seconds=1)) == 1
        assert await drafts.find(connection, old.id) is None
        left = await drafts.find(connection, sent.id)
        assert left is not None
        assert left.sent_at == NOW - KEPT
        assert await drafts.find(connection, fresh.id) is not None
