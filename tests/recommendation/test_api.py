import asyncio
import json
from typing import Any, get_args
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from services.recommendation.store import queue
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased, IntakeWithdrawn, Role
from shared.postgres import Database
from tests.assessment.archetypes import (
    DEADLINE_MIGRATION,
    FIRST_PIECE_THEN_CONTINUING_WORK,
    SAAS_SCALE_UP,
    START_UP_MVP,
)
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NOW, completed, hear

API = "/api/recommendation"
WHY = {"reason_code": "client_choice", "note": "They want one more project."}


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    """A proposal for a dedicated team, waiting for review."""
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    return event


def review_of(intake_id: UUID) -> str:
    return f"{API}/intakes/{intake_id}/review"


def case_of(intake_id: UUID) -> str:
    return f"{API}/intakes/{intake_id}"


async def test_a_case_is_shown_with_its_proposal_its_rules_and_its_assessment(
    event: AssessmentCompleted, sign_in: SignIn
) -> None:
    answer = await sign_in("sales").get(case_of(event.intake_id))
    assert answer.status_code == 200
    case = answer.json()
    assert {
        name: case[name] for name in ("intake_id", "revision", "version", "state", "model", "strength", "kind")
    } == {
        "intake_id": str(event.intake_id),
        "revision": 1,
        "version": 1,
        "state": "proposed",
        "model": "dedicated_team",
        "strength": "clear",
        "kind": None,
    }
    assert (case["commercial_form"], case["second_line"], case["leaning"]) == ("monthly_team", None, None)
    assert (case["vetoes"], case["conditions"], case["deciding_questions"]) == ([], [], [])
    assert [rule["id"] for rule in case["rules"]] == ["standing_team"]
    assert case["company"] == event.submission.company.model_dump()
    assert case["assessment"] == event.assessment.model_dump(mode="json", by_alias=True)
    assert (case["assignee"], case["review"], case["reviews"], case["earlier"]) == (None, None, [], [])


async def test_a_discovery_call_shows_its_kind_its_leaning_and_what_would_decide(
    database: Database, sign_in: SignIn
) -> None:
    event = completed(START_UP_MVP)
    await hear(database, event)
    case = (await sign_in("sales").get(case_of(event.intake_id))).json()
    assert (case["model"], case["kind"], case["strength"]) == ("discovery_call", "undecided", None)
    assert case["leaning"] == {"model": "dedicated_team", "share": None}
    assert len(case["deciding_questions"]) == 3
    first = case["what_would_change"][0]
    assert (first["model"], first["kind"], first["strength"], first["lifts"]) == ("hybrid", None, "clear", [])
    assert [change.keys() for change in first["changes"]] == [{"question", "from", "to"}] * len(first["changes"])


async def test_a_hybrid_shows_its_stages_and_how_each_is_paid(database: Database, sign_in: SignIn) -> None:
    event = completed(FIRST_PIECE_THEN_CONTINUING_WORK)
    await hear(database, event)
    case = (await sign_in("sales").get(case_of(event.intake_id))).json()
    assert case["model"] == "hybrid"
    assert [(stage["order"], stage["portion"], stage["side"]) for stage in case["staging"]] == [
        (1, "first_piece", "project_based"),
        (2, "continuing_work", "dedicated_team"),
    ]
    assert [stage["paid_by"] for stage in case["staging"]] == [case["commercial_form"], case["second_line"]]


