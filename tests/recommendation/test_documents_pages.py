"""What a client does with a document: reads it, takes it along, and answers."""

import asyncio
import html
import re
from typing import Any
from uuid import UUID

import httpx2
import pytest

from shared.contracts.recommendation import DeclineReason
from shared.postgres import Database
from tests.recommendation.conftest import SignIn
from tests.recommendation.test_release import approved, facts, released


@pytest.fixture
async def intake_id(database: Database, sign_in: SignIn) -> UUID:
    return await approved(database, sign_in("account_manager", name="Anna Berg"))


@pytest.fixture
async def link(intake_id: UUID, sign_in: SignIn) -> str:
    """The address that a client was given."""
    address: str = (await released(sign_in("account_manager"), intake_id))["link"]
    return address


def as_read(answer: httpx2.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def case_page(sign_in: SignIn, intake_id: UUID) -> str:
    return as_read(await sign_in("account_manager").get(f"/reviews/{intake_id}"))


async def test_a_client_reads_the_document_without_an_account(client: httpx2.AsyncClient, link: str) -> None:
    answer = await client.get(link)
    page = as_read(answer)
    assert "Recommendation for Nordwind Energie" in page
    assert "A dedicated team clearly fits your work" in page
    assert "Three answers weigh most for it" in page
    assert "Read and recommended by Anna Berg." in page
    assert re.search(r"have the SHA-256 [0-9a-f]{64}", page)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not answer.cookies


async def test_an_address_that_was_not_made_here_opens_nothing(client: httpx2.AsyncClient, link: str) -> None:
    for address in (link[:-1], link[:-4] + "AAAA", "/d/short"):
        answer = await client.get(address)
        assert answer.status_code == 404
        assert "Copy the whole address" in answer.text


async def test_reading_is_noted_by_the_page_and_never_by_fetching_it(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, database: Database, sign_in: SignIn
) -> None:
    await client.get(link)
    await client.head(link)
    assert "opened" not in await facts(database, intake_id)
    assert "Not opened yet" in await case_page(sign_in, intake_id)
    for _ in range(2):
        assert (await client.post(f"{link}/opened")).status_code == 204
    assert (await facts(database, intake_id)).count("opened") == 1
    assert "Opened 2 times, first just now" in await case_page(sign_in, intake_id)


async def test_a_colleague_who_tries_the_link_out_is_not_counted(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, database: Database, sign_in: SignIn
) -> None:
    signed_in = sign_in("sales").headers["authorization"].removeprefix("Bearer ")
    for place in ("opened", "document.pdf"):
        assert (await client.post(f"{link}/{place}", headers={"cookie": f"advisor={signed_in}"})).is_success
    page = await case_page(sign_in, intake_id)
    assert "Not opened yet" in page
    assert "Not downloaded yet" in page
    assert "opened" not in await facts(database, intake_id)


async def test_whoever_sends_a_cookie_of_their_own_making_is_the_client(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, sign_in: SignIn
) -> None:
    for place in ("opened", "document.pdf"):
        assert (await client.post(f"{link}/{place}", headers={"cookie": "advisor=a-session"})).is_success
    page = await case_page(sign_in, intake_id)
    assert "Opened 1 time," in page
    assert "Downloaded 1 time" in page


async def test_a_colleague_says_nothing_in_the_clients_place(
    link: str, intake_id: UUID, sign_in: SignIn, database: Database
) -> None:
    for place, said in (("answer", {"answer": "accepted", "name": "Ines"}), ("call", {}), ("call/cancel", {})):
        refused = await sign_in("sales").post(f"{link}/{place}", data=said)
        assert (refused.status_code, "Only the client answers here" in refused.text) == (403, True)
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released"]


async def test_two_who_open_at_once_are_one_first_time(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, database: Database
) -> None:
    await asyncio.gather(*(client.post(f"{link}/opened") for _ in range(5)))
    assert (await facts(database, intake_id)).count("opened") == 1


async def test_a_download_is_the_released_file_and_is_counted(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, sign_in: SignIn, database: Database
) -> None:
    first, second = [await client.post(f"{link}/document.pdf") for _ in range(2)]
    kept = await sign_in("sales").get(f"/api/recommendation/intakes/{intake_id}/document.pdf")
    assert first.content == second.content == kept.content
    assert first.headers["content-type"] == "application/pdf"
    assert first.headers["content-disposition"] == 'attachment; filename="recommendation-1.pdf"'
    assert "Downloaded 2 times" in await case_page(sign_in, intake_id)
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released", "opened"]


async def test_accepting_is_the_last_word(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, sign_in: SignIn, database: Database
) -> None:
    said = {"answer": "accepted", "name": "Ines Albrecht"}
    assert (await client.post(f"{link}/answer", data=said)).status_code == 303
    assert (await client.post(f"{link}/answer", data=said)).status_code == 303, "a second click is the same answer"
    page = as_read(await client.get(link))
    assert "You have accepted this recommendation Ines Albrecht, just now" in page
    assert "Send my answer" not in page
    late = await client.post(f"{link}/answer", data={"answer": "asked", "name": "Ole Brandt", "note": "And <now>?"})
    assert late.status_code == 409
    assert "Your answer was not taken" in as_read(late)
    assert "And <now>?" in as_read(late)
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released", "opened", "answered"]
    async with database.connection() as connection:
        times = [row["at"] for row in await connection.fetch("select at from fact order by version")]
    assert times == sorted(set(times)), "what comes first is said to come first"
    case_shown = await case_page(sign_in, intake_id)
    assert "Accepted Ines Albrecht, just now" in case_shown
    assert "Approved: Dedicated team" in case_shown
    case = (await sign_in("sales").get(f"/api/recommendation/intakes/{intake_id}")).json()
    assert (case["state"], case["version"]) == ("accepted", 5)
    (document,) = case["documents"]
    assert (document["number"], document["link"], document["opened"]) == (1, link, 1)
    assert [(one["answer"], one["name"]) for one in document["answers"]] == [("accepted", "Ines Albrecht")]


async def test_a_reason_to_decline_that_is_left_behind_does_not_count(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, sign_in: SignIn
) -> None:
    said = {"answer": "accepted", "name": "Ines Albrecht", "reason_code": "price"}
    assert (await client.post(f"{link}/answer", data=said)).status_code == 303
    case = (await sign_in("sales").get(f"/api/recommendation/intakes/{intake_id}")).json()
    assert case["documents"][0]["answers"][0]["reason_code"] is None


async def test_a_link_closed_after_acceptance_can_be_made_anew_and_leaves_it_accepted(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, sign_in: SignIn, database: Database
) -> None:
    anna, place = sign_in("account_manager"), f"/reviews/{intake_id}"
    await client.post(f"{link}/answer", data={"answer": "accepted", "name": "Ines Albrecht"})
    await anna.post(f"{place}/link/close")
    assert (await client.get(link)).status_code == 410
    assert "Make a new link" in as_read(await anna.get(place))
    assert (await anna.post(f"{place}/link")).status_code == 303
    case = (await anna.get(f"/api/recommendation/intakes/{intake_id}")).json()
    assert case["state"] == "accepted"
    assert "You have accepted this recommendation" in as_read(await client.get(case["documents"][0]["link"]))
    async with database.connection() as connection:
        said = await connection.fetch(
            "select payload::jsonb from fact where topic like '%.released.%' order by version"
        )
    assert [row["payload"]["state"] for row in said] == ["released", "accepted"]


async def test_closing_a_link_asks_before_it_does(link: str, intake_id: UUID, sign_in: SignIn) -> None:
    page = await case_page(sign_in, intake_id)
    assert "Close the link The client can then no longer read the document" in page
    assert "Close it for good" in page


@pytest.mark.parametrize("reason", ["price", "other"])
async def test_declining_says_why_by_a_code_and_keeps_the_words_here(
    client: httpx2.AsyncClient,
    link: str,
    intake_id: UUID,
    sign_in: SignIn,
    database: Database,
    *,
    reason: DeclineReason,
) -> None:
    said = {"answer": "declined", "reason_code": reason, "name": "Ines Albrecht", "note": "Too much at once."}
    assert (await client.post(f"{link}/answer", data=said)).status_code == 303
    assert "You have declined this recommendation" in as_read(await client.get(link))
    assert "Too much at once." in await case_page(sign_in, intake_id)
    async with database.connection() as connection:
        told = await connection.fetchval("select payload from fact where topic like '%answered%'")
    assert f'"reason_code":"{reason}"' in told
    assert "Ines" not in told
    assert "Too much" not in told


async def test_a_question_leaves_the_document_open(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, sign_in: SignIn
) -> None:
    asked = {"answer": "asked", "name": "Ines Albrecht", "note": "From which day?"}
    assert (await client.post(f"{link}/answer", data=asked)).status_code == 303
    page = as_read(await client.get(link))
    assert "What you have asked From which day?" in page
    assert "Send my answer" in page
    assert "Question Ines Albrecht, just now From which day?" in await case_page(sign_in, intake_id)


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ({"answer": "accepted"}, "Give your name"),
        ({"name": "Ines"}, "Choose one of those offered."),
        ({"answer": "maybe", "name": "Ines"}, "Choose one of those offered."),
        ({"answer": "asked", "name": "Ines"}, "Write what you would like to know."),
        ({"answer": "declined", "name": "Ines", "note": "No."}, "Choose the reason that comes nearest."),
        ({"answer": "accepted", "name": "x" * 201}, "Use fewer characters."),
        ({"answer": "asked", "name": "Ines", "note": "x" * 2001}, "Use at most 2000 characters."),
    ],
)
async def test_an_answer_that_needs_more_keeps_what_was_typed(
    client: httpx2.AsyncClient, link: str, database: Database, intake_id: UUID, *, typed: dict[str, Any], advice: str
) -> None:
    answer = await client.post(f"{link}/answer", data=typed)
    assert answer.status_code == 422
    assert advice in as_read(answer)
    if typed.get("name") == "Ines":
        assert 'value="Ines"' in answer.text
    assert "answered" not in await facts(database, intake_id)


async def test_accepting_and_declining_at_once_leave_one_last_word(
    client: httpx2.AsyncClient, link: str, intake_id: UUID, database: Database
) -> None:
    accepted = {"answer": "accepted", "name": "Ines Albrecht"}
    declined = {"answer": "declined", "name": "Ole Brandt", "reason_code": "timing"}
    answers = await asyncio.gather(*(client.post(f"{link}/answer", data=one) for one in (accepted, declined)))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert (await facts(database, intake_id)).count("answered") == 1
