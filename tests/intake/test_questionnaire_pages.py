import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import escape
from itertools import pairwise, product
from uuid import UUID, uuid4

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.intake.domain.drafts import MISSING
from shared.access import link_token
from shared.postgres import Database
from shared.questionnaire import UNKNOWN, load
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.intake.prospect import NORDWIND, SECRET, begun, fill, form_on, id_of, save, send, sent, text_of

CATALOGUE = load()

History = Callable[[UUID], Awaitable[list[tuple[str, int]]]]


@pytest.fixture
async def history(app: FastAPI, database_url: str) -> AsyncIterator[History]:
    """Every value and seq that a draft's fields ever held, in the order of writing."""
    owner = await asyncpg.connect(database_url, server_settings={"search_path": "intake"})
    await owner.execute("""
        create table written (at serial, draft_id uuid, value text, seq int);
        create function note() returns trigger security definer set search_path = intake language plpgsql as $$ begin
            insert into written (draft_id, value, seq) values (new.draft_id, new.value, new.seq); return new;
        end $$;
        create trigger note after insert or update on draft_entry for each row execute function note();
    """)

    async def of(draft_id: UUID) -> list[tuple[str, int]]:
        rows = await owner.fetch("select value, seq from written where draft_id = $1 order by at", draft_id)
        return [(row["value"], row["seq"]) for row in rows]

    yield of
    await owner.close()


async def test_the_front_page_begins_a_draft_under_an_address_of_its_own(client: AsyncClient) -> None:
    page = await client.get("/")
    assert "26 questions" in page.text
    assert '<form method="post" action="/q/">' in page.text
    first, second = await begun(client), await begun(client)
    assert first != second
    page = await client.get(f"{first}/company")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in page.headers


async def test_every_question_is_asked_once_with_its_reason_its_levels_and_not_knowing(client: AsyncClient) -> None:
    draft = await begun(client)
    asked = []
    for dimension in CATALOGUE.dimensions:
        page = await client.get(f"{draft}/{dimension.key.lower()}")
        for question in CATALOGUE.of_dimension(dimension.key):
            asked.append(question.id)
            keys = re.findall(rf'type="radio"[^>]*name="{question.id}" value="(\w+)"', page.text)
            assert keys == [*(level.key for level in question.levels), UNKNOWN]
            assert question.why in text_of(page)
    assert asked == [question.id for question in CATALOGUE.questions]


async def test_refreshing_and_going_back_show_what_was_saved(client: AsyncClient) -> None:
    draft = await begun(client)
    await fill(client, draft, NORDWIND | SAAS_SCALE_UP)
    for slug in ("company", "purpose", "scope", "accountability", "structure"):
        form = form_on(await client.get(f"{draft}/{slug}"))
        values = {name: value for name, value in form.items() if not name.startswith("seq.")}
        assert values.items() <= (NORDWIND | SAAS_SCALE_UP).items()
        assert values.keys() == {name.removeprefix("seq.") for name in form if name.startswith("seq.")}


async def test_a_button_says_where_it_leads_and_every_one_of_them_saves(client: AsyncClient) -> None:
    for slug, go, place in (
        ("purpose", "next", "scope"),
        ("purpose", "back", "company"),
        ("purpose", "review", "review"),
        ("structure", "next", "review"),
    ):
        draft = await begun(client)
        question = CATALOGUE.of_dimension(slug.capitalize())[0]
        form = form_on(await client.get(f"{draft}/{slug}"))
        answer = await client.post(f"{draft}/{slug}", data=form | {question.id: UNKNOWN, "go": go})
        assert answer.headers["location"] == f"{draft}/{place}"
        assert form_on(await client.get(f"{draft}/{slug}"))[question.id] == UNKNOWN


async def test_the_bare_address_goes_on_where_it_was_left(client: AsyncClient) -> None:
    draft = await begun(client)
    places = [(await client.get(draft)).headers["location"]]
    for answers in (NORDWIND, dict.fromkeys((q.id for q in CATALOGUE.of_dimension("Purpose")), UNKNOWN), SAAS_SCALE_UP):
        for name, value in answers.items():
            await save(client, draft, name, value)
        places.append((await client.get(draft)).headers["location"])
    await send(client, draft)
    places.append((await client.get(draft)).headers["location"])
    assert places == [f"{draft}/{step}" for step in ("company", "purpose", "scope", "review", "status")]


async def test_a_saved_answer_stands_until_a_higher_seq_comes(client: AsyncClient) -> None:
    draft = await begun(client)
    steps = [
        ("firm", 2, {"value": "firm", "seq": 2, "taken": True}),
        ("wished", 1, {"value": "firm", "seq": 2, "taken": False}),
        ("none", 2, {"value": "firm", "seq": 2, "taken": False}),
        ("none", 3, {"value": "none", "seq": 3, "taken": True}),
    ]
    for value, seq, reply in steps:
        assert (await save(client, draft, "deadline", value, seq)).json() == reply


