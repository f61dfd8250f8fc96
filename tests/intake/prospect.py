"""A prospect for tests: what a browser without scripts would post, from the first page to the result."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from uuid import UUID

from httpx2 import AsyncClient, Response

from services.assessment.domain.rubric import parse
from services.assessment.domain.scoring import assess
from services.intake import events
from shared.access import link_id
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeSubmitted
from shared.postgres import Database
from shared.questionnaire import load

SECRET = "a secret for tests, long enough to be taken"
NORDWIND = {
    "company_name": "Nordwind Energie",
    "headcount": "51-250",
    "industry": "energy",
    "country": "DE",
    "contact_name": "Mara Lind",
    "contact_email": "mara@nordwind.example",
}


@dataclass
class Form(HTMLParser):
    """What a browser would post for the form on a page."""

    fields: dict[str, str] = field(default_factory=dict)
    selecting: str = ""
    writing: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input" and (found["type"] not in ("radio", "checkbox") or "checked" in found):
            self.fields[found["name"]] = found["value"]
        elif tag == "textarea":
            self.writing = found["name"]
            self.fields[self.writing] = ""
        elif tag == "select":
            self.selecting = found["name"]
            self.fields[self.selecting] = ""
        elif tag == "option" and "selected" in found:
            self.fields[self.selecting] = found["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.writing = ""

    def handle_data(self, data: str) -> None:
        if self.writing:
            self.fields[self.writing] += data


def form_on(page: Response) -> dict[str, str]:
    """The names and values that a page's form would post as it stands."""
    form = Form()
    form.feed(page.text)
    return form.fields


def text_of(page: Response) -> str:
    """What a page says, without its markup."""
    main = page.text[page.text.index("<main") : page.text.index("</main>")]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


async def begun(client: AsyncClient) -> str:
    """The address of a fresh draft, up to its step."""
    answer = await client.post("/q/")
    assert answer.status_code == 303
    return str(answer.headers["location"]).removesuffix("/company")


async def fill(client: AsyncClient, draft: str, values: dict[str, str]) -> None:
    """Answer page by page, the way a browser without scripts does."""
    at = f"{draft}/company"
    while not at.endswith("/review"):
        form = form_on(await client.get(at))
        asked = {name.removeprefix("seq.") for name in form if name.startswith("seq.")}
        answer = await client.post(at, data=form | {name: values[name] for name in asked & values.keys()})
        assert answer.status_code == 303, text_of(answer)
        at = answer.headers["location"]


async def save(client: AsyncClient, draft: str, field: str, value: str, seq: int = 1) -> Response:
    return await client.post(f"{draft}/answers", json={"field": field, "value": value, "seq": seq})


async def send(client: AsyncClient, draft: str) -> Response:
    return await client.post(f"{draft}/review", data={"consent": "yes"})


def id_of(draft: str) -> UUID:
    """The draft's id, and later the intake's."""
    found = link_id(SECRET, "draft", draft.removeprefix("/q/"))
    assert found is not None
    return found


async def score(database: Database, intake_id: UUID) -> None:
    """Let the assessment of what was sent arrive."""
    async with database.transaction() as connection:
        payload = await connection.fetchval("select payload from fact where key = $1", intake_id)
        submission = IntakeSubmitted.model_validate_json(payload).submission
        questionnaire = load(submission.questionnaire)
        rubric = parse(
            (files("services.assessment") / "rubrics" / f"{submission.questionnaire}.yaml").read_text(), questionnaire
        )
        completed = AssessmentCompleted(
            intake_id=intake_id,
            version=1,
            time=datetime.now(UTC),
            submission=submission,
            assessment=assess(submission.answers, rubric, questionnaire),
            completed_at=datetime.now(UTC),
        )
        await events.on_completed(connection, [completed])


async def sent(client: AsyncClient, answers: dict[str, str]) -> str:
    """The address of a draft that was filled in and sent."""
    draft = await begun(client)
    await fill(client, draft, NORDWIND | answers)
    await send(client, draft)
    return draft
