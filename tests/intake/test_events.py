"""What intake hears, in whatever order it comes, and what it asks again."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.intake import events, jobs
from services.intake.domain.submission import SubmissionForm, given_answers, submitted
from services.intake.store import intakes, mail, timeline
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.base import IntakeEvent
from shared.contracts.intake import Company, IntakeSubmitted
from shared.contracts.recommendation import (
    ClientAnswer,
    RecommendationAnswered,
    RecommendationAssigned,
    RecommendationCallBooked,
    RecommendationExpired,
    RecommendationLinkClosed,
    RecommendationOpened,
    RecommendationOutcomeRecorded,
    RecommendationProposed,
    RecommendationReleased,
    RecommendationReplied,
    RecommendationReviewed,
)
from shared.kafka import hand_over
from shared.postgres import Database
from shared.questionnaire import load
from tests.assessment.published import assessed
from tests.clients import submission

NOW = datetime.now(UTC)


@pytest.fixture
async def database(connect: Callable[[str], Awaitable[Database]]) -> Database:
    return await connect("intake")


async def accept(database: Database) -> IntakeSubmitted:
    form = SubmissionForm.model_validate(submission())
    fact = submitted(
        intake_id=uuid4(),
        revision=1,
        version=1,
        questionnaire=load(),
        given=given_answers(form),
        company=Company(**form.company.model_dump()),
        channel="api",
        language="en",
        now=NOW,
    )
    async with database.connection() as connection:
        assert await intakes.accept(
            connection,
            fact,
            given=given_answers(form),
            contact=form.contact,
            consent=form.consent,
            caller=uuid4(),
            route="/",
            key=None,
            body_hash=b"",
            response="",
        )
    return fact


async def hear(database: Database, *heard: IntakeEvent) -> intakes.IntakeStatus:
    async with database.transaction() as connection:
        for event in heard:
            await hand_over(connection, events.HANDLERS, [event])
        found = await intakes.status(connection, heard[0].intake_id)
    assert found is not None
    return found


def completed(fact: IntakeSubmitted) -> AssessmentCompleted:
    return AssessmentCompleted(
        intake_id=fact.intake_id,
        version=1,
        time=NOW,
        submission=fact.submission,
        assessment=assessed({"requirements": "written"}),
        completed_at=NOW,
    )


def proposed(intake_id: UUID, version: int = 1, revision: int = 1) -> RecommendationProposed:
    return RecommendationProposed(
        intake_id=intake_id,
        version=version,
        time=NOW,
        revision=revision,
        model="project_based",
        strength="clear",
        commercial_form="milestones",
    )


def reviewed(intake_id: UUID, version: int) -> RecommendationReviewed:
    return RecommendationReviewed(
        intake_id=intake_id,
        version=version,
        time=NOW,
        revision=1,
        decision="approve",
        by=uuid4(),
        model="project_based",
        commercial_form="milestones",
        reason_code=None,
    )


def released(intake_id: UUID, version: int) -> RecommendationReleased:
    return RecommendationReleased(
        intake_id=intake_id,
        version=version,
        time=NOW,
        revision=1,
        by=uuid4(),
        model="project_based",
        commercial_form="milestones",
        document=1,
        document_hash="e97a7a5e",
        link_id=uuid4(),
        expires_at=NOW + timedelta(days=30),
    )


async def test_an_assessment_is_kept_and_a_proposal_answers_the_submission(database: Database) -> None:
    fact = await accept(database)
    assert (await hear(database, completed(fact))).state == "assessed"
    status = await hear(database, proposed(fact.intake_id))
    assert status.state == "proposed"
    assert status.assessment is not None
    async with database.connection() as connection:
        assert await intakes.ask_again(connection, NOW + timedelta(days=1)) == []


async def test_a_proposal_that_comes_before_its_assessment_is_not_undone_by_it(database: Database) -> None:
    fact = await accept(database)
    status = await hear(database, proposed(fact.intake_id), completed(fact))
    assert (status.state, status.assessment is not None) == ("proposed", True)


@pytest.mark.parametrize(
    ("answer", "state"), [("accepted", "accepted"), ("declined", "declined"), ("asked", "released")]
)
async def test_what_becomes_of_a_document_is_heard(database: Database, answer: ClientAnswer, state: str) -> None:
    fact = await accept(database)
    intake_id = fact.intake_id
    out = released(intake_id, 3)
    assert (await hear(database, proposed(intake_id), reviewed(intake_id, 2), out)).state == "released"
    opened = RecommendationOpened(intake_id=intake_id, version=4, time=NOW, revision=1, document=1)
    said = RecommendationAnswered(
        intake_id=intake_id,
        version=5,
        time=NOW,
        revision=1,
        document=1,
        answer=answer,
        reason_code="timing" if answer == "declined" else None,
    )
    assert (await hear(database, said, opened)).state == state
    async with database.connection() as connection:
        noted = {one["type"]: one for one in await timeline.of(connection, intake_id)}
    assert noted[out.topic]["link_id"] == str(out.link_id)
    assert noted[opened.topic]["document"] == 1
    assert noted[said.topic]["answer"] == answer


async def test_what_follows_a_document_is_noted_and_leaves_the_state_to_later_news(database: Database) -> None:
    intake_id = (await accept(database)).intake_id
    about, manager = {"intake_id": intake_id, "time": NOW, "revision": 1}, uuid4()
    call = RecommendationCallBooked(
        **about,
        version=5,
        document=1,
        call_id=uuid4(),
        host=manager,
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=30),
        zone="Europe/Vienna",
        status="booked",
        sequence=0,
        by=None,
    )
    replied = RecommendationReplied(**about, version=6, document=1, by=manager)
    outcome = RecommendationOutcomeRecorded(
        **about, version=7, outcome="signed", model_used="hybrid", reason_code=None, happened_on=NOW.date(), by=manager
    )
    assert (await hear(database, released(intake_id, 3), outcome, replied, call)).state == "released"
    expired = RecommendationExpired(**about, version=4, document=1)
    assert (await hear(database, expired)).state == "expired"
    async with database.connection() as connection:
        noted = {one["type"]: one for one in await timeline.of(connection, intake_id)}
    assert noted[call.topic]["starts_at"] == NOW.isoformat()
    assert noted[outcome.topic]["model"] == "hybrid"
    assert noted[replied.topic]["by"] == str(manager)


async def test_a_closed_link_ends_what_waits_on_it_until_another_takes_its_place(database: Database) -> None:
    intake_id = (await accept(database)).intake_id

    def closed(release: RecommendationReleased) -> RecommendationLinkClosed:
        about = {"intake_id": intake_id, "version": release.version + 1, "time": release.time + timedelta(hours=1)}
        return RecommendationLinkClosed(**about, revision=1, document=1, link_id=release.link_id, by=uuid4())

    async def standing() -> tuple[bool, bool, datetime | None]:
        async with database.connection() as connection:
            release = await timeline.last_release(connection, intake_id)
            addressee = await mail.addressee(connection, intake_id)
            ends = await connection.fetchval("select link_expires_at from intake where id = $1", intake_id)
        assert release is not None
        assert addressee is not None
        return release.is_open(NOW), addressee.is_link_closed, ends

    first = released(intake_id, 3)
    second = released(intake_id, 5).model_copy(update={"time": NOW + timedelta(hours=2)})
    assert (await hear(database, first, closed(first))).state == "released"
    assert await standing() == (False, True, None)
    await hear(database, second)
    assert await standing() == (True, False, second.expires_at)
    await hear(database, closed(first))
    assert await standing() == (True, False, second.expires_at)
    await hear(database, closed(second), second)
    assert await standing() == (False, True, None)


async def test_an_older_event_never_replaces_a_newer_state(database: Database) -> None:
    fact = await accept(database)
    manager = uuid4()
    assigned = RecommendationAssigned(
        intake_id=fact.intake_id, version=2, time=NOW, revision=1, assignee=manager, by=manager
    )
    status = await hear(database, reviewed(fact.intake_id, 3), assigned, proposed(fact.intake_id, 1))
    assert status.state == "approved"
    async with database.connection() as connection:
        assert len(await timeline.of(connection, fact.intake_id)) == 4


async def test_an_event_heard_twice_stands_once_on_the_timeline(database: Database) -> None:
    fact = await accept(database)
    await hear(database, proposed(fact.intake_id), proposed(fact.intake_id))
    async with database.connection() as connection:
        assert len(await timeline.of(connection, fact.intake_id)) == 2


async def test_a_proposal_for_an_earlier_revision_does_not_answer_the_current_one(database: Database) -> None:
    fact = await accept(database)
    second = fact.model_copy(update={"version": 2, "submission": fact.submission.model_copy(update={"revision": 2})})
    async with database.transaction() as connection:
        await intakes.add_revision(connection, second, {})
    assert (await hear(database, proposed(fact.intake_id, 1, 1))).state == "submitted"
    assert (await hear(database, proposed(fact.intake_id, 2, 2))).state == "proposed"


async def test_news_of_an_unheard_intake_is_left_aside(database: Database) -> None:
    async with database.transaction() as connection:
        await events.on_proposed(connection, [proposed(uuid4())])
        assert await connection.fetchval("select count(*) from timeline") == 0


async def test_an_unanswered_submission_is_said_again_later_each_time_and_then_shown_as_stuck(
    database: Database,
) -> None:
    fact = await accept(database)
    async with database.transaction() as connection:
        assert await intakes.ask_again(connection, NOW + timedelta(seconds=59)) == []
        now, waits = NOW + timedelta(minutes=1), []
        for _ in range(intakes.MOST_ASKS):
            assert await intakes.ask_again(connection, now) == [fact.event_id]
            due = await connection.fetchval("select ask_again_at from intake")
            waits.append(round((due - now).total_seconds() / 60))
            now = due
        assert waits == [2**n for n in range(intakes.MOST_ASKS)]
        assert await intakes.ask_again(connection, now) == []
        status = await intakes.status(connection, fact.intake_id)
    assert status is not None
    assert status.is_stuck
    assert not (await hear(database, proposed(fact.intake_id))).is_stuck


async def test_the_reconciler_puts_the_very_same_fact_in_the_outbox(database: Database) -> None:
    fact = await accept(database)
    async with database.transaction() as connection:
        await connection.execute("delete from outbox")
        await connection.execute("update intake set ask_again_at = now()")
    await jobs.reconcile(database)
    async with database.connection() as connection:
        rows = await connection.fetch("select fact_id from outbox")
    assert [row["fact_id"] for row in rows] == [fact.event_id]


async def test_a_new_link_to_what_was_accepted_leaves_it_accepted(database: Database) -> None:
    intake_id = (await accept(database)).intake_id
    answered = RecommendationAnswered(
        intake_id=intake_id, version=4, time=NOW, revision=1, document=1, answer="accepted", reason_code=None
    )
    anew = released(intake_id, 5).model_copy(update={"state": "accepted"})
    assert (await hear(database, released(intake_id, 3), answered, anew)).state == "accepted"