async def test_what_is_not_there_is_not_found(sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    for answer in (
        await client.get(case_of(uuid7())),
        await client.post(review_of(uuid7()), json={"decision": "approve", "version": 1}),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Check its id" in answer.json()["detail"]


async def test_an_erased_case_is_shown_as_erased_without_its_contents(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client = sign_in("account_manager")
    await client.post(review_of(event.intake_id), json={"decision": "approve", "note": "Fine.", "version": 1})
    await hear(database, IntakeErased(intake_id=event.intake_id, version=2, time=NOW))
    answer = await client.get(case_of(event.intake_id))
    assert answer.status_code == 200
    case = answer.json()
    assert (case["state"], case["model"], case["version"]) == ("erased", "dedicated_team", 2)
    assert all(case[name] is None for name in ("company", "assessment", "rules", "deciding_questions", "kind"))
    assert (case["review"]["decision"], case["review"]["note"]) == ("approve", None)
    refusal = await client.post(review_of(event.intake_id), json={"decision": "approve", "version": 2})
    assert (refusal.status_code, refusal.json()["state"]) == (409, "erased")


@pytest.mark.parametrize(
    ("asked", "state", "decided"),
    [
        ({"decision": "approve"}, "approved", ("dedicated_team", "monthly_team")),
        ({"decision": "override", "model": "hybrid", **WHY}, "overridden", ("hybrid", "milestones")),
        ({"decision": "return", "note": "Is there a date?"}, "returned", (None, None)),
    ],
)
async def test_a_decision_is_answered_with_the_review_and_kept_beside_the_proposal(
    event: AssessmentCompleted,
    sign_in: SignIn,
    asked: dict[str, Any],
    state: str,
    decided: tuple[str | None, str | None],
) -> None:
    client = sign_in("account_manager", name="Anna Berg")
    answer = await client.post(review_of(event.intake_id), json={**asked, "version": 1})
    assert answer.status_code == 200
    review = answer.json()
    assert (review["decision"], review["state"], review["version"]) == (asked["decision"], state, 2)
    assert (review["model"], review["commercial_form"]) == decided
    assert (review["reason_code"], review["note"]) == (asked.get("reason_code"), asked.get("note"))
    assert review["by"]["name"] == "Anna Berg"
    case = (await client.get(case_of(event.intake_id))).json()
    assert (case["state"], case["version"]) == (state, 2)
    assert (case["model"], case["commercial_form"]) == ("dedicated_team", "monthly_team")
    kept = {name: value for name, value in review.items() if name not in ("intake_id", "state")}
    assert case["review"] == kept
    assert case["reviews"] == [kept]


async def test_the_blueprint_is_that_of_the_model_that_stands(event: AssessmentCompleted, sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    address = f"{case_of(event.intake_id)}/blueprint"
    proposed = (await client.get(address)).json()
    assert proposed["model"] == "dedicated_team"
    changed = {"decision": "override", "model": "project_based", "commercial_form": "fixed_price", **WHY, "version": 1}
    await client.post(review_of(event.intake_id), json=changed)
    decided = (await client.get(address)).json()
    assert decided["model"] == "project_based"
    commercial = next(part for part in decided["sections"] if part["id"] == "commercial")
    assert commercial["lines"][0]["rule"] == "reviewed"
    assert commercial["lines"][0]["says"]["title"] == "Fixed price"


async def test_there_is_no_blueprint_of_what_was_erased(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    await hear(database, IntakeErased(intake_id=event.intake_id, version=2, time=NOW))
    answer = await sign_in("sales").get(f"{case_of(event.intake_id)}/blueprint")
    assert answer.status_code == 404
    assert "was erased" in answer.json()["detail"]


async def test_a_returned_case_is_decided_at_its_new_version(event: AssessmentCompleted, sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    await client.post(review_of(event.intake_id), json={"decision": "return", "note": "A date?", "version": 1})
    answer = await client.post(review_of(event.intake_id), json={"decision": "approve", "version": 2})
    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    case = (await client.get(case_of(event.intake_id))).json()
    assert [review["decision"] for review in case["reviews"]] == ["approve", "return"]
    assert case["review"]["decision"] == "approve"


async def test_of_reviewers_who_decide_at_once_one_wins_and_the_others_see_the_present_state(
    event: AssessmentCompleted, sign_in: SignIn
) -> None:
    decisions: list[dict[str, Any]] = [
        {"decision": "approve"},
        {"decision": "override", "model": "hybrid", **WHY},
        {"decision": "return", "note": "Is there a date?"},
    ] * 3
    clients = [sign_in("account_manager", name=f"Reviewer {number}") for number in range(len(decisions))]
    answers = await asyncio.gather(
        *(
            client.post(review_of(event.intake_id), json={**decision, "version": 1})
            for client, decision in zip(clients, decisions, strict=True)
        )
    )
    won = [answer.json() for answer in answers if answer.status_code == 200]
    lost = [answer.json() for answer in answers if answer.status_code == 409]
    assert (len(won), len(lost)) == (1, len(decisions) - 1)
    kept = {name: value for name, value in won[0].items() if name not in ("intake_id", "state")}
    for problem in lost:
        assert (problem["state"], problem["version"], problem["review"]) == (won[0]["state"], 2, kept)
    case = (await clients[0].get(case_of(event.intake_id))).json()
    assert case["reviews"] == [kept]


async def test_a_stale_version_is_refused_with_the_present_state(event: AssessmentCompleted, sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    for version in (0, 2, 10**12):
        answer = await client.post(review_of(event.intake_id), json={"decision": "approve", "version": version})
        problem = answer.json()
        assert answer.status_code == 409
        assert (problem["state"], problem["version"], problem["review"]) == ("proposed", 1, None)


async def test_a_case_that_was_decided_or_withdrawn_takes_no_decision(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client = sign_in("account_manager", name="Anna Berg")
    await client.post(review_of(event.intake_id), json={"decision": "approve", "version": 1})
    for version in (1, 2):
        answer = await client.post(review_of(event.intake_id), json={"decision": "approve", "version": version})
        assert (answer.status_code, answer.json()["state"]) == (409, "approved")
        assert answer.json()["review"]["by"]["name"] == "Anna Berg"
    await hear(database, IntakeWithdrawn(intake_id=event.intake_id, version=2, time=NOW))
    answer = await client.post(review_of(event.intake_id), json={"decision": "approve", "version": 2})
    assert (answer.status_code, answer.json()["state"]) == (409, "withdrawn")


async def test_a_repeated_request_gets_the_first_answer(event: AssessmentCompleted, sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    asked = {"decision": "approve", "version": 1}
    answers = await asyncio.gather(
        *(client.post(review_of(event.intake_id), json=asked, headers={"idempotency-key": "once"}) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    other = await client.post(
        review_of(event.intake_id), json={**asked, "version": 2}, headers={"idempotency-key": "once"}
    )
    assert other.status_code == 422


async def test_a_refused_request_may_be_repeated_with_the_same_key(event: AssessmentCompleted, sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    headers = {"idempotency-key": "once"}
    asked = {"decision": "approve", "version": 2}
    assert (await client.post(review_of(event.intake_id), json=asked, headers=headers)).status_code == 409
    await client.post(review_of(event.intake_id), json={"decision": "return", "note": "A date?", "version": 1})
    assert (await client.post(review_of(event.intake_id), json=asked, headers=headers)).status_code == 200


MISFITS: list[tuple[object, str]] = [
    ({}, "decision"),
    ({"decision": "approve"}, "version"),
    ({"decision": "reject", "version": 1}, "decision"),
    ({"decision": "approve", "version": "1"}, "version"),
    ({"decision": "approve", "version": 1.5}, "version"),
    ({"decision": "approve", "version": True}, "version"),
    ({"decision": "approve", "version": None}, "version"),
    ({"decision": "approve", "version": 1, "urgent": True}, "urgent"),
    ({"decision": "approve", "version": 1, "model": "team"}, "model"),
    ({"decision": "approve", "version": 1, "model": "hybrid"}, "model"),
    ({"decision": "approve", "version": 1, "commercial_form": "retainer"}, "commercial_form"),
    ({"decision": "approve", "version": 1, "note": 3}, "note"),
    ({"decision": "approve", "version": 1, "note": "x" * 2001}, "note"),
    ({"decision": "approve", "version": 1, "note": "a\x00b"}, "note"),
    ({"decision": "approve", "version": 1, "note": "a\x1b[31m"}, "note"),
    ({"decision": "return", "version": 1}, "note"),
    ({"decision": "override", "version": 1, "model": "hybrid"}, "reason_code"),
    ({"decision": "override", "version": 1, "model": "hybrid", "reason_code": "risk"}, "note"),
    (
        {"decision": "override", "version": 1, "model": "hybrid", "reason_code": "mood", "note": "So."},
        "reason_code",
    ),
    (
        {"decision": "override", "version": 1, "model": "hybrid", "reason_code": "x" * 101, "note": "So."},
        "reason_code",
    ),
    ({"decision": "override", "version": 1, **WHY}, "model"),
    (
        {"decision": "override", "version": 1, "model": "hybrid", "commercial_form": "retainer", **WHY},
        "commercial_form",
    ),
    ([], "body"),
    ("approve", "body"),
]


async def test_a_body_that_does_not_fit_is_refused_by_field_and_changes_nothing(
    event: AssessmentCompleted, sign_in: SignIn
) -> None:
    client = sign_in("account_manager")
    for body, named in MISFITS:
        answer = await client.post(review_of(event.intake_id), content=json.dumps(body))
        problem = answer.json()
        assert answer.status_code == 422, body
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["detail"].startswith(f"{named}: "), body
        assert problem["errors"][0]["field"] == ("" if named == "body" else named)
    case = (await client.get(case_of(event.intake_id))).json()
    assert (case["state"], case["version"], case["reviews"]) == ("proposed", 1, [])


UNREADABLE = [
    (b"", 400),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b'{"decision": "approve", "decision": "return", "version": 1}', 400),
    (b'{"decision": "approve", "version": 1, "note": "\\ud800"}', 400),
    (b'{"decision": "approve", "version": 1, "note": "' + b"x" * 10_000_000 + b'"}', 413),
]


async def test_what_is_not_one_json_object_of_fair_size_is_refused(sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    for body, status in UNREADABLE:
        answer = await client.post(review_of(uuid7()), content=body)
        assert answer.status_code == status, body[:40]
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_queue_holds_what_waits_and_the_oldest_comes_first(database: Database, sign_in: SignIn) -> None:
    team, project, call = completed(SAAS_SCALE_UP), completed(DEADLINE_MIGRATION), completed(START_UP_MVP)
    for event in (team, project, call):
        await hear(database, event)
    client = sign_in("account_manager")
    await client.post(review_of(team.intake_id), json={"decision": "approve", "version": 1})
    await client.post(review_of(call.intake_id), json={"decision": "return", "note": "A date?", "version": 1})
    queue = (await sign_in("sales").get(f"{API}/reviews")).json()
    assert [item["intake_id"] for item in queue["items"]] == [str(project.intake_id), str(call.intake_id)]
    assert queue["next"] is None
    item = queue["items"][0]
    assert (item["model"], item["strength"], item["state"], item["version"]) == (
        "project_based",
        "clear",
        "proposed",
        1,
    )
    assert item["company"]["name"] == "Nordwind Energie"
    assert item["age_seconds"] >= 0
    assert (item["checks"], item["unknown"], item["assignee"]) == (0, 0, None)
    for state, expected in (("approved", team), ("returned", call), ("proposed", project)):
        found = (await client.get(f"{API}/reviews", params={"state": state})).json()["items"]
        assert [item["intake_id"] for item in found] == [str(expected.intake_id)]


async def test_a_long_queue_is_read_page_by_page(
    database: Database, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PAGE", 2)
    events = [completed(SAAS_SCALE_UP) for _ in range(5)]
    await hear(database, *events)
    client, seen, after = sign_in("sales"), [], None
    while True:
        page = (await client.get(f"{API}/reviews", params={"after": after} if after else {})).json()
        seen += [item["intake_id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(str(event.intake_id) for event in events)


async def test_an_unheard_state_is_refused_with_the_choices(sign_in: SignIn) -> None:
    answer = await sign_in("sales").get(f"{API}/reviews", params={"state": "pending"})
    assert answer.status_code == 422
    assert "'proposed', 'in_review'" in answer.json()["detail"]


READING = ("/intakes/{id}", "/intakes/{id}/blueprint", "/reviews")


ROLES: tuple[Role, ...] = get_args(Role)


async def test_sales_and_account_managers_read_and_only_account_managers_decide(
    event: AssessmentCompleted, sign_in: SignIn
) -> None:
    allowed: dict[tuple[Role, ...], tuple[int, int]] = {
        (): (403, 403),
        ("rubric_owner", "admin"): (403, 403),
        ("sales",): (200, 403),
        ("sales", "account_manager"): (200, 200),
    }
    assert {role for roles in allowed for role in roles} == set(ROLES)
    for roles, (reading, deciding) in allowed.items():
        client = sign_in(*roles)
        read = [await client.get(API + path.format(id=event.intake_id)) for path in READING]
        assert [answer.status_code for answer in read] == [reading] * len(READING), roles
        answer = await client.post(review_of(event.intake_id), json={"decision": "approve", "version": 1})
        assert answer.status_code == deciding, roles


async def test_without_a_token_nothing_is_shown_or_done(event: AssessmentCompleted, app: FastAPI) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver") as client:
        answers = [await client.get(API + path.format(id=event.intake_id)) for path in READING]
        answers.append(await client.post(review_of(event.intake_id), json={"decision": "approve", "version": 1}))
    assert [answer.status_code for answer in answers] == [401] * (len(READING) + 1)


async def test_the_api_describes_itself(sign_in: SignIn) -> None:
    document = (await sign_in().get(f"{API}/openapi.json")).json()
    assert set(document["paths"]) == {
        f"{API}/intakes/{{intake_id}}",
        f"{API}/intakes/{{intake_id}}/document.pdf",
        f"{API}/intakes/{{intake_id}}/release",
        f"{API}/intakes/{{intake_id}}/review",
        f"{API}/intakes/{{intake_id}}/assignment",
        f"{API}/intakes/{{intake_id}}/signature",
        f"{API}/intakes/{{intake_id}}/undo",
        f"{API}/intakes/{{intake_id}}/blueprint",
        f"{API}/intakes/{{intake_id}}/outcome",
        f"{API}/reviews",
        f"{API}/report",
    }
    body = document["paths"][f"{API}/intakes/{{intake_id}}/review"]["post"]["requestBody"]
    assert set(body["content"]["application/json"]["schema"]["properties"]) == {
        "decision",
        "model",
        "commercial_form",
        "reason_code",
        "note",
        "version",
    }
