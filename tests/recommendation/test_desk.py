"""The review desk: giving cases to colleagues, two people against a veto, and decisions that are taken back."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from uuid_utils.compat import uuid7

from services.recommendation.domain.assignment import (
    Absence,
    AssignRequest,
    NobodyThere,
    asked_with_reason,
    away,
    covered_by,
    is_overdue,
    stand_in,
)
from services.recommendation.domain.review import (
    DECIDED,
    AwaitsSecondPerson,
    Case,
    NothingToSign,
    NothingToUndo,
    OwnWork,
    ReasonNeeded,
    Reviewer,
    ReviewRequest,
    SecondPersonNeeded,
    SignatureRequest,
    StaleVersion,
    UndoRequest,
    Unfit,
    after,
    decide,
    sign,
    take_up,
    undo,
)
from services.recommendation.events import HANDLERS
from services.recommendation.store import queue
from shared import access
from shared.access import Principal, on_staff_changed
from shared.contracts.intake import IntakeErased, StaffChanged
from shared.contracts.recommendation import RecommendationAssigned, RecommendationReviewed
from shared.kafka import hand_over
from shared.postgres import Database
from shared.promise import answer_due
from shared.questionnaire import PUBLISHED
from shared.service import Settings
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NORDWIND, NOW, PLAYBOOK, completed, hear

API = "/api/recommendation/intakes"
ANNA, BORIS, SOL = (Reviewer(uuid7(), name) for name in ("Anna Berg", "Boris Vidal", "Sol Reyes"))
KEY = uuid7()
RULED_OUT = SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"}
AGAINST_THE_VETO: dict[str, Any] = {
    "decision": "override",
    "model": "dedicated_team",
    "reason_code": "known_client",
    "note": "Their board has agreed to lift the rule for us.",
}
PROPOSED = Case(
    intake_id=uuid7(),
    version=1,
    revision=1,
    state="proposed",
    model="discovery_call",
    commercial_form="fixed_price",
    questionnaire=PUBLISHED,
    answers=RULED_OUT,
    assignee=None,
    review=None,
    authors=frozenset([SOL.id]),
)


def decided(case: Case, by: Reviewer = ANNA, **asked: Any) -> Case:
    request = ReviewRequest.model_validate({"version": case.version, **asked})
    return after(case, decide(case, request, by, NOW, PLAYBOOK))


def waiting() -> Case:
    return decided(PROPOSED, **AGAINST_THE_VETO)


def word(case: Case, decision: str = "confirm", note: str | None = None) -> SignatureRequest:
    return SignatureRequest.model_validate({"decision": decision, "note": note, "version": case.version})


def test_an_override_of_a_veto_waits_in_review_for_a_second_person() -> None:
    case = waiting()
    assert (case.state, case.assignee, case.version, case.review) == ("in_review", ANNA, 2, None)
    assert case.waiting is not None
    assert (case.waiting.standing, case.waiting.model) == ("waits", "dedicated_team")
    for decision in ("approve", "override", "return"):
        with pytest.raises(AwaitsSecondPerson, match="Anna Berg"):
            decided(case, BORIS, decision=decision)


@pytest.mark.parametrize(
    "asked",
    [
        {"decision": "override", "model": "project_based", "reason_code": "known_client", "note": "So."},
        {"decision": "override", "model": "hybrid", "reason_code": "known_client", "note": "So."},
        {"decision": "approve"},
    ],
)
def test_what_no_veto_rules_out_needs_one_person(asked: dict[str, Any]) -> None:
    case = decided(PROPOSED, **asked)
    assert case.state in DECIDED
    assert case.review is not None
    assert case.review.standing == "stands"


def test_a_second_person_makes_the_override_hold() -> None:
    case = waiting()
    signed = after(case, sign(case, word(case), BORIS, NOW))
    assert (signed.state, signed.version, signed.waiting) == ("overridden", 3, None)
    assert signed.review is not None
    assert signed.review.second is not None
    assert (signed.review.standing, signed.review.by, signed.review.second.by) == ("stands", ANNA, BORIS)


def test_a_second_person_who_refuses_says_why_and_gives_it_back() -> None:
    case = waiting()
    with pytest.raises(ReasonNeeded):
        sign(case, word(case, "refuse"), BORIS, NOW)
    refused = after(case, sign(case, word(case, "refuse", "No board can do that."), BORIS, NOW))
    assert (refused.state, refused.assignee, refused.waiting, refused.review) == ("in_review", ANNA, None, None)


@pytest.mark.parametrize(
    ("by", "refusal"), [(ANNA, SecondPersonNeeded), (SOL, OwnWork)], ids=["who decided", "who took the answers down"]
)
def test_some_may_not_be_the_second_person(by: Reviewer, refusal: type[Unfit]) -> None:
    case = waiting()
    for decision in ("confirm", "refuse"):
        with pytest.raises(refusal):
            sign(case, word(case, decision, "So."), by, NOW)


def test_there_is_nothing_to_sign_where_nothing_waits_and_an_old_page_signs_nothing() -> None:
    with pytest.raises(NothingToSign):
        sign(PROPOSED, word(PROPOSED), BORIS, NOW)
    with pytest.raises(StaleVersion):
        sign(waiting(), word(PROPOSED), BORIS, NOW)


def test_who_took_the_answers_down_asks_but_does_not_approve() -> None:
    for asked in ({"decision": "approve"}, AGAINST_THE_VETO):
        with pytest.raises(OwnWork) as refused:
            decided(PROPOSED, SOL, **asked)
        assert refused.value.field == "decision"
    with pytest.raises(OwnWork):
        take_up(PROPOSED, 1, SOL)
    assert decided(PROPOSED, SOL, decision="return", note="Is there a date?").state == "returned"


@pytest.mark.parametrize("case", [waiting(), decided(PROPOSED, decision="approve")], ids=["waiting", "approved"])
def test_a_decision_is_taken_back_into_the_hands_of_who_does(case: Case) -> None:
    undone = after(case, undo(case, UndoRequest(version=case.version), BORIS, NOW))
    assert (undone.state, undone.assignee, undone.version) == ("in_review", BORIS, 3)
    assert (undone.review, undone.waiting) == (None, None)


@pytest.mark.parametrize("state", ["proposed", "in_review", "returned", "released", "accepted", "withdrawn"])
def test_nothing_is_taken_back_where_nothing_is_decided_or_all_is_out(state: Any) -> None:
    approval = decided(PROPOSED, decision="approve").review
    case = replace(PROPOSED, state=state, review=None if state in ("proposed", "in_review") else approval)
    with pytest.raises(NothingToUndo):
        undo(case, UndoRequest(version=case.version), BORIS, NOW)


TODAY = date(2026, 11, 23)


def gone(of: Reviewer, deputy: Reviewer) -> dict[UUID, Absence]:
    return {of.id: Absence(of, TODAY, deputy)}


def test_a_deputy_gets_what_was_meant_for_who_is_away() -> None:
    assert stand_in(ANNA, {}) == ANNA
    assert stand_in(ANNA, gone(ANNA, BORIS)) == BORIS
    assert stand_in(ANNA, gone(ANNA, BORIS) | gone(BORIS, SOL)) == SOL
    assert [one.of for one in covered_by(SOL.id, gone(ANNA, BORIS) | gone(BORIS, SOL))] == [ANNA, BORIS]


def test_where_all_deputies_are_away_somebody_else_has_to_be_chosen() -> None:
    absences = gone(ANNA, BORIS) | gone(BORIS, ANNA)
    with pytest.raises(NobodyThere, match="Anna Berg"):
        stand_in(ANNA, absences)
    assert covered_by(ANNA.id, absences) == []


@pytest.mark.parametrize(
    ("until", "deputy", "field"),
    [
        (TODAY - timedelta(days=1), BORIS, "until"),
        (TODAY + timedelta(days=400), BORIS, "until"),
        (TODAY, ANNA, "deputy"),
    ],
)
def test_an_absence_lies_ahead_and_has_another_deputy(until: date, deputy: Reviewer, field: str) -> None:
    with pytest.raises(Unfit) as refused:
        away(ANNA, until, deputy, TODAY)
    assert refused.value.field == field


def test_a_case_is_given_away_with_a_reason() -> None:
    with pytest.raises(Unfit) as refused:
        asked_with_reason(AssignRequest(assignee=BORIS.id, reason=" ", version=1))
    assert refused.value.field == "reason"


def test_what_waits_for_sales_is_not_overdue() -> None:
    late = answer_due(NOW) + timedelta(minutes=1)
    assert [is_overdue(state, NOW, late) for state in ("proposed", "in_review", "returned", "approved")] == [
        True,
        True,
        False,
        False,
    ]
    assert not is_overdue("proposed", NOW, answer_due(NOW))


@pytest.fixture
async def vetoed(database: Database) -> str:
    """Where a case is whose answers rule a dedicated team out, taken down by Sol Reyes."""
    heard = completed(RULED_OUT)
    by_sol = heard.model_copy(update={"submission": heard.submission.model_copy(update={"author": SOL.id})})
    async with database.transaction() as connection:
        await hand_over(connection, HANDLERS, [by_sol])
        for one, roles in ((ANNA, "account_manager"), (BORIS, "account_manager"), (SOL, "sales")):
            known = StaffChanged(staff_id=one.id, version=1, time=NOW, name=one.name, roles=(roles,), active=True)
            await on_staff_changed(connection, known)
        key = known.model_copy(update={"staff_id": KEY, "roles": ("account_manager",), "is_person": False})
        await on_staff_changed(connection, key)
    return f"{API}/{heard.intake_id}"


async def said(database: Database, topic: str) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        rows = await connection.fetch(
            "select payload::jsonb as said from fact where topic = $1 order by version", topic
        )
    return [row["said"] for row in rows]


async def test_two_people_override_a_veto_and_one_takes_it_back_before_it_is_out(
    database: Database, sign_in: SignIn, vetoed: str
) -> None:
    anna, boris = (sign_in("account_manager", of=one) for one in (ANNA, BORIS))
    override = (await anna.post(f"{vetoed}/review", json=AGAINST_THE_VETO | {"version": 1})).json()
    assert (override["state"], override["standing"]) == ("in_review", "waits")
    refused = await anna.post(f"{vetoed}/signature", json={"decision": "confirm", "version": 2})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "decision")
    early = await boris.post(f"{vetoed}/release", json={"version": 2})
    assert early.status_code == 409
    again = await boris.post(f"{vetoed}/review", json={"decision": "approve", "version": 2})
    assert (again.status_code, again.json()["state"]) == (409, "in_review")
    assert await said(database, RecommendationReviewed.topic) == []
    signed = await boris.post(f"{vetoed}/signature", json={"decision": "confirm", "version": 2})
    assert (signed.json()["state"], signed.json()["version"]) == ("overridden", 3)
    (fact,) = await said(database, RecommendationReviewed.topic)
    assert (fact["by"], fact["confirmed_by"]) == (str(ANNA.id), str(BORIS.id))
    undone = await boris.post(f"{vetoed}/undo", json={"note": "The board met again.", "version": 3})
    assert undone.json()["state"] == "in_review"
    case = (await anna.get(vetoed)).json()
    assert (case["review"], case["waiting"], case["assignee"]["name"]) == (None, None, "Boris Vidal")
    (kept,) = case["reviews"]
    assert (kept["standing"], [one["kind"] for one in kept["sequels"]]) == ("undone", ["confirmed", "undone"])
    assert len(await said(database, RecommendationAssigned.topic)) == 2
    late = await anna.post(f"{vetoed}/undo", json={"version": 4})
    assert late.status_code == 409


async def test_who_decides_on_what_waits_for_a_signature_keeps_the_words_and_who_may_not_sees_no_button(
    sign_in: SignIn, vetoed: str
) -> None:
    anna, boris, sol = (sign_in("account_manager", of=one) for one in (ANNA, BORIS, SOL))
    await anna.post(f"{vetoed}/review", json=AGAINST_THE_VETO | {"version": 1})
    case = vetoed.replace(API, "/reviews")
    fields = {"version": 1, "model": "hybrid", "reason_code": "known_client", "override_note": "They said so to me."}
    late = await boris.post(f"{case}/override", data=fields)
    assert late.status_code == 409
    assert "They said so to me." in late.text
    for client, signs in ((anna, False), (boris, True), (sol, False)):
        page = (await client.get(case)).text
        assert ("Sign it and tell sales" in page) == signs
        assert "Approve" not in page


async def test_a_case_goes_to_the_deputy_of_who_is_away_and_says_so(
    database: Database, sign_in: SignIn, vetoed: str
) -> None:
    anna, boris = (sign_in("account_manager", of=one) for one in (ANNA, BORIS))
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    left = await anna.post("/reviews/away", data={"until": tomorrow, "deputy": str(BORIS.id)})
    assert left.status_code == 303
    for who in (SOL.id, KEY, uuid7()):
        refused = await boris.post(f"{vetoed}/assignment", json={"assignee": str(who), "reason": "So.", "version": 1})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "assignee")
    asked = {"assignee": str(ANNA.id), "reason": "She knows the client.", "version": 1}
    given = (await boris.post(f"{vetoed}/assignment", json=asked)).json()
    assert (given["assignee"]["name"], given["asked_for"]["name"]) == ("Boris Vidal", "Anna Berg")
    page = await boris.get(vetoed.replace(API, "/reviews"))
    assert "for Anna Berg who was away" in page.text
    assert "You look after the reviews of Anna Berg" in (await boris.get("/reviews/")).text
    async with database.transaction() as connection:
        intake_id = UUID(vetoed.rsplit("/", 1)[1])
        await hand_over(connection, HANDLERS, [IntakeErased(intake_id=intake_id, version=9, time=NOW)])
        assert await connection.fetchval("select count(*) from assignment where reason is not null") == 0


async def test_the_deputy_finds_the_waiting_cases_of_who_is_away(
    database: Database, sign_in: SignIn, vetoed: str
) -> None:
    anna, boris = (sign_in("account_manager", of=one) for one in (ANNA, BORIS))
    case = vetoed.replace(API, "/reviews")
    await anna.post(f"{case}/claim", data={"version": 1})
    covered = "/reviews/?tab=covered"
    assert case not in (await boris.get(covered)).text
    await anna.post("/reviews/away", data={"until": datetime.now(UTC).date().isoformat(), "deputy": str(BORIS.id)})
    assert f"{case}?tab=covered" in (await boris.get(covered)).text
    await anna.post("/reviews/back")
    assert case not in (await boris.get(covered)).text


async def test_of_decisions_made_at_once_one_is_kept_and_the_others_are_told(
    database: Database, sign_in: SignIn, vetoed: str
) -> None:
    callers = [sign_in("account_manager", name=f"Reviewer {number}") for number in range(6)]
    asked: list[dict[str, Any]] = [{"decision": "approve"}, AGAINST_THE_VETO, {"decision": "return", "note": "When?"}]

    async def race(steps: list[tuple[httpx2.AsyncClient, str, dict[str, Any]]]) -> list[int]:
        answers = await asyncio.gather(*(client.post(f"{vetoed}/{step}", json=body) for client, step, body in steps))
        return sorted(answer.status_code for answer in answers)

    first = [(client, "review", asked[place % 3] | {"version": 1}) for place, client in enumerate(callers)]
    assert await race(first) == [200] + [409] * 5
    async with database.transaction() as connection:
        assert await connection.fetchval("select count(*) from review") == 1
        assert await connection.fetchval("select version from review_case") == 2
    second: list[tuple[httpx2.AsyncClient, str, dict[str, Any]]] = [
        (client, *step)
        for client in callers[:3]
        for step in (("undo", {"version": 2}), ("signature", {"decision": "confirm", "version": 2}))
    ]
    kept = (await race(second)).count(200)
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from review_sequel") == kept <= 1
        assert await connection.fetchval("select version from review_case") == 2 + kept
        assert await connection.fetchval("select count(*) from fact where topic not like '%proposed%'") == 1 + kept


async def test_the_queue_is_searched_filtered_and_walked_in_the_order_in_which_it_is_due(
    database: Database, sign_in: SignIn
) -> None:
    names = ("Bergbau 100% Nord", "Bergland Käse", "Hafen Süd")
    heard = [completed(SAAS_SCALE_UP, company=NORDWIND.model_copy(update={"name": name})) for name in names]
    await hear(database, *heard)
    client = sign_in("account_manager")
    first, second, third = (str(one.intake_id) for one in heard)

    async def found(**narrowed: str) -> list[str]:
        listed = await client.get("/api/recommendation/reviews", params=narrowed)
        return [item["intake_id"] for item in listed.json()["items"]]

    assert await found() == [first, second, third]
    assert await found(company="berg") == [first, second]
    assert await found(company="%") == [first]
    assert await found(company="KÄSE") == [second]
    assert await found(model="hybrid") == []
    await client.post(f"{API}/{first}/review", json={"decision": "return", "note": "When?", "version": 1})
    assert await found() == [second, third, first], "what waits for sales comes last"
    async with database.connection() as connection:
        waiting_ones = queue.Wanted(("proposed", "in_review", "returned"))
        beside = [await queue.beside(connection, waiting_ones, one.intake_id) for one in heard]
    named = [tuple(one and str(one) for one in pair) for pair in beside]
    assert named == [(third, None), (None, third), (second, first)]
    page = (await client.get(f"/reviews/{second}?company=berg")).text
    assert f'href="/reviews/{first}?company=berg"' in page
    assert f'action="/reviews/{second}/approve?company=berg"' in page


async def test_a_key_is_never_the_second_person(
    client: httpx2.AsyncClient, settings: Settings, sign_in: SignIn, vetoed: str
) -> None:
    anna = sign_in("account_manager", of=ANNA)
    await anna.post(f"{vetoed}/review", json=AGAINST_THE_VETO | {"version": 1})
    assert settings.signing_key is not None
    key = Principal(KEY, KEY, "Our website", ("account_manager",), 1)
    token = access.sign(key, settings.signing_key, issued=NOW, expires=None)
    client.headers["authorization"] = f"Bearer {token}"
    refused = await client.post(f"{vetoed}/signature", json={"decision": "confirm", "version": 2})
    assert (refused.status_code, refused.json()["title"]) == (403, "A person has to do this")
    page = vetoed.replace(API, "/reviews")
    assert "Sign it and tell sales" not in (await client.get(page)).text
    for way in ("confirm", "refuse"):
        answer = await client.post(f"{page}/{way}", data={"version": 2, "refusal_note": "So."})
        assert (answer.status_code, "A person has to do this" in answer.text) == (403, True)
    assert (await anna.get(vetoed)).json()["waiting"]["standing"] == "waits"


async def test_a_refused_signature_is_told_where_one_decides_again(sign_in: SignIn, vetoed: str) -> None:
    anna, boris = (sign_in("account_manager", of=one) for one in (ANNA, BORIS))
    await anna.post(f"{vetoed}/review", json=AGAINST_THE_VETO | {"version": 1})
    page = vetoed.replace(API, "/reviews")
    told = "Boris Vidal refused to sign"
    assert told not in (await anna.get(page)).text
    await boris.post(f"{page}/refuse", data={"version": 2, "refusal_note": "No board can do that."})
    refused = (await anna.get(page)).text
    assert refused.index(told) < refused.index("No board can do that.") < refused.index("Your decision")
    late = await boris.post(f"{page}/confirm", data={"version": 2})
    assert (late.status_code, "Boris Vidal refused to sign the decision" in late.text) == (409, True)
    await anna.post(f"{page}/return", data={"version": 3, "question": "Who says so?"})
    assert told not in (await anna.get(page)).text
