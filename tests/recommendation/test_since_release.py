"""What passes between a case and its client after the release: replies, links that run out, outcomes, what is due."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from services.recommendation.domain.outcome import OutcomeRequest, Recorded, record, to_come_back_to
from services.recommendation.domain.release import Document
from services.recommendation.domain.review import Case, OutOfStep, Reviewer, Unfit
from services.recommendation.events import HANDLERS
from services.recommendation.jobs import expire
from services.recommendation.store import outcomes
from shared import audit
from shared.contracts.intake import IntakeErased
from shared.contracts.recommendation import ProposalState
from shared.kafka import hand_over
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from tests.recommendation.conftest import SignIn
from tests.recommendation.test_documents_pages import as_read
from tests.recommendation.test_release import approved, facts, released

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = NOW.date()
ANNA = Reviewer(UUID(int=1), "Anna Berg")


def case(state: ProposalState = "accepted") -> Case:
    return Case(UUID(int=2), 7, 1, state, "dedicated_team", "monthly_team", PUBLISHED, {}, None, None)


def document() -> Document:
    return Document(
        intake_id=UUID(int=2),
        number=1,
        revision=1,
        review_version=2,
        hash="",
        model="dedicated_team",
        commercial_form="monthly_team",
        questionnaire="",
        rubric="",
        playbook="",
        released_by=ANNA,
        released_at=NOW - timedelta(days=60),
    )


def recorded(before: Recorded | None = None, state: ProposalState = "accepted", **asked: Any) -> Recorded:
    return record(case(state), document(), OutcomeRequest(**asked), before=before, by=ANNA, now=NOW)


SIGNED = recorded(outcome="signed", model_used="hybrid", happened_on=TODAY - timedelta(days=3))
LOST = recorded(outcome="lost", reason_code="price")


@pytest.mark.parametrize(
    ("before", "asked", "field"),
    [
        (None, {"outcome": "unchanged", "model_used": "hybrid"}, "outcome"),
        (LOST, {"outcome": "renewed", "model_used": "hybrid"}, "outcome"),
        (SIGNED, {"outcome": "signed", "model_used": "hybrid"}, "outcome"),
        (None, {"outcome": "signed"}, "model_used"),
        (None, {"outcome": "signed", "model_used": "discovery_call"}, "model_used"),
        (None, {"outcome": "lost"}, "reason_code"),
        (None, {"outcome": "signed", "model_used": "hybrid", "happened_on": date(2026, 6, 17)}, "happened_on"),
        (None, {"outcome": "signed", "model_used": "hybrid", "happened_on": date(2025, 6, 1)}, "happened_on"),
        (None, {"outcome": "signed", "model_used": "hybrid", "first_release_on": date(2026, 6, 1)}, "first_release_on"),
    ],
)
def test_an_outcome_that_cannot_be_says_what_to_change(
    before: Recorded | None, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(Unfit) as refusal:
        recorded(before, **asked)
    assert refusal.value.field == field


def test_outcomes_follow_each_other() -> None:
    rescoped = recorded(SIGNED, outcome="rescoped", model_used="project_based")
    ended = recorded(rescoped, outcome="lost", reason_code="own_people", model_used="hybrid")
    assert (ended.model_used, ended.reason_code) == (None, "own_people")
    assert recorded(ended, outcome="signed", model_used="hybrid", reason_code="price").reason_code is None


def test_nothing_becomes_of_what_was_withdrawn_or_never_released() -> None:
    with pytest.raises(OutOfStep):
        recorded(state="withdrawn", outcome="lost", reason_code="price")
    with pytest.raises(OutOfStep):
        record(case(), None, OutcomeRequest(outcome="lost", reason_code="price"), before=None, by=ANNA, now=NOW)


def test_each_start_asks_anew_whether_the_model_fits() -> None:
    signed = SIGNED.happened_on
    first_release = date(2026, 8, 1)
    assert to_come_back_to(SIGNED, first_release) == {
        "first_release": first_release,
        "three_months": signed + timedelta(days=90),
        "six_months": signed + timedelta(days=180),
    }
    assert to_come_back_to(LOST, None) == {}
    assert to_come_back_to(recorded(SIGNED, outcome="unchanged", model_used="hybrid"), None) == {}


@pytest.fixture
async def intake_id(database: Database, anna: httpx2.AsyncClient) -> UUID:
    return await approved(database, anna)


@pytest.fixture
async def link(intake_id: UUID, anna: httpx2.AsyncClient) -> str:
    address: str = (await released(anna, intake_id))["link"]
    return address


async def payloads(database: Database, intake_id: UUID) -> str:
    async with database.connection() as connection:
        return "".join(row["payload"] for row in await connection.fetch("select payload from fact"))


async def test_a_question_is_replied_to_and_the_words_stay_here(
    client: httpx2.AsyncClient, database: Database, anna: httpx2.AsyncClient, intake_id: UUID, link: str
) -> None:
    place = f"/reviews/{intake_id}"
    assert (await anna.post(f"{place}/reply", data={"reply": "Hello?"})).status_code == 409, "nobody asked"
    asked = {"answer": "asked", "name": "Ines Albrecht", "note": "From which day?"}
    assert (await client.post(f"{link}/answer", data=asked)).status_code == 303
    assert "A question waits for a reply" in as_read(await anna.get("/reviews/due/"))
    assert "A question waits for a reply" in as_read(await anna.get(place))
    empty = await anna.post(f"{place}/reply", data={"reply": " "})
    assert (empty.status_code, "Write what the client should know." in empty.text) == (422, True)
    for _ in range(2):
        assert (await anna.post(f"{place}/reply", data={"reply": "From <1> March."})).status_code == 303
    assert (await facts(database, intake_id)).count("replied") == 1
    assert "Anna Berg replies: From <1> March." in as_read(await client.get(link))
    assert "From <1> March." in as_read(await anna.get(place))
    assert "A question waits" not in as_read(await anna.get("/reviews/due/"))
    assert "March" not in await payloads(database, intake_id)
    await anna.post(f"{place}/link/close")
    late = await anna.post(f"{place}/reply", data={"reply": "One more word."})
    assert late.status_code == 409
    assert "Make a new one, then reply." in late.text
    assert "One more word." in late.text
    async with database.transaction() as connection:
        await hand_over(connection, HANDLERS, [IntakeErased(intake_id=intake_id, version=9, time=NOW)])
        assert await connection.fetchval("select note from document_reply") is None
    assert "March" not in (await anna.get(f"{place}/client")).text


async def test_a_link_that_runs_out_unanswered_closes_the_case_until_a_new_one(
    client: httpx2.AsyncClient,
    database: Database,
    anna: httpx2.AsyncClient,
    intake_id: UUID,
    *,
    link: str,
    connect_as_owner: asyncpg.Connection,
) -> None:
    await expire(database)
    assert "expired" not in await facts(database, intake_id)
    await connect_as_owner.execute("update recommendation.document_link set expires_at = now()")
    for _ in range(2):
        await expire(database)
    assert (await facts(database, intake_id)).count("expired") == 1
    read = f"/api/recommendation/intakes/{intake_id}"
    assert (await anna.get(read)).json()["state"] == "expired"
    assert (await client.get(link)).status_code == 410
    assert "Make a new link" in as_read(await anna.get(f"/reviews/{intake_id}"))
    assert (await anna.post(f"/reviews/{intake_id}/link")).status_code == 303
    again = (await anna.get(read)).json()
    assert again["state"] == "released"
    accepted = {"answer": "accepted", "name": "Ines Albrecht"}
    assert (await client.post(f"{again['documents'][0]['link']}/answer", data=accepted)).status_code == 303
    await connect_as_owner.execute("update recommendation.document_link set expires_at = now()")
    await expire(database)
    assert (await anna.get(read)).json()["state"] == "accepted"


async def test_a_call_to_come_keeps_a_case_from_running_out(
    database: Database, intake_id: UUID, link: str, connect_as_owner: asyncpg.Connection
) -> None:
    await connect_as_owner.execute(
        """
        update recommendation.document_link set expires_at = now();
        insert into recommendation.call (id, intake_id, number, host, host_name, starts_at, ends_at, zone, status,
            sequence, booked_at)
        select gen_random_uuid(), intake_id, 1, gen_random_uuid(), '', now(), now() + interval '1 hour', 'UTC',
            'booked', 0, now() from recommendation.document
        """
    )
    await expire(database)
    assert "expired" not in await facts(database, intake_id)
    await connect_as_owner.execute("update recommendation.call set status = 'cancelled'")
    await expire(database)
    assert "expired" in await facts(database, intake_id)


async def test_what_became_of_a_case_is_noted_once_for_each_key_and_said_without_words(
    database: Database, anna: httpx2.AsyncClient, sign_in: SignIn, intake_id: UUID, link: str
) -> None:
    place = f"/api/recommendation/intakes/{intake_id}/outcome"
    signed = {"outcome": "signed", "model_used": "hybrid", "note": "At Sacher's."}
    answers = [await anna.post(place, json=signed, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["happened_on"] == datetime.now(UTC).date().isoformat()
    again = await anna.post(place, json=signed)
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "outcome")
    assert (await sign_in("sales").post(place, json=signed)).status_code == 403
    nowhere = await anna.post(f"/api/recommendation/intakes/{UUID(int=3)}/outcome", json=signed)
    assert (nowhere.status_code, nowhere.headers["content-type"]) == (404, "application/problem+json")
    assert (await facts(database, intake_id)).count("outcome-recorded") == 1
    assert "Sacher" not in await payloads(database, intake_id)
    form = {"outcome": "rescoped", "model_used": "", "happened_on": "", "note": "Half of it."}
    refused = await anna.post(f"/reviews/{intake_id}/outcome", data=form)
    assert refused.status_code == 422
    assert "Choose the model that the work really follows." in refused.text
    assert "Half of it." in refused.text
    assert (await anna.post(f"/reviews/{intake_id}/outcome", data=form | {"model_used": "hybrid"})).status_code == 303
    shown = as_read(await anna.get(f"/reviews/{intake_id}/client"))
    assert shown.index("It was re-scoped:") < shown.index("It was signed:")
    async with database.transaction() as connection:
        await hand_over(connection, HANDLERS, [IntakeErased(intake_id=intake_id, version=9, time=NOW)])
        notes = await connection.fetch("select outcome, note from outcome order by version")
    assert [(row["outcome"], row["note"]) for row in notes] == [("signed", None), ("rescoped", None)]


async def test_what_is_due_is_done_or_left_for_later(
    client: httpx2.AsyncClient,
    database: Database,
    anna: httpx2.AsyncClient,
    intake_id: UUID,
    *,
    link: str,
    connect_as_owner: asyncpg.Connection,
) -> None:
    async def due(query: str = "") -> str:
        return as_read(await anna.get(f"/reviews/due/{query}"))

    assert "Nothing is due." in await due()
    await client.post(f"{link}/answer", data={"answer": "accepted", "name": "Ines Albrecht"})
    assert "was it signed?" in await due("?later=true")
    await connect_as_owner.execute("update recommendation.follow_up set due_on = current_date")
    assert "was it signed?" in await due()
    assert (await anna.post(f"/reviews/{intake_id}/due/acceptance/snooze")).status_code == 303
    assert "was it signed?" not in await due()
    async with database.connection() as connection:
        (left,) = await outcomes.open_of_case(connection, intake_id)
    assert left.due_on == datetime.now(UTC).date() + timedelta(days=14)
    await anna.post(f"/reviews/{intake_id}/outcome", data={"outcome": "signed", "model_used": "hybrid"})
    coming = await due("?later=true")
    assert "was it signed?" not in coming
    assert "Three months in" in coming
    for _ in range(2):
        assert (await anna.post(f"/reviews/{intake_id}/due/three_months/done")).status_code == 303
    async with database.connection() as connection:
        acts = [act.action for act in await audit.of(connection, intake_id)]
    assert acts[:3] == ["follow_up_done", "outcome_recorded", "follow_up_put_off"]
    assert "Three months in" not in await due("?later=true")
    assert "Six months in" in await due("?later=true&mine=true"), "she has released it"
