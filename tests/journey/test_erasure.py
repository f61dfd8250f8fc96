"""Erased is erased: a word that only one intake holds is found nowhere afterwards."""

from collections.abc import Iterable
from uuid import uuid4

import asyncpg
import httpx2

from services.laptop import PACKAGES
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.chaos import wire
from tests.chaos.systems import Laptop, eventually
from tests.journey.caller import COMPANY, Caller

SECONDS_TO_ERASE = 20


async def tables_with(laptop: Laptop, word: str) -> list[str]:
    """Every table of every schema with a row that holds the word, as text or as bytes."""
    owner = await asyncpg.connect(laptop.database_url)
    try:
        tables = await owner.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        )
        assert {name.partition(".")[0] for (name,) in tables} == set(PACKAGES)
        return [
            name
            for (name,) in tables
            if await owner.fetchval(
                f"select exists (select from {name} as kept where kept::text ilike $1 or kept::text like $2)",
                f"%{word}%",
                f"%{word.encode().hex()}%",
            )
        ]
    finally:
        await owner.close()


def records_with(records: Iterable[wire.Record], word: str) -> list[str]:
    return [record.topic for record in records if word.encode() in (record.value or b"")]


async def pages(staff: Caller, intake_id: str, page: str) -> str:
    """All that staff and the prospect can read about an intake, whatever it is."""
    paths = [
        f"/api/intake/intakes/{intake_id}",
        f"/api/assessment/intakes/{intake_id}",
        f"/api/recommendation/intakes/{intake_id}",
        "/api/recommendation/reviews",
        "/api/recommendation/reviews?state=erased",
        "/reviews/",
        f"/reviews/{intake_id}",
        "/console/",
        f"/console/{intake_id}",
        page,
    ]
    return "\n".join([(await staff.ask("GET", path)).text for path in paths])


async def sent(laptop: Laptop, word: str) -> str:
    """The address of the status of a request that was made on the pages."""
    async with httpx2.AsyncClient(base_url=laptop.url(""), follow_redirects=False) as prospect:
        started = await prospect.post("/q/")
        page = started.headers["location"].rpartition("/")[0]
        fields = {
            **{name: value for name, value in COMPANY.items() if name != "name"},
            "company_name": f"{word} Ltd",
            "contact_name": f"{word} Brennan",
            "contact_email": f"{word}@example.com",
            **SAAS_SCALE_UP,
        }
        for field, value in fields.items():
            kept = await prospect.post(f"{page}/answers", json={"field": field, "value": value, "seq": 1})
            assert kept.is_success, kept.text
        answer = await prospect.post(f"{page}/review", data={"consent": "yes"})
        status: str = answer.headers["location"]
        assert status.endswith("/status")
        return status


async def test_a_word_of_an_erased_intake_is_found_nowhere(laptop: Laptop, staff: Caller) -> None:
    word = f"zanzibar{uuid4().hex[:8]}"
    status = await sent(laptop, word)
    owner = await asyncpg.connect(laptop.database_url)
    try:
        intake_id = str(await owner.fetchval("select id from intake.intake where contact_email like $1", f"{word}%"))
    finally:
        await owner.close()
    proposal = await staff.proposal(intake_id)
    review = {"decision": "return", "note": f"Who is {word}?", "version": proposal["version"]}
    await staff.post(f"/api/recommendation/intakes/{intake_id}/review", review)
    await staff.post(f"/api/intake/intakes/{intake_id}/revisions", {"answers": {"aim": "unknown"}})
    await staff.proposal(intake_id, revision=2)
    poison = f'{{"intake_id": "{intake_id}", "name": "{word}"}}'.encode()
    headers: wire.Headers = [("ce_type", b"intake.submitted.v1"), ("ce_subject", intake_id.encode())]
    await wire.throw(laptop.bootstrap_servers, "intake.submitted.v1", poison, headers)

    async def unburied() -> str | None:
        found = await tables_with(laptop, word)
        return None if "assessment.dead_letter" in found else f"only {found}"

    await eventually(unburied, SECONDS_TO_ERASE)
    assert word in await pages(staff, intake_id, status)
    assert len(await tables_with(laptop, word)) > 5
    assert "assessment.completed.v1" in records_with(await wire.records(laptop.bootstrap_servers), word)

    start = await wire.ends(laptop.bootstrap_servers)
    assert (await staff.ask("DELETE", f"/api/intake/intakes/{intake_id}")).status_code == 204
    assert (await staff.ask("DELETE", f"/api/intake/intakes/{intake_id}")).status_code == 204
    laptop.command("resay")

    async def left() -> str | None:
        if behind := await wire.unread(laptop.bootstrap_servers):
            return f"{behind} records have not been read"
        found = await tables_with(laptop, word)
        return f"the word is still in {found}" if found else None

    await eventually(left, SECONDS_TO_ERASE)
    assert word not in await pages(staff, intake_id, status)
    said_since = await wire.records(laptop.bootstrap_servers, start)
    assert "intake.erased.v1" in records_with(said_since, intake_id)
    assert records_with(said_since, word) == []
    assert [log for log in laptop.logs() if word in log.read_text(errors="replace")] == []