async def test_a_stale_form_offers_both_answers_and_keeps_what_was_not_disputed(client: AsyncClient) -> None:
    draft = await begun(client)
    stale = form_on(await client.get(f"{draft}/purpose"))
    await save(client, draft, "deadline", "firm")
    page = await client.post(f"{draft}/purpose", data=stale | {"deadline": "wished", "aim": "steady_growth"})
    assert page.status_code == 409
    assert "On this page: There is a date that we would like" in text_of(page)
    assert "In another window: A firm date, with a little room" in text_of(page)
    offered = form_on(page)
    assert (offered["deadline"], offered["seq.deadline"]) == ("wished", "1")
    assert offered["aim"] == "steady_growth"
    assert form_on(await client.get(f"{draft}/purpose"))["deadline"] == "firm"
    chosen = await client.post(f"{draft}/purpose", data=offered)
    assert chosen.headers["location"] == f"{draft}/scope"
    assert form_on(await client.get(f"{draft}/purpose"))["deadline"] == "wished"


async def test_two_windows_that_name_the_company_differently_are_asked_which_name_stands(client: AsyncClient) -> None:
    draft = await begun(client)
    first, second = [form_on(await client.get(f"{draft}/company")) for _ in range(2)]
    await client.post(f"{draft}/company", data=first | NORDWIND)
    page = await client.post(f"{draft}/company", data=second | NORDWIND | {"company_name": "Südwind"})
    assert page.status_code == 409
    assert "In another window: Nordwind Energie" in text_of(page)
    answer = await client.post(f"{draft}/company", data=form_on(page) | {"company_name": "Nordwind Energie"})
    assert answer.headers["location"] == f"{draft}/purpose"


VALUES = st.sampled_from([level.key for level in CATALOGUE.question("deadline").levels])
SEQS = st.integers(0, 4)


@examples(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    saves=st.lists(st.tuples(VALUES, SEQS.map(lambda seq: seq + 1)), max_size=5),
    forms=st.lists(st.tuples(VALUES, SEQS), max_size=5),
)
async def test_of_concurrent_writers_the_highest_seq_stands_and_no_form_replaces_what_it_has_not_seen(
    client: AsyncClient, history: History, saves: list[tuple[str, int]], forms: list[tuple[str, int]]
) -> None:
    draft = await begun(client)
    answers = await asyncio.gather(
        *(save(client, draft, "deadline", value, seq) for value, seq in saves),
        *(client.post(f"{draft}/purpose", data={"deadline": value, "seq.deadline": seen}) for value, seen in forms),
    )
    written = await history(id_of(draft))
    seqs = [seq for _, seq in written]
    assert seqs == sorted(set(seqs))
    assert max([0, *seqs]) >= max([0, *(seq for _, seq in saves)])
    for (_, before), (value, seq) in pairwise([("", 0), *written]):
        assert (value, seq) in saves or (seq == before + 1 and (value, before) in forms)
    stood = {value for value, _ in written}
    for (value, _), answer in zip(forms, answers[len(saves) :], strict=True):
        assert answer.status_code == 409 or value in stood
    last = form_on(await client.get(f"{draft}/purpose")).get("deadline", "")
    assert (last, len(written)) == (written[-1][0] if written else "", len(written))


async def test_an_incomplete_company_page_says_what_to_do_and_keeps_what_was_typed(client: AsyncClient) -> None:
    draft = await begun(client)
    form = form_on(await client.get(f"{draft}/company"))
    page = await client.post(f"{draft}/company", data=form | {"company_name": "Nordwind", "contact_email": "mara@"})
    assert page.status_code == 422
    for name, ask in (MISSING | {"contact_email": "Give an e-mail address such as name@company.com."}).items():
        is_given = name == "company_name"
        assert (f'<a href="#{name}">{escape(ask)}</a>' in page.text) is not is_given
        assert (f'id="{name}-error"' in page.text) is not is_given
    assert form_on(page)["contact_email"] == "mara@"
    again = form_on(await client.get(f"{draft}/company"))
    assert (again["company_name"], again["contact_email"]) == ("Nordwind", "mara@")


async def test_text_that_cannot_be_kept_stays_on_the_page_with_what_to_do(client: AsyncClient) -> None:
    for name in ("N" * 201, "Nord\x00wind", "Nord\x1bwind"):
        draft = await begun(client)
        form = form_on(await client.get(f"{draft}/company"))
        page = await client.post(f"{draft}/company", data=form | NORDWIND | {"company_name": name})
        assert page.status_code == 422
        assert 'id="company_name-error"' in page.text
        assert form_on(page)["company_name"] == name
        kept = form_on(await client.get(f"{draft}/company"))
        assert (kept["company_name"], kept["contact_name"]) == ("", "Mara Lind")


