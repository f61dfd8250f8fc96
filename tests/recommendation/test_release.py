"""From a review to a client: what may be released, by whom it can be read, and for how long."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx2
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from uuid_utils.compat import uuid7

from services.recommendation.domain import release as rules
from services.recommendation.domain.document import sha256
from services.recommendation.domain.release import (
    AnswerRequest,
    NotAnswerable,
    answered,
    has_run_out,
    link,
    release,
    share_again,
)
from services.recommendation.domain.review import (
    Case,
    OutOfStep,
    Review,
    Reviewer,
    ReviewRequest,
    SignatureRequest,
    UndoRequest,
    Unfit,
    after,
    arriving,
    decide,
    sign,
    take_up,
    undo,
)
from services.recommendation.store import documents
from shared import access
from shared.contracts.intake import IntakeErased, IntakeWithdrawn
from shared.contracts.recommendation import ClientAnswer, Decision, DeclineReason, Model, ProposalState
from shared.postgres import Connection, Database
from shared.questionnaire import PUBLISHED
from shared.service import Settings
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NOW, PLAYBOOK, completed, hear

ANNA = Reviewer(uuid7(), "Anna Berg")
BORIS = Reviewer(uuid7(), "Boris Vidal")
SOL = Reviewer(uuid7(), "Sol Reyes")
COLLEAGUES = st.sampled_from([ANNA, BORIS, SOL])
MODELS = st.sampled_from(get_args(Model))


RULED_OUT = SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"}


class Path(RuleBasedStateMachine):
    """Everything that can happen to a case, in any order; what is out must have been let pass by whoever has to."""

    @initialize()
    def proposed(self) -> None:
        self.case = Case(
            uuid7(),
            1,
            1,
            "proposed",
            "discovery_call",
            "fixed_price",
            PUBLISHED,
            RULED_OUT,
            None,
            None,
            authors=frozenset([SOL.id]),
        )
        self.documents: dict[int, Review] = {}
        self.answers: list[ProposalState] = []

    @rule(by=COLLEAGUES, stale=st.integers(0, 1))
    def taken_up(self, by: Reviewer, stale: int) -> None:
        self._try(lambda: take_up(self.case, self.case.version - stale, by))

    @rule(decision=st.sampled_from(get_args(Decision)), model=MODELS, by=COLLEAGUES, stale=st.integers(0, 1))
    def decided(self, decision: Decision, model: Model, by: Reviewer, stale: int) -> None:
        def done() -> Case:
            asked = ReviewRequest(
                decision=decision,
                model=model if decision == "override" else None,
                reason_code="known_client",
                note="Why so?",
                version=self.case.version - stale,
            )
            return after(self.case, decide(self.case, asked, by, NOW, PLAYBOOK))

        self._try(done)

    @rule(decision=st.sampled_from(["confirm", "refuse"]), by=COLLEAGUES, stale=st.integers(0, 1))
    def signed(self, decision: Any, by: Reviewer, stale: int) -> None:
        def done() -> Case:
            asked = SignatureRequest(decision=decision, note="So it is.", version=self.case.version - stale)
            return after(self.case, sign(self.case, asked, by, NOW))

        self._try(done)

    @rule(by=COLLEAGUES, stale=st.integers(0, 1))
    def undone(self, by: Reviewer, stale: int) -> None:
        def done() -> Case:
            return after(self.case, undo(self.case, UndoRequest(version=self.case.version - stale), by, NOW))

        self._try(done)

    @rule(stale=st.integers(0, 1))
    def released(self, stale: int) -> None:
        def done() -> Case:
            review = release(self.case, self.case.version - stale)
            assert self.case.revision not in self.documents, "a revision has one document"
            self.documents[self.case.revision] = review
            return self._moved("released")

        self._try(done)

    @rule()
    def shared_again(self) -> None:
        def done() -> Case:
            share_again(self.case)
            assert self.case.revision in self.documents
            return self._moved("released")

        self._try(done)

    @rule(days=st.sampled_from([29, 30]))
    def ran_out(self, days: int) -> None:
        if has_run_out(self.case.state, link(uuid7(), 1, NOW), NOW + timedelta(days=days)):
            assert days == 30
            self.case = self._moved("expired")

    @rule(answer=st.sampled_from(["accepted", "declined", "asked"]))
    def answered(self, answer: ClientAnswer) -> None:
        reason: DeclineReason | None = "price" if answer == "declined" else None
        asked = AnswerRequest(answer=answer, name="Ines Albrecht", note="When?", reason_code=reason)
        try:
            state = answered(self.case.state, asked)
        except NotAnswerable:
            return
        assert self.case.revision in self.documents, "nobody answers what is not out"
        self.case = self._moved(state)
        self.answers.append(state)

    @rule()
    def revised(self) -> None:
        state = arriving(self.case.revision + 1, self.case.revision, is_withdrawn=self.case.state == "withdrawn")
        self.case = self._moved(state, revision=self.case.revision + 1, review=None, waiting=None)

    @rule()
    def withdrawn(self) -> None:
        self.case = self._moved("withdrawn")

    @invariant()
    def nothing_is_out_that_was_not_let_pass(self) -> None:
        if self.case.state in rules.OUT:
            assert self.case.revision in self.documents
        for review in self.documents.values():
            assert review.decision in ("approve", "override")
            assert review.standing == "stands"
            assert review.by != SOL, "nobody approves what came of their own questions"
            if review.model == "dedicated_team":
                assert review.second is not None, "a veto is overridden by two"
                assert review.second.by not in (review.by, SOL)

    @invariant()
    def what_needs_a_second_person_waits_in_review(self) -> None:
        if self.case.waiting is not None:
            assert self.case.state in ("in_review", "withdrawn")
            assert self.case.assignee is not None

    def _moved(self, state: ProposalState, **changes: Any) -> Case:
        return Case(**(vars(self.case) | {"version": self.case.version + 1, "state": state} | changes))

    def _try(self, step: Callable[[], Case]) -> None:
        version = self.case.version
        with suppress(OutOfStep, Unfit):
            self.case = step()
            assert self.case.version in (version, version + 1)


TestPath = Path.TestCase


def test_a_link_is_open_for_thirty_days_unless_it_is_closed() -> None:
    made = link(uuid7(), 1, NOW)
    assert made.is_open(NOW)
    assert made.is_open(NOW + timedelta(days=30) - timedelta(seconds=1))
    assert not made.is_open(NOW + timedelta(days=30))
    assert not rules.Link(made.id, 1, NOW, made.expires_at, closed_at=NOW).is_open(NOW)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (AnswerRequest(answer="accepted"), "name"),
        (AnswerRequest(answer="asked", name="Ines"), "note"),
        (AnswerRequest(answer="declined", name="Ines"), "reason_code"),
    ],
)
def test_an_answer_that_lacks_something_is_asked_for_it(request_: AnswerRequest, field: str) -> None:
    with pytest.raises(Unfit) as refusal:
        answered("released", request_)
    assert refusal.value.field == field


async def approved(database: Database, client: httpx2.AsyncClient, levels: dict[str, str] = SAAS_SCALE_UP) -> UUID:
    """A case whose proposal was approved; it is at version 2 then."""
    event = completed(levels)
    await hear(database, event)
    await client.post(f"/reviews/{event.intake_id}/approve", data={"version": 1})
    return event.intake_id


async def released(client: httpx2.AsyncClient, intake_id: UUID, version: int = 2) -> dict[str, Any]:
    answer = await client.post(f"/api/recommendation/intakes/{intake_id}/release", json={"version": version})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def facts(database: Database, intake_id: UUID) -> list[str]:
    async with database.connection() as connection:
        rows = await connection.fetch("select topic from fact where key = $1 order by version", intake_id)
    return [row["topic"].removeprefix("recommendation.").removesuffix(".v1") for row in rows]


async def test_nothing_is_released_before_it_is_approved(database: Database, sign_in: SignIn) -> None:
    anna, event = sign_in("account_manager"), completed(SAAS_SCALE_UP)
    await hear(database, event)
    refused = await anna.post(f"/api/recommendation/intakes/{event.intake_id}/release", json={"version": 1})
    assert (refused.status_code, refused.json()["state"]) == (409, "proposed")
    page = await anna.post(f"/reviews/{event.intake_id}/release", data={"version": 1})
    assert page.status_code == 409
    assert "Decide first" in page.text
    assert (await anna.get(f"/api/recommendation/intakes/{event.intake_id}/document.pdf")).status_code == 404
    assert await facts(database, event.intake_id) == ["proposed"]


async def test_only_an_account_manager_releases_or_sees_a_draft(database: Database, sign_in: SignIn) -> None:
    intake_id = await approved(database, sign_in("account_manager"))
    sales = sign_in("sales")
    for path in (f"/reviews/{intake_id}/draft", f"/reviews/{intake_id}/draft.pdf"):
        assert (await sales.get(path)).status_code == 403
    for path in (f"/reviews/{intake_id}/release", f"/reviews/{intake_id}/link", f"/reviews/{intake_id}/link/close"):
        assert (await sales.post(path, data={"version": 2})).status_code == 403
    asked = await sales.post(f"/api/recommendation/intakes/{intake_id}/release", json={"version": 2})
    assert asked.status_code == 403


async def test_a_release_freezes_what_is_said_under_its_hash_and_says_so(
    database: Database, sign_in: SignIn, settings: Settings
) -> None:
    anna = sign_in("account_manager", name="Anna Berg")
    intake_id = await approved(database, anna)
    told = await released(anna, intake_id)
    assert (told["document"], told["version"], told["state"]) == (1, 3, "released")
    async with database.connection() as connection:
        kept = await connection.fetchval("select content from document_content where intake_id = $1", intake_id)
        (shelf,) = await documents.shelf(connection, intake_id)
        said = await connection.fetchval("select payload::jsonb from fact where topic like '%.released.%'")
    assert told["document_hash"] == sha256(kept) == shelf.document.hash == said["document_hash"]
    assert (shelf.document.questionnaire, shelf.document.playbook) == (PUBLISHED, PLAYBOOK.version)
    assert shelf.link.expires_at - shelf.document.released_at == timedelta(days=30)
    token = urlsplit(told["link"]).path.removeprefix("/d/")
    assert access.link_id(settings.link_secret.get_secret_value(), "document", token) == UUID(said["link_id"])
    assert said["by"] == str(shelf.document.released_by.id)
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released"]
    again = await anna.post(f"/api/recommendation/intakes/{intake_id}/release", json={"version": 3})
    assert (again.status_code, again.json()["state"]) == (409, "released")


async def test_an_override_releases_the_reviewers_model_and_keeps_the_machines(
    database: Database, sign_in: SignIn
) -> None:
    anna, event = sign_in("account_manager", name="Anna Berg"), completed(SAAS_SCALE_UP)
    await hear(database, event)
    decision = {
        "decision": "override",
        "model": "project_based",
        "reason_code": "client_choice",
        "note": "They said so.",
    }
    await anna.post(f"/api/recommendation/intakes/{event.intake_id}/review", json=decision | {"version": 1})
    told = await released(anna, event.intake_id)
    page = (await anna.get(told["link"])).text
    assert "We recommend a project" in page
    assert "Your answers by themselves point to a dedicated team." in page
    assert "They said so." not in page
    case = (await anna.get(f"/api/recommendation/intakes/{event.intake_id}")).json()
    assert (case["model"], case["review"]["model"], case["state"]) == ("dedicated_team", "project_based", "released")


async def test_two_releases_at_once_make_one_document(database: Database, sign_in: SignIn) -> None:
    anna, boris = sign_in("account_manager"), sign_in("account_manager", name="Boris Vidal")
    intake_id = await approved(database, anna)
    address = f"/api/recommendation/intakes/{intake_id}/release"
    answers = await asyncio.gather(*(one.post(address, json={"version": 2}) for one in (anna, boris) * 3))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    async with database.connection() as connection:
        assert len(await documents.shelf(connection, intake_id)) == 1
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released"]


async def test_a_repeated_key_gets_the_first_answer(database: Database, sign_in: SignIn) -> None:
    anna = sign_in("account_manager")
    intake_id = await approved(database, anna)
    address, headers = f"/api/recommendation/intakes/{intake_id}/release", {"idempotency-key": "once"}
    first, second = [await anna.post(address, json={"version": 2}, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, second.json())


async def test_a_later_revision_gets_a_document_of_its_own_and_the_old_one_stays_readable(
    database: Database, sign_in: SignIn
) -> None:
    anna, event = sign_in("account_manager"), completed(SAAS_SCALE_UP)
    await hear(database, event)
    await anna.post(f"/reviews/{event.intake_id}/approve", data={"version": 1})
    first = await released(anna, event.intake_id)
    old = (await anna.get(f"/reviews/{event.intake_id}/documents/1.pdf")).content
    await hear(database, completed(DEADLINE_MIGRATION, intake_id=event.intake_id, revision=2))
    page = (await anna.get(first["link"])).text
    assert "A newer recommendation takes the place of this one" in page
    assert "Send my answer" not in page
    await anna.post(f"/reviews/{event.intake_id}/approve", data={"version": 4})
    second = await released(anna, event.intake_id, version=5)
    assert (second["document"], second["document_hash"] != first["document_hash"]) == (2, True)
    assert "A project" in (await anna.get(second["link"])).text
    assert (await anna.get(first["link"])).status_code == 410
    assert (await anna.get(f"/reviews/{event.intake_id}/documents/1.pdf")).content == old


async def test_a_link_can_be_shown_again_closed_and_made_anew(database: Database, sign_in: SignIn) -> None:
    anna = sign_in("account_manager")
    intake_id = await approved(database, anna)
    told = await released(anna, intake_id)
    case = f"/reviews/{intake_id}"
    assert told["link"] in (await anna.get(case)).text
    assert told["link"] in (await anna.get(case)).text
    for _ in range(2):
        assert (await anna.post(f"{case}/link/close")).status_code == 303
    gone = await anna.get(told["link"])
    assert gone.status_code == 410
    assert "Ask the person who sent it to you" in gone.text
    assert told["link"] not in (await anna.get(case)).text
    assert (await anna.post(f"{case}/link")).status_code == 303
    async with database.connection() as connection:
        (shelf,) = await documents.shelf(connection, intake_id)
    assert shelf.link.is_open(datetime.now(UTC))
    assert (await anna.get(told["link"])).status_code == 410
    assert await facts(database, intake_id) == ["proposed", "reviewed", "released", "link-closed", "released"]


async def test_a_link_that_has_run_out_is_gone(
    database: Database, sign_in: SignIn, connect_as_owner: Connection
) -> None:
    anna = sign_in("account_manager")
    intake_id = await approved(database, anna)
    told = await released(anna, intake_id)
    await connect_as_owner.execute("update recommendation.document_link set expires_at = now()")
    assert (await anna.get(told["link"])).status_code == 410
    assert "ran out" in (await anna.get(f"/reviews/{intake_id}")).text


async def test_erasure_deletes_what_was_said_and_the_link_answers_gone(
    client: httpx2.AsyncClient, database: Database, sign_in: SignIn
) -> None:
    anna = sign_in("account_manager")
    intake_id = await approved(database, anna)
    told = await released(anna, intake_id)
    await client.post(f"{told['link']}/answer", data={"answer": "asked", "name": "Ines Albrecht", "note": "From when?"})
    await hear(database, IntakeErased(intake_id=intake_id, version=2, time=NOW))
    for method, place in (("GET", ""), ("POST", "/opened"), ("POST", "/document.pdf"), ("POST", "/answer")):
        assert (await client.request(method, told["link"] + place)).status_code == 410
    assert (await anna.get(f"/api/recommendation/intakes/{intake_id}/document.pdf")).status_code == 410
    assert (await anna.get(f"/reviews/{intake_id}/documents/1.pdf")).status_code == 404
    page = (await anna.get(f"/reviews/{intake_id}")).text
    assert "Ines" not in page
    assert "From when?" not in page
    assert told["link"] not in page
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from document_content") == 0
        (shelf,) = await documents.shelf(connection, intake_id)
    assert (shelf.document.hash, shelf.answers[0].name, shelf.answers[0].note) == (told["document_hash"], None, None)


async def test_a_withdrawn_request_is_not_released(database: Database, sign_in: SignIn) -> None:
    anna = sign_in("account_manager")
    intake_id = await approved(database, anna)
    await hear(database, IntakeWithdrawn(intake_id=intake_id, version=2, time=NOW))
    refused = await anna.post(f"/api/recommendation/intakes/{intake_id}/release", json={"version": 2})
    assert (refused.status_code, refused.json()["state"]) == (409, "withdrawn")


@pytest.mark.parametrize(
    "statement",
    [
        "update document set hash = 'another'",
        "delete from document",
        "update document_content set content = 'another'",
        "update document_visit set at = now()",
        "delete from document_visit",
        "update document_answer set answer = 'accepted'",
        "delete from document_answer",
        "update document_link set expires_at = now() + interval '1 year'",
        "delete from document_link",
    ],
)
async def test_the_service_itself_cannot_change_what_it_has_released(database: Database, statement: str) -> None:
    async with database.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
