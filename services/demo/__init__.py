"""Example companies, sent in and partly reviewed through the public API like anybody's."""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Literal
from unicodedata import normalize
from uuid import UUID, uuid5

import httpx2
import yaml
from pydantic import BaseModel, ConfigDict

from services.running import CannotRun
from shared import access
from shared.access import Principal
from shared.contracts.intake import Headcount, Industry
from shared.service import Settings

SENDER = UUID("0d8c2a1e-6a53-4a0b-8a36-3f7d2b9e4c11")
ANSWER_SECONDS = 30
POLL_SECONDS = 0.2

SENDS = "Example data"
ANNA, BORIS = "Anna Berg", "Boris Vidal"

OVERRIDE = {
    "decision": "override",
    "model": "dedicated_team",
    "commercial_form": "retainer",
    "reason_code": "known_client",
    "note": "They come back every month with small wishes; a retainer fits what they really do.",
}
QUESTION = "Can the first two people start before the end of January?"
APPROVAL = {"decision": "approve"}
CONFIRMATION = {"decision": "confirm"}
SECOND_THOUGHTS = {"note": "They called: the board wants to see both ways first."}
INVITED: tuple[dict[str, Any], ...] = (
    {
        "company": {"name": "Harbour Lane Dental", "headcount": "11-50", "industry": "health", "country": "IE"},
        "contact": {"name": "Aoife Brennan", "email": "a.brennan@harbourlane.example"},
        "answers": {"aim": "first_version_then_improve", "operator": "partner_alone"},
        "campaign": {"source": "trade-fair", "medium": "flyer", "campaign": "autumn-2026"},
        "send": True,
    },
    {
        "company": {"name": "Okapi Freight", "headcount": "251-1000", "industry": "transport", "country": "BE"},
        "contact": {"name": "Joris Claes", "email": "j.claes@okapi.example"},
        "campaign": {"source": "newsletter", "medium": "e-mail", "campaign": "spring-2027"},
        "send": True,
    },
)
OPENED = "Okapi Freight"
CALL = "Tidewater Museums"
TAKEN_DOWN = {
    "headcount": "51-250",
    "industry": "arts_and_recreation",
    "aim": "first_version_then_decide",
    "deadline": "firm",
    "note.deadline": "The new hall opens in May; the board has promised it.",
    "requirements": "outline",
    "funding": "unknown",
    "change_rate": "monthly",
    "how.change_rate": "inferred",
    "notes": "Friendly. Wants to hear of a museum we have worked for.",
}
REPLY = "Two of the three can, from the second week of January; the third follows in February."
ZONE = "Europe/Vienna"
WORKING_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
HOURS = {
    "zone": ZONE,
    "place": "We telephone you at the number that you give.",
    **dict.fromkeys(WORKING_DAYS, "09:00-12:00, 14:00-17:00"),
}
OUTCOME = {"outcome": "signed", "model_used": "hybrid", "note": "The same, with two months' notice instead of one."}
RISK = {
    "risk": "The only person who knows the old system retires",
    "sign": "Nobody else answers questions about it by the end of the first month.",
    "owner": "sponsor",
    "response": "Two days a week with our lead until it is written down.",
    "level": "high",
}
RETURN = {"decision": "return", "note": "Who sets priorities on their side between the releases?"}


class DemoCompany(BaseModel):
    """A made-up company, its answers, and what an account manager does with its proposal.

    `sign` takes two of them; after `ask`, `call` and `sell` the document is out, and the client has asked something,
    booked a call, or accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    headcount: Headcount
    industry: Industry
    country: str
    contact: str
    story: str
    then: Literal["approve", "override", "sign", "undo", "return", "claim", "ask", "call", "sell"] | None = None
    by: str = ANNA
    answers: dict[str, str]

    @property
    def key(self) -> str:
        """The same on every run, so that filling twice adds nothing."""
        return str(uuid5(SENDER, self.name))

    def submission(self) -> dict[str, Any]:
        """The request's body."""
        first, *_, last = map(_plain, self.contact.split())
        return {
            "company": self.model_dump(include={"name", "headcount", "industry", "country"}),
            "contact": {"name": self.contact, "email": f"{first[0]}.{last}@{_plain(self.name)}.example"},
            "answers": self.answers,
            "consent": True,
        }


def _plain(name: str) -> str:
    """A name as it stands in an address of mail."""
    return "".join(letter for letter in normalize("NFKD", name.lower()) if letter.isascii() and letter.isalnum())


def companies() -> list[DemoCompany]:
    """The packaged examples."""
    source = (files(__name__) / "companies.yaml").read_text(encoding="utf-8")
    return [DemoCompany.model_validate(content) for content in yaml.safe_load(source)["companies"]]