FORMS_OF_NO_PAGE = [
    {"deadline": "yesterday", "seq.deadline": "0"},
    {"deadlines": "firm"},
    {"company_name": "Nordwind", "seq.company_name": "0"},
    {"deadline": "firm"},
    {"deadline": "firm", "seq.deadline": "x"},
    {"deadline": "firm", "seq.deadline": "9" * 5000},
]


async def test_a_form_that_no_page_sends_changes_nothing(client: AsyncClient) -> None:
    draft = await begun(client)
    for form in FORMS_OF_NO_PAGE:
        page = await client.post(f"{draft}/purpose", data=form)
        assert page.status_code == 422, form
        assert "nvalid" not in text_of(page)
        assert "deadline" not in form_on(await client.get(f"{draft}/purpose"))


SAVES_OF_NO_PAGE = [
    (b'{"field": "deadline", "value": "yesterday", "seq": 1}', 422),
    (b'{"field": "deadlines", "value": "firm", "seq": 1}', 422),
    (b'{"field": "deadline", "value": "\\ud800", "seq": 1}', 400),
    (b'{"field": "contact_name", "value": "\\u0000", "seq": 1}', 422),
    (b'{"field": "deadline", "value": "firm", "seq": 0}', 422),
    (b'{"field": "deadline", "value": "firm", "seq": 2147483648}', 422),
    (b'{"field": "deadline", "value": "firm", "seq": "1"}', 422),
    (b'{"field": "deadline", "value": "firm", "seq": 1, "and": 2}', 422),
    (b'{"field": "deadline", "value": "firm", "seq": 1, "seq": 2}', 400),
    (b'{"field": "company_name", "value": "' + b"x" * 300_000 + b'", "seq": 1}', 413),
]


async def test_a_save_that_no_page_sends_changes_nothing(client: AsyncClient, database: Database) -> None:
    draft = await begun(client)
    for body, status in SAVES_OF_NO_PAGE:
        assert (await client.post(f"{draft}/answers", content=body)).status_code == status, body[:100]
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from draft_entry") == 0


async def test_a_form_that_cannot_be_read_is_refused_in_words(client: AsyncClient) -> None:
    draft = await begun(client)
    for body in (b"\xff=1", b"aim=%FF", b"a=1&" * 300):
        page = await client.post(f"{draft}/purpose", content=body)
        assert page.status_code == 400
        assert "Load the page again" in text_of(page)


FOREIGN_TOKENS = [
    "x",
    "%C3%A9",
    "A" * 43,
    link_token(SECRET, "document", uuid4()),
    link_token("another secret", "draft", uuid4()),
]


async def test_an_address_that_was_not_made_here_opens_nothing(client: AsyncClient) -> None:
    for token, place in product(FOREIGN_TOKENS, ("", "/company", "/status", "/review")):
        page = await client.get(f"/q/{token}{place}")
        assert page.status_code == 404
        assert "This address opens no questionnaire" in text_of(page)


async def test_a_step_that_does_not_exist_is_nowhere(client: AsyncClient) -> None:
    draft = await begun(client)
    for path in (f"{draft}/luck", f"{draft}/answers"):
        assert (await client.get(path)).status_code == 404


async def test_a_log_line_holds_neither_the_address_nor_what_was_typed(client: AsyncClient) -> None:
    with capture_logs() as lines:
        draft = await sent(client, SAAS_SCALE_UP)
        await client.get(f"{draft}/luck")
    assert {line["route"] for line in lines} >= {"/q/{token}/{slug}", "/q/{token}/review"}
    told = json.dumps(lines, default=str)
    assert draft.removeprefix("/q/") not in told
    assert "ordwind" not in told


async def test_a_prospects_pages_with_all_they_load_take_at_most_100_kilobytes(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    for path in ("/", f"{await begun(client)}/company", f"{await begun(client)}/scope", f"{draft}/status"):
        page = (await client.get(path)).text
        style = (await client.get(re.findall(r'"(/static/advisor[^"]+)"', page)[0])).text
        loaded = set(re.findall(r'(?:href|src)="(/(?:q/)?static/[^"]+)"', page))
        loaded |= {f"/static/{name}" for name in re.findall(r'url\("([^"]+)"\)', style)}
        assert ("/q/static/drafts.js" in page) is (draft not in path and path != "/")
        contents = [(await client.get(address)).content for address in loaded]
        assert len(gzip.compress(page.encode())) + sum(len(gzip.compress(content)) for content in contents) <= 100_000
