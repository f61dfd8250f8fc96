"""From a questionnaire to a reviewed recommendation, in one process and in three."""

from urllib.parse import urlsplit

from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.journey.caller import Caller, submission, with_key


async def waiting(caller: Caller) -> set[str]:
    """The intakes in the queue, page by page."""
    path, found = "/api/recommendation/reviews?state=proposed", set()
    page = await caller.get(path)
    while True:
        found |= {str(item["intake_id"]) for item in page["items"]}
        if page["next"] is None:
            return found
        page = await caller.get(f"{path}&after={page['next']}")


async def test_an_intake_becomes_an_approved_recommendation(everybody: Caller) -> None:
    questionnaire = await everybody.get("/api/intake/questionnaire")
    assert SAAS_SCALE_UP.keys() <= {question["id"] for question in questionnaire["questions"]}
    intake_id = await everybody.submit(answers=SAAS_SCALE_UP)
    proposal = await everybody.proposal(intake_id)
    assert (proposal["state"], proposal["model"]) == ("proposed", "dedicated_team")
    assessment = await everybody.get(f"/api/assessment/intakes/{intake_id}")
    assert (assessment["verdict"], assessment["strength"]) == ("continuity", proposal["strength"])
    assert intake_id in await waiting(everybody)

    review = {"decision": "approve", "version": proposal["version"]}
    decided = await everybody.post(f"/api/recommendation/intakes/{intake_id}/review", review)
    assert decided["state"] == "approved"
    intake = await everybody.intake(intake_id, state="approved")
    assert [entry["type"] for entry in intake["timeline"]] == [
        "intake.submitted.v1",
        "assessment.completed.v1",
        "recommendation.proposed.v1",
        "recommendation.reviewed.v1",
    ]


async def test_an_approved_recommendation_is_released_read_and_accepted(everybody: Caller) -> None:
    intake_id = await everybody.submit(answers=SAAS_SCALE_UP)
    proposal = await everybody.proposal(intake_id)
    case = f"/api/recommendation/intakes/{intake_id}"
    decided = await everybody.post(f"{case}/review", {"decision": "approve", "version": proposal["version"]})
    released = await everybody.post(f"{case}/release", {"version": decided["version"]})
    await everybody.intake(intake_id, state="released")

    address = urlsplit(released["link"]).path
    page = await everybody.ask("GET", address)
    assert (page.status_code, released["document_hash"] in page.text) == (200, True)
    assert (await everybody.ask("POST", f"{address}/opened")).status_code == 204
    taken_along = await everybody.ask("POST", f"{address}/document.pdf")
    assert taken_along.content == (await everybody.ask("GET", f"{case}/document.pdf")).content
    answer = {"answer": "accepted", "name": "Aoife Brennan"}
    assert (await everybody.ask("POST", f"{address}/answer", data=answer)).status_code == 303
    intake = await everybody.intake(intake_id, state="accepted")
    told = [entry["type"].split(".")[1] for entry in intake["timeline"]]
    assert told == ["submitted", "completed", "proposed", "reviewed", "released", "opened", "answered"]
    assert "Aoife" not in str(intake["timeline"])


async def test_an_override_keeps_the_machines_result_beside_it(everybody: Caller) -> None:
    intake_id = await everybody.submit()
    proposal = await everybody.proposal(intake_id)
    path = f"/api/recommendation/intakes/{intake_id}/review"
    review = {"decision": "override", "model": "hybrid", "version": proposal["version"]}
    refused = await everybody.ask("POST", path, json=review)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "reason_code")

    reasoned = review | {"reason_code": "client_choice", "note": "They asked for a fixed first stage."}
    await everybody.post(path, reasoned)
    intake = await everybody.intake(intake_id, state="overridden")
    assert intake["timeline"][-1]["model"] == "hybrid"
    case = await everybody.proposal(intake_id)
    assert (case["model"], case["review"]["model"]) == ("dedicated_team", "hybrid")


async def test_a_revision_answers_what_was_asked_back_and_opens_a_new_proposal(everybody: Caller) -> None:
    intake_id = await everybody.submit()
    seen = await everybody.proposal(intake_id)
    path = f"/api/recommendation/intakes/{intake_id}/review"
    question = {"decision": "return", "note": "Who decides on priorities?", "version": seen["version"]}
    await everybody.post(path, question)
    await everybody.intake(intake_id, state="returned")

    revised = await everybody.post(f"/api/intake/intakes/{intake_id}/revisions", {"answers": {"aim": "unknown"}})
    assert revised["revision"] == 2
    current = await everybody.proposal(intake_id, revision=2)
    assert (current["state"], [earlier["state"] for earlier in current["earlier"]]) == ("proposed", ["superseded"])
    await everybody.intake(intake_id, state="proposed")

    stale = await everybody.ask("POST", path, json={"decision": "approve", "version": seen["version"]})
    assert (stale.status_code, stale.json()["version"]) == (409, current["version"])
    await everybody.post(path, {"decision": "approve", "version": current["version"]})
    await everybody.intake(intake_id, state="approved")


async def test_a_withdrawn_request_stays_readable_and_cannot_be_decided_on(everybody: Caller) -> None:
    intake_id = await everybody.submit()
    proposal = await everybody.proposal(intake_id)
    await everybody.post(f"/api/intake/intakes/{intake_id}/withdrawal", {})
    await everybody.intake(intake_id, state="withdrawn")
    await everybody.standing(intake_id, "withdrawn")
    decision = {"decision": "approve", "version": proposal["version"]}
    refused = await everybody.ask("POST", f"/api/recommendation/intakes/{intake_id}/review", json=decision)
    assert (refused.status_code, refused.json()["state"]) == (409, "withdrawn")


async def test_a_request_that_is_sent_twice_is_one_intake(everybody: Caller) -> None:
    key = {"Idempotency-Key": "the same caller, the same request"}
    answers = [await everybody.ask("POST", "/api/intake/intakes", json=submission(), headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    other = await everybody.ask("POST", "/api/intake/intakes", json=submission(answers={}), headers=key)
    assert other.status_code == 422


async def test_a_key_does_what_its_role_may_and_nothing_else(everybody: Caller) -> None:
    async with with_key(everybody.system, "sales") as sales:
        intake_id = await sales.submit()
        proposal = await sales.proposal(intake_id)
        decision = {"decision": "approve", "version": proposal["version"]}
        refused = await sales.ask("POST", f"/api/recommendation/intakes/{intake_id}/review", json=decision)
        erased = await sales.ask("DELETE", f"/api/intake/intakes/{intake_id}")
    assert (refused.status_code, erased.status_code) == (403, 403)
