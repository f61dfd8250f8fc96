"""The report on agreement and overrides."""

import csv
import io
from typing import Any

import httpx2
import pytest

from services.recommendation.domain.report import Count, Reading
from services.recommendation.domain.review import Reviewer
from services.recommendation.store import report
from shared.postgres import Database
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NORDWIND, completed, hear
from tests.recommendation.test_desk import AGAINST_THE_VETO, ANNA, BORIS, RULED_OUT

API = "/api/recommendation"
RETAINER = {
    "decision": "override",
    "commercial_form": "retainer",
    "reason_code": "known_client",
    "note": '=HYPERLINK("https://example.com")',
}
HYBRID = {"decision": "override", "model": "hybrid", "reason_code": "risk", "note": "Two parts, as they say."}


@pytest.mark.parametrize(
    ("decided", "overridden", "reading"),
    [(0, 0, "few"), (19, 19, "few"), (20, 0, "quiet"), (20, 1, "quiet"), (20, 2, "look"), (20, 3, "limit")],
)
def test_a_share_is_read_by_the_rule_of_thumb_only_where_there_is_enough_of_it(
    decided: int, overridden: int, reading: Reading
) -> None:
    assert Count(decided, overridden, 0).reading == reading


@pytest.fixture
async def anna(database: Database, sign_in: SignIn) -> httpx2.AsyncClient:
    """Anna Berg, after she and Boris Vidal have decided on six cases and taken one decision back."""
    clients = {one.id: sign_in("account_manager", of=one) for one in (ANNA, BORIS)}

    async def case(levels: dict[str, str], name: str, *steps: tuple[Reviewer, str, dict[str, Any]]) -> None:
        event = completed(levels, company=NORDWIND.model_copy(update={"name": name}))
        await hear(database, event)
        for place, (by, step, body) in enumerate(steps):
            asked = body | {"version": 1 + place}
            answer = await clients[by.id].post(f"{API}/intakes/{event.intake_id}/{step}", json=asked)
            assert answer.is_success, answer.text

    approve = {"decision": "approve"}
    await case(SAAS_SCALE_UP, "Approved", (ANNA, "review", approve))
    await case(DEADLINE_MIGRATION, "Taken back", (ANNA, "review", approve), (BORIS, "undo", {}))
    await case(SAAS_SCALE_UP, "=Formula", (BORIS, "review", RETAINER))
    await case(SAAS_SCALE_UP, "Returned", (BORIS, "review", {"decision": "return", "note": "When?"}))
    await case(SAAS_SCALE_UP, "Other model", (ANNA, "review", HYBRID))
    signed = (BORIS, "signature", {"decision": "confirm"})
    await case(RULED_OUT, "Signed by two", (ANNA, "review", AGAINST_THE_VETO), signed)
    await case(RULED_OUT, "Waits", (ANNA, "review", AGAINST_THE_VETO))
    return clients[ANNA.id]


async def test_only_what_stands_is_counted_by_model_reason_person_and_month(anna: httpx2.AsyncClient) -> None:
    found = (await anna.get(f"{API}/report")).json()
    assert found["total"] == {
        "decided": 4,
        "agreed": 1,
        "overridden": 3,
        "other_model": 2,
        "rate": 0.75,
        "reading": "few",
    }
    assert (found["returned"], found["refused"], found["undone"]) == (1, 0, 1)
    counts = {
        part: {line["name"]: (line["count"]["decided"], line["count"]["overridden"]) for line in lines}
        for part, lines in found["parts"].items()
    }
    assert counts["model"] == {"dedicated_team": (3, 2), "discovery_call": (1, 1)}
    assert counts["reason"] == {"known_client": (2, 2), "risk": (1, 1)}
    assert counts["person"] == {"Anna Berg": (3, 2), "Boris Vidal": (1, 1)}
    assert list(counts["month"].values()) == [(4, 3)]
    assert [one["company"] for one in found["decisions"]] == ["Signed by two", "Other model", "=Formula", "Approved"]
    assert found["decisions"][0]["second"]["name"] == "Boris Vidal"
    narrowed = (await anna.get(f"{API}/report", params={"person": str(BORIS.id), "since": "2026-01-01"})).json()
    assert narrowed["total"]["decided"] == 1
    assert (await anna.get(f"{API}/report", params={"until": "2020-01-01"})).json()["total"]["rate"] is None


async def test_the_report_is_read_on_a_page_and_taken_along_as_a_table_without_formulas(
    anna: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "PAGE", 3)
    page = (await anna.get("/reviews/report")).text
    assert "3 of 4 proposals were overridden" in page
    assert "=known_client#decisions" in page
    assert "page=2#decisions" in page
    second = (await anna.get("/reviews/report?page=2")).text
    assert "Approved</a>" in second
    table = await anna.get("/reviews/report.csv?reason=known_client")
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"), newline="")))
    assert [(row["company"], row["note"][:11], row["second"]) for row in rows] == [
        ("Signed by two", "Their board", "Boris Vidal"),
        ("'=Formula", "'=HYPERLINK", ""),
    ]


@pytest.mark.parametrize("query", ["since=soon", "model=team", "person=Anna", "since=2026-02-01&until=2026-01-01"])
async def test_a_report_that_cannot_be_drawn_says_what_to_choose(sign_in: SignIn, query: str) -> None:
    client = sign_in("account_manager")
    for path in (f"{API}/report", "/reviews/report", "/reviews/report.csv"):
        assert (await client.get(f"{path}?{query}")).status_code == 422


async def test_days_in_the_wrong_order_are_told_beside_the_form(sign_in: SignIn) -> None:
    page = await sign_in("account_manager").get("/reviews/report?since=2027-01-01&until=2026-01-01")
    assert page.status_code == 422
    assert page.text.count("Choose a last day that is not before the first.") == 2
    assert 'value="2027-01-01"' in page.text
    assert 'value="2026-01-01" aria-invalid="true" aria-describedby="until-error"' in page.text


async def test_a_report_on_nothing_says_how_it_fills(sign_in: SignIn) -> None:
    page = (await sign_in("account_manager").get("/reviews/report")).text
    assert "Nothing is decided here yet" in page
    assert "A decision appears here when" in page
    assert (await sign_in("sales").get("/reviews/report")).status_code == 403
