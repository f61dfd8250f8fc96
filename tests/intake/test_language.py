import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from services.intake import events, handlers
from services.intake.app import service
from services.intake.domain.mail import Kind, State
from services.intake.handlers.messages import compose
from services.intake.store import drafts, intakes, mail
from shared import language
from shared.contracts.intake import IntakeSubmitted
from shared.pages.formats import countries
from shared.postgres import Database
from shared.questionnaire import UNKNOWN
from shared.service import Settings, build
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP, START_UP_MVP
from tests.catalogues import write_catalogue
from tests.intake.prospect import NORDWIND, begun, fill, form_on, id_of, save, score, send, sent
from tests.intake.test_mail import INES, message, said
from tests.intake.test_mail_pages import released

TEMPLATES = Path("services/intake/web/templates/questionnaire")
SPOKEN = re.compile(r"alt|aria-label|placeholder|title|data-(ready|saved|failed|refused|changed)")
UNSPOKEN = ("script", "style", "time")
# What people typed and what the formats of the language write; no catalogue holds it.
NO_TEXTS = re.compile(
    r"Nordwind Energie|Südwind|Mara Lind|(mara|ines)@nordwind\.example|http://testserver/q/\S+|Germanujo"
)


@dataclass
class Said(HTMLParser):
    """What a page says, shows in an attribute, or hands to its script."""

    texts: list[str] = field(default_factory=list)
    silent: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in UNSPOKEN
        if tag not in UNSPOKEN:
            self.texts += [value or "" for name, value in attrs if SPOKEN.fullmatch(name)]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in UNSPOKEN

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.texts.append(data)


def untranslated(page: Response) -> set[str]:
    """The texts of a page that hold words outside of «»."""
    said = Said()
    said.feed(page.text)
    known = {name for _, name in countries(language.language("eo"))}
    found = set()
    for text in " ".join(said.texts).splitlines():
        bare = text
        while (shorter := re.sub(r"«[^«»]*»", "", bare)) != bare:
            bare = shorter
        if re.search(r"[^\W\d_]", NO_TEXTS.sub("", bare)) and bare.strip() not in known:
            found.add(text.strip())
    return found


@pytest.fixture
async def app(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    write_catalogue(tmp_path, "eo")
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def pages(app: FastAPI) -> list[Response]:
    """Every page that the client has seen."""
    return []


@pytest.fixture
async def client(app: FastAPI, pages: list[Response]) -> AsyncIterator[AsyncClient]:
    async def keep(response: Response) -> None:
        await response.aread()
        if response.headers.get("content-type", "").startswith("text/html"):
            pages.append(response)

    async with AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://testserver",
        headers={"accept-language": "eo, en;q=0.5"},
        event_hooks={"response": [keep]},
    ) as client:
        yield client


async def test_every_text_of_a_prospects_pages_comes_from_the_catalogue(
    client: AsyncClient, pages: list[Response], app: FastAPI
) -> None:
    database: Database = app.state.database
    await client.get("/")
    await answer_with_mistakes(client)
    for answers in (SAAS_SCALE_UP, DEADLINE_MIGRATION, START_UP_MVP, {}, UNFIT, SETTLED):
        draft = await sent(client, answers)
        await client.get(f"{draft}/review")
        await client.get(f"{draft}/status")
        await score(database, id_of(draft))
        await client.get(f"{draft}/status?seen=waiting")
    for number, place in enumerate(("data", "data", "withdraw", "erase")):
        await client.get(f"{draft}/{place}")
        async with database.connection() as connection:
            note = "insert into note (intake_id, author, text, at) values ($1, $1, $2, now())"
            await connection.execute(note, id_of(draft), f"note {number}")
    await client.get(f"{draft}/data")
    await client.post(f"{await sent(client, {})}/erase")
    async with database.connection() as connection:
        stopped = await begun(client)
        await client.post(f"{stopped}/later", data={"contact_email": "ines@nordwind.example"})
        for state in get_args(State):
            await connection.execute(
                "update mail set state = $1, sent_at = case when $1 = 'sent' then now() end", state
            )
            await client.get(f"{stopped}/later")
            await client.get(f"{stopped}/data")
        for state in ("in_review", "returned", "released"):
            await connection.execute("update intake set state = $1", state)
            await client.get(f"{draft}/status")
        await connection.execute("update revision set submitted_at = now() - interval '9 days'")
        await connection.execute("insert into staff values ($1, 1, 'Mara Lind', '{sales}', true)", id_of(draft))
        await connection.execute("update intake set owner = $1 where id = $1", id_of(draft))
        await client.get(f"{draft}/status")
        await events.on_released(connection, released(draft))
        for state in ("released", "accepted", "declined", "expired"):
            await connection.execute("update intake set state = $1", state)
            await client.get(f"{draft}/data")
            await client.get(f"{draft}/status?seen=result-")
        await connection.execute(
            "update intake set assessment = null, ask_again_at = now(), asked_again = $1", intakes.MOST_ASKS
        )
        await client.get(f"{draft}/status")
        await handlers.withdraw(connection, id_of(draft))
        await client.get(f"{draft}/status")
        await client.post(f"{draft}/purpose", data={"go": "next"})
        await drafts.forget(connection, id_of(draft))
        await client.get(f"{draft}/status")
        await connection.execute("update draft set sent_at = null, expires_at = now() - interval '1 day'")
    await client.get(f"{await begun(client)}/nowhere")
    await client.get("/q/nobody/company")
    assert {text: str(page.url) for page in pages for text in untranslated(page)} == {}
    assert {found for page in pages for found in re.findall('<html lang="([^"]+)"', page.text)} == {"eo"}
    assert service.pages is not None
    compiled = service.pages.environment(language.language("eo")).cache
    assert compiled is not None
    assert {f"questionnaire/{path.name}" for path in TEMPLATES.glob("*.html")} <= {name for _, name in compiled}