async def fill(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Send every example in, wait for its proposal, and review some; raises CannotRun when nothing answers."""
    try:
        async with (
            _client(settings, SENDS) as sender,
            _client(settings, ANNA) as anna,
            _client(settings, BORIS) as boris,
        ):
            for company in companies():
                intake_id = await _submitted(sender, company)
                proposal = await _proposal(sender, intake_id)
                if company.then is not None and proposal["state"] == "proposed":
                    first, second = (anna, boris) if company.by == ANNA else (boris, anna)
                    await _review(first, second, intake_id, proposal, company)
                say(f"{company.name}: {proposal['model'].replace('_', ' ')}")
            await _invite(anna)
            await _call(anna)
    except httpx2.TransportError as error:
        raise CannotRun(f"Nothing answers at {settings.public_url}. Start it with `advisor up`.") from error


async def _invite(client: httpx2.AsyncClient) -> None:
    for body in INVITED:
        name = body["company"]["name"]
        key = {"Idempotency-Key": str(uuid5(SENDER, name))}
        invited = _content(await client.post("/api/intake/invitations", json=body, headers=key))
        if name == OPENED:
            opened = await client.post(f"{invited['link']}/opened")
            if opened.is_error:
                raise CannotRun(f"The system refused to open an example's link ({opened.status_code}).")


async def _call(client: httpx2.AsyncClient) -> None:
    if CALL in (await client.get("/console/calls/")).text:
        return
    begun = await client.post("/console/calls/", data={"company_name": CALL})
    entries = {field: {"value": value, "seq": 1} for field, value in TAKEN_DOWN.items()}
    taken = await client.post(f"{begun.headers['location']}/answers", json={"entries": entries})
    if taken.is_error or taken.json()["refused"]:
        raise CannotRun(f"The system refused an example of a call ({taken.status_code}).")


def _client(settings: Settings, name: str) -> httpx2.AsyncClient:
    """A caller that is the same on every run, so that its keys are, too: a machine that sends, or a person."""
    if settings.signing_key is None:
        raise CannotRun("Examples are sent with a token of their own: set ADVISOR_SIGNING_KEY.")
    now = datetime.now(UTC)
    caller = SENDER if name == SENDS else uuid5(SENDER, name)
    session = SENDER if name == SENDS else uuid5(caller, name)
    principal = Principal(caller, session, name, ("account_manager",), version=1)
    token = access.sign(principal, settings.signing_key, issued=now, expires=now + timedelta(hours=1))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=settings.public_url, headers=headers, timeout=10)


async def _submitted(client: httpx2.AsyncClient, company: DemoCompany) -> str:
    answer = await client.post(
        "/api/intake/intakes", json=company.submission(), headers={"Idempotency-Key": company.key}
    )
    return str(_content(answer)["intake_id"])


async def _proposal(client: httpx2.AsyncClient, intake_id: str) -> dict[str, Any]:
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            answer = await client.get(f"/api/recommendation/intakes/{intake_id}")
            if answer.status_code != httpx2.codes.NOT_FOUND:
                return _content(answer)
            await asyncio.sleep(POLL_SECONDS)


async def _review(
    client: httpx2.AsyncClient,
    second: httpx2.AsyncClient,
    intake_id: str,
    proposal: dict[str, Any],
    company: DemoCompany,
) -> None:
    if company.then == "claim":
        await _posted(client, f"/reviews/{intake_id}/claim", {"version": proposal["version"]})
        await _posted(client, f"/reviews/{intake_id}/lines/risks", RISK | {"seen": proposal["version"] + 1})
        return
    address = f"/api/recommendation/intakes/{intake_id}"
    decision = {"override": OVERRIDE, "sign": OVERRIDE, "return": RETURN}.get(company.then or "", APPROVAL)
    decided = _content(await client.post(f"{address}/review", json={**decision, "version": proposal["version"]}))
    version = {"version": decided["version"]}
    match company.then:
        case "sign":
            _content(await second.post(f"{address}/signature", json=CONFIRMATION | version))
        case "undo":
            _content(await client.post(f"{address}/undo", json=SECOND_THOUGHTS | version))
        case "ask" | "call" | "sell":
            released = _content(await client.post(f"{address}/release", json=version))
            await _answer(client, intake_id, released["link"], company)


async def _answer(client: httpx2.AsyncClient, intake_id: str, link: str, company: DemoCompany) -> None:
    """What the client, who has no account, does with the document, and the account manager then."""
    async with httpx2.AsyncClient(timeout=10) as prospect:
        if company.then == "ask":
            asked = {"answer": "asked", "name": company.contact, "note": QUESTION}
            await _posted(prospect, f"{link}/answer", asked)
            await _posted(client, f"/reviews/{intake_id}/reply", {"reply": REPLY})
        elif company.then == "call":
            await _posted(client, "/reviews/calls/hours", HOURS)
            times = re.findall(r'name="starts_at" value="([^"]+)"', (await prospect.get(f"{link}/call")).text)
            booked = {"zone": ZONE, "starts_at": times[0], "name": company.contact, "note": "+43 720 000 000"}
            await _posted(prospect, f"{link}/call", booked)
        else:
            await _posted(prospect, f"{link}/answer", {"answer": "accepted", "name": company.contact})
            _content(await client.post(f"/api/recommendation/intakes/{intake_id}/outcome", json=OUTCOME))


async def _posted(client: httpx2.AsyncClient, address: str, form: Mapping[str, str]) -> None:
    answer = await client.post(address, data=form)
    if answer.is_error:
        raise CannotRun(f"The system refused what an example's people did ({answer.status_code}).")


def _content(answer: httpx2.Response) -> dict[str, Any]:
    content: dict[str, Any] = answer.json()
    if answer.is_error:
        raise CannotRun(f"The system refused an example: {content.get('detail', answer.status_code)}")
    return content
