"""Past cases that are like one."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from services.recommendation.domain.similar import NEAREST, fingerprint, nearest
from shared.contracts.intake import IntakeErased
from shared.postgres import Database
from shared.questionnaire import UNKNOWN
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NORDWIND, NOW, QUESTIONNAIRE, completed, hear
from tests.recommendation.test_release import released
from tests.recommendation.test_reviews_pages import read

ALL = {question.id: SAAS_SCALE_UP.get(question.id, UNKNOWN) for question in QUESTIONNAIRE.questions}
QUESTIONS = sorted(ALL)
KEY = [question.id for question in QUESTIONNAIRE.questions if question.key_question]
PLAIN = [question for question in QUESTIONS if question not in KEY and ALL[question] != UNKNOWN]


def print_of(levels: dict[str, str], headcount: str = NORDWIND.headcount) -> bytes:
    return fingerprint(levels, NORDWIND.model_copy(update={"headcount": headcount}))


def ranked(*others: bytes) -> list[tuple[int, int, int]]:
    ids = [UUID(int=place) for place in range(len(others))]
    found = nearest(
        ALL,
        QUESTIONNAIRE,
        print_of(ALL),
        b"".join(one.bytes + own for one, own in zip(ids, others, strict=True)),
    )
    return [(ids.index(one.intake_id), one.same, one.same_size + one.same_industry) for one in found]


def test_the_nearest_come_first_and_key_questions_size_and_industry_count_double() -> None:
    given = sum(level != UNKNOWN for level in ALL.values())
    one_plain, one_key = (print_of(ALL | {question: "other"}) for question in (PLAIN[0], KEY[0]))
    two_plain = print_of(ALL | {PLAIN[0]: "other", PLAIN[1]: "other"})
    other_size = print_of(ALL, headcount="1-10")
    assert ranked(one_key, print_of(ALL), one_plain) == [(1, given, 2), (2, given - 1, 2), (0, given - 1, 2)]
    assert {place for place, *_ in ranked(two_plain, other_size)[:2]} == {0, 1}, "size weighs as much as two questions"
    assert ranked(other_size)[0] == (0, given, 1)


def test_of_equals_the_latest_comes_first_and_only_a_few_are_named() -> None:
    found = ranked(*[print_of(ALL)] * (NEAREST + 3))
    assert [place for place, *_ in found] == list(range(NEAREST + 2, 2, -1))


@given(st.sets(st.sampled_from(QUESTIONS)))
def test_what_is_not_known_here_counts_for_nothing(unknown: set[str]) -> None:
    levels = {question: UNKNOWN if question in unknown else "a" for question in QUESTIONS}
    other = uuid7().bytes + print_of(levels)
    (found,) = nearest(levels, QUESTIONNAIRE, print_of(levels), other)
    assert found.given == found.same == len(QUESTIONS) - len(unknown)


def test_with_no_other_case_there_is_none() -> None:
    assert nearest(ALL, QUESTIONNAIRE, print_of(ALL), b"") == []


async def decided(database: Database, sign_in: SignIn, name: str, levels: dict[str, str]) -> UUID:
    event = completed(levels, company=NORDWIND.model_copy(update={"name": name}))
    await hear(database, event)
    await sign_in("account_manager").post(f"/reviews/{event.intake_id}/approve", data={"version": 1})
    return event.intake_id


async def test_a_case_shows_decided_cases_like_it_until_they_are_erased(database: Database, sign_in: SignIn) -> None:
    client, event = sign_in("sales"), completed(SAAS_SCALE_UP)
    await hear(database, event, completed(SAAS_SCALE_UP, company=NORDWIND.model_copy(update={"name": "Undecided"})))
    page = await read(client, f"/reviews/{event.intake_id}")
    assert "None was decided yet" in page
    far = await decided(database, sign_in, "Far away", DEADLINE_MIGRATION)
    near = await decided(database, sign_in, "Next door", SAAS_SCALE_UP | {"start": UNKNOWN})
    page = await read(client, f"/reviews/{event.intake_id}")
    assert page.index("Next door") < page.index("Far away")
    given = sum(level != UNKNOWN for level in QUESTIONNAIRE.completed(SAAS_SCALE_UP).values())
    assert f"{given - 1} of {given} answers are the same Dedicated team Dedicated team" in page
    anna, signed = sign_in("account_manager"), {"outcome": "signed", "model_used": "hybrid"}
    await released(anna, near)
    assert (await anna.post(f"/reviews/{near}/outcome", data=signed)).status_code == 303
    page = await read(client, f"/reviews/{event.intake_id}")
    assert "It was signed: team and project together" in page
    assert "Undecided" not in page.split("Past cases like this one")[1]
    await hear(database, *(IntakeErased(intake_id=one, version=2, time=NOW) for one in (far, near)))
    assert "None was decided yet" in await read(client, f"/reviews/{event.intake_id}")


def test_levels_of_one_question_never_share_a_fingerprint() -> None:
    for question in QUESTIONNAIRE.questions:
        prints = {print_of(ALL | {question.id: level}) for level in (*(one.key for one in question.levels), UNKNOWN)}
        assert len(prints) == len(question.levels) + 1, question.id


def test_the_questionnaire_has_questions_of_both_weights() -> None:
    assert KEY
    assert PLAIN