SETTLED = SAAS_SCALE_UP | {"start": UNKNOWN, "regulation": UNKNOWN}
UNFIT = SAAS_SCALE_UP | {"requirements": "written", "horizon": "under_3_months", "funding": "fixed_sum"}


async def answer_with_mistakes(client: AsyncClient) -> None:
    """Leave out, mistype, and answer in two windows at once."""
    draft = await begun(client)
    empty = form_on(await client.get(f"{draft}/company"))
    await client.post(f"{draft}/company", data=empty)
    await client.post(
        f"{draft}/company", data=empty | NORDWIND | {"contact_email": "nobody", "company_name": "x" * 201}
    )
    await client.post(f"{draft}/company", data=empty | NORDWIND | {"industry": "none", "contact_name": "\x07"})
    await client.post(f"{draft}/company", data=form_on(await client.get(f"{draft}/company")) | NORDWIND)
    await client.post(f"{draft}/company", data=empty | NORDWIND | {"company_name": "Südwind", "country": "SE"})
    stale = form_on(await client.get(f"{draft}/purpose"))
    await save(client, draft, "deadline", "firm")
    await client.post(f"{draft}/purpose", data=stale | {"deadline": "wished"})
    await client.get(f"{draft}/purpose?from=review")
    await client.post(f"{draft}/purpose", data={"unheard": "of"})
    await client.post(f"{draft}/purpose", content=b"\xff")
    await client.get(f"{draft}/review")
    await client.post(f"{draft}/review", data={})
    for place in ("data", "withdraw", "erase"):
        await client.get(f"{draft}/{place}")
    for address in ("nobody", *["mara@nordwind.example"] * 6):
        await client.post(f"{draft}/later", data={"contact_email": address}, follow_redirects=True)


async def test_a_draft_keeps_the_language_it_began_in_and_is_sent_with_it(client: AsyncClient, app: FastAPI) -> None:
    draft = await begun(client)
    client.headers["accept-language"] = "en"
    assert '<html lang="en" dir="ltr">' in (await client.get("/")).text
    assert '<html lang="eo" dir="ltr">' in (await client.get(f"{draft}/company")).text
    await fill(client, draft, NORDWIND)
    database: Database = app.state.database
    async with database.connection() as connection:
        reader = await mail.addressee(connection, id_of(draft))
        assert reader is not None
        assert reader.language == "eo"
        await send(client, draft)
        assert await mail.addressee(connection, id_of(draft)) == replace(reader, state="submitted")
        payload = await connection.fetchval("select payload from fact where key = $1", id_of(draft))
    assert IntakeSubmitted.model_validate_json(payload).submission.language == "eo"


async def test_a_message_is_written_in_its_readers_language(app: FastAPI) -> None:
    for kind in get_args(Kind):
        written = compose(message(kind), replace(INES, language="eo"), app.state.settings)
        paragraphs = [written["Subject"], *said(written).split("\n\n")]
        assert [text for text in paragraphs if not re.search(r"«.*»|http://", text, re.DOTALL)] == [], kind
