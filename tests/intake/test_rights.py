"""What is held about a prospect: shown, handed out, withdrawn and erased by the personal link alone."""

from datetime import UTC, datetime, timedelta

from httpx2 import AsyncClient

from services.intake import events
from services.intake.domain.drafts import CONSENT
from services.intake.domain.submission import CONSENT_TEXT
from services.intake.jobs import erase_forgotten
from shared.contracts.recommendation import RecommendationProposed
from shared.postgres import Database
from shared.questionnaire import load
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.intake.prospect import NORDWIND, begun, fill, id_of, save, score, sent, text_of


async def test_a_prospect_sees_and_gets_all_that_is_held_and_nothing_that_no_person_has_checked(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    await score(database, id_of(draft))
    async with database.transaction() as connection:
        proposed = RecommendationProposed(
            intake_id=id_of(draft),
            version=1,
            time=datetime.now(UTC),
            revision=1,
            model="dedicated_team",
            strength="clear",
            commercial_form="monthly_team",
        )
        await events.on_proposed(connection, [proposed])
        await connection.execute("update mail set state = 'sent', sent_at = now()")
        note = "insert into note (intake_id, author, text, at) values ($1, $1, 'Rang twice.', now())"
        await connection.execute(note, id_of(draft))
    page = await client.get(f"{draft}/data")
    shown = text_of(page)
    for value in ("Nordwind Energie", "51 to 250 people", "Energy", "Germany", "Mara Lind", "mara@nordwind.example"):
        assert value in shown
    for question in load().questions:
        assert f"{question.text} {question.level_text(SAAS_SCALE_UP[question.id])}" in shown
    assert f"“{CONSENT}” Version {CONSENT_TEXT} of this wording, {datetime.now(UTC):%-d %B %Y}" in shown
    assert "That your answers have arrived, just now" in shown
    assert f"It is erased on {datetime.now(UTC) + timedelta(days=730):%-d %B %Y} if nothing happens before" in shown
    file = await client.get(f"{draft}/data.json")
    assert file.headers["content-disposition"].startswith("attachment")
    held = file.json()
    assert held["details"] == NORDWIND
    assert {question: answer["level"] for question, answer in held["answers"].items()} == SAAS_SCALE_UP
    assert held["entries"].items() >= NORDWIND.items()
    assert held["consent"] == {"given": True, "text_version": CONSENT_TEXT, "obtained_by": "the person themselves"}
    assert held["assessment"]["verdict"] == "continuity"
    assert [one["type"] for one in held["happened"]] == [
        "intake.submitted.v1",
        "assessment.completed.v1",
        "recommendation.proposed.v1",
    ]
    assert [one["kind"] for one in held["messages"]] == ["receipt"]
    assert "1 note of ours" in shown
    assert held["notes"] == 1
    for untold in ("dedicated", "Rang twice"):
        assert untold not in file.text


async def test_a_request_can_be_withdrawn_once_and_stays_readable(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    asked = await client.get(f"{draft}/withdraw")
    assert "Nobody works on it any more" in text_of(asked)
    assert (await client.post(f"{draft}/withdraw")).headers["location"] == f"{draft}/status"
    assert "This request was withdrawn" in text_of(await client.get(f"{draft}/status"))
    assert "Withdraw my request" not in text_of(await client.get(f"{draft}/data"))
    for again in (await client.get(f"{draft}/withdraw"), await client.post(f"{draft}/withdraw")):
        assert again.status_code == 409
        assert "There is no request to withdraw" in text_of(again)
    async with database.connection() as connection:
        topics = await connection.fetch("select topic from fact where key = $1 order by version", id_of(draft))
    assert [row["topic"] for row in topics] == ["intake.submitted.v1", "intake.withdrawn.v1"]


async def test_erasing_what_was_sent_takes_it_all_and_says_so_to_everybody(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    assert "any recommendation made from them are deleted" in text_of(await client.get(f"{draft}/erase"))
    done = await client.post(f"{draft}/erase")
    assert (done.status_code, "Everything about you is erased" in text_of(done)) == (200, True)
    for place in ("", "/data", "/data.json", "/status", "/review", "/erase"):
        assert (await client.get(f"{draft}{place}")).status_code == 410
    async with database.connection() as connection:
        for table in ("draft", "draft_entry", "revision", "mail"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0
        row = await connection.fetchrow("select contact_name, contact_email, consent from intake")
        assert row is not None
        assert set(row.values()) == {None}
        assert await connection.fetchval("select topic from fact") == "intake.erased.v1"


async def test_a_draft_shows_what_was_typed_and_can_be_erased(client: AsyncClient, database: Database) -> None:
    draft = await begun(client)
    empty = text_of(await client.get(f"{draft}/data"))
    assert "Your details None yet. Your answers None yet." in empty
    await fill(client, draft, NORDWIND)
    await save(client, draft, "aim", SAAS_SCALE_UP["aim"])
    await client.post(f"{draft}/later", data={"contact_email": "mara@nordwind.example"})
    shown = text_of(await client.get(f"{draft}/data"))
    assert "Mara Lind" in shown
    assert "1 answer" in shown
    assert "Withdraw" not in shown
    assert (await client.get(f"{draft}/data.json")).json()["state"] is None
    await client.post(f"{draft}/erase")
    gone = await client.get(f"{draft}/company")
    assert gone.status_code == 410
    assert "what somebody has had erased" in text_of(gone)
    async with database.connection() as connection:
        for table in ("draft", "draft_entry", "mail"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0


async def test_what_nothing_has_happened_to_for_two_years_is_erased_unless_it_was_accepted(
    client: AsyncClient, database: Database
) -> None:
    forgotten, recent, accepted = [await sent(client, {}) for _ in range(3)]
    async with database.connection() as connection:
        await connection.execute("update intake set state_since = now() - interval '731 days'")
        await connection.execute("update timeline set at = now() - interval '731 days'")
        await connection.execute("update timeline set at = now() where intake_id = $1", id_of(recent))
        await connection.execute("update intake set state = 'accepted' where id = $1", id_of(accepted))
    await erase_forgotten(database)
    async with database.connection() as connection:
        rows = await connection.fetch("select id, state from intake")
    assert {row["id"]: row["state"] for row in rows} == {
        id_of(forgotten): "erased",
        id_of(recent): "submitted",
        id_of(accepted): "accepted",
    }
    assert "It is kept while we work together" in text_of(await client.get(f"{accepted}/data"))
