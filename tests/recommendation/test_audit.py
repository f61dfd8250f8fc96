"""What people do to a case is noted in the chain, and stays verifiable after an erasure."""

import json
from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from services.recommendation.domain.review import Reviewer
from shared import audit
from shared.access import on_staff_changed
from shared.audit import Entry
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased, StaffChanged
from shared.postgres import Database
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NOW, completed, hear
from tests.recommendation.test_reviews_pages import read

SECRETS = ("Nordwind", "between us", "Ines", "Who starts?", "It depends on us.")


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    return event


async def entries(database: Database, event: AssessmentCompleted) -> list[Entry]:
    """What was done to the case, in its order; the whole chain holds."""
    async with database.connection() as connection:
        found = await audit.verify(connection, "recommendation")
        acts = await audit.of(connection, event.intake_id)
    assert found.broken is None
    return acts[::-1]


async def test_every_act_of_colleagues_and_clients_is_noted_by_id_and_code_and_outlives_erasure(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    anna = sign_in("account_manager")
    case = f"/reviews/{event.intake_id}"
    await anna.post(f"{case}/claim", data={"version": 1})
    point = {"title": "One more", "text": "It depends on us."}
    added = await anna.post(f"{case}/lines/why", data={**point, "seen": 2})
    assert added.status_code == 303
    await anna.post(f"{case}/approve", data={"version": 3, "approval_note": "between us"})
    await anna.post(f"{case}/release", data={"version": 4})
    shown = (await anna.get(f"/api/recommendation/intakes/{event.intake_id}")).json()["documents"][0]
    anna.headers.pop("authorization")
    client = anna
    await client.post(f"{shown['link']}/opened")
    await client.post(f"{shown['link']}/document.pdf")
    await client.post(f"{shown['link']}/answer", data={"answer": "asked", "name": "Ines", "note": "Who starts?"})
    await client.post(f"{shown['link']}/answer", data={"answer": "declined", "name": "Ines", "reason_code": "price"})
    await sign_in("account_manager").post(f"{case}/link/close")
    acts = await entries(database, event)
    assert [act.action for act in acts] == [
        "assigned",
        "line_added",
        "reviewed",
        "released",
        "opened",
        "downloaded",
        "asked",
        "declined",
        "link_closed",
    ]
    assert [act.action for act in acts if act.actor is None] == ["opened", "downloaded", "asked", "declined"]
    assert json.loads(acts[3].detail)["hash"] == shown["hash"]
    assert not [secret for secret in SECRETS for act in acts if secret in act.detail]
    page = await read(sign_in("sales"), f"{case}/audit")
    assert "Nobody signed in Declined" in page
    await hear(database, IntakeErased(intake_id=event.intake_id, version=9, time=NOW))
    assert [act.action for act in await entries(database, event)][-1] == "erased"
    assert "Erased" in await read(sign_in("sales"), f"{case}/audit")


async def test_a_refused_act_is_not_noted_and_an_undone_one_is(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client = sign_in("account_manager")
    case = f"/reviews/{event.intake_id}"
    assert (await client.post(f"{case}/approve", data={"version": 7})).status_code == 409
    assert await entries(database, event) == []
    assert "from the first one" in await read(client, f"{case}/audit")
    await client.post(f"{case}/approve", data={"version": 1})
    await client.post(f"{case}/undo", data={"version": 2})
    assert [act.action for act in await entries(database, event)] == ["reviewed", "undone"]


async def test_hours_for_calls_and_absences_are_noted_too(database: Database, sign_in: SignIn) -> None:
    anna, boris = Reviewer(uuid7(), "Anna Berg"), Reviewer(uuid7(), "Boris Vidal")
    async with database.transaction() as connection:
        known = StaffChanged(
            staff_id=boris.id, version=1, time=NOW, name=boris.name, roles=("account_manager",), active=True
        )
        await on_staff_changed(connection, known)
    client = sign_in("account_manager", of=anna)
    await client.post("/reviews/calls/hours", data={"zone": "UTC", "monday": "09:00-12:00", "place": "between us"})
    today = datetime.now(UTC).date().isoformat()
    await client.post("/reviews/away", data={"until": today, "deputy": str(boris.id)})
    await client.post("/reviews/back")
    async with database.connection() as connection:
        acts = await audit.of(connection, anna.id)
    assert [(act.action, json.loads(act.detail)) for act in acts] == [
        ("absence_ended", {}),
        ("absence_noted", {"until": today, "deputy": str(boris.id)}),
        ("call_hours_kept", {}),
    ]
    assert {act.actor for act in acts} == {anna.id}
