import asyncio
import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from services.intake import events, handlers
from services.intake.domain.drafts import KEPT
from services.intake.domain.submission import CONSENT_TEXT
from services.intake.store import drafts, intakes
from shared.access import DOCUMENT_LINK, link_token
from shared.contracts.assessment import Assessment, Strength, Verdict
from shared.contracts.intake import IntakeSubmitted
from shared.contracts.recommendation import (
    RecommendationAnswered,
    RecommendationAssigned,
    RecommendationLinkClosed,
    RecommendationProposed,
    RecommendationReleased,
    RecommendationReviewed,
)
from shared.pages.formats import day
from shared.postgres import Database
from shared.promise import answer_day
from shared.questionnaire import UNKNOWN, load
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP, START_UP_MVP
from tests.intake.prospect import NORDWIND, SECRET, begun, fill, form_on, id_of, save, score, send, sent, text_of

CATALOGUE = load()
STAFF = UUID(int=7)
NOW = datetime.now(UTC)


async def test_a_questionnaire_filled_page_by_page_arrives_once_as_it_was_given(
    client: AsyncClient, database: Database
) -> None:
    draft = await begun(client)
    given = SAAS_SCALE_UP | {"after_release": "hand_over", "live_service": UNKNOWN}
    del given["funding"]
    await fill(client, draft, NORDWIND | given)
    answers = await asyncio.gather(*(send(client, draft) for _ in range(3)))
    assert {answer.headers["location"] for answer in answers} == {f"{draft}/status"}
    async with database.connection() as connection:
        facts = await connection.fetch("select key, payload from fact")
        contact = await connection.fetchrow("select contact_name, contact_email, consent, channel from intake")
        stored = await intakes.current_revision(connection, id_of(draft))
    assert [fact["key"] for fact in facts] == [id_of(draft)]
    submission = IntakeSubmitted.model_validate_json(facts[0]["payload"]).submission
    assert submission.company.model_dump() == {
        "name": "Nordwind Energie",
        "headcount": "51-250",
        "industry": "energy",
        "country": "DE",
    }
    assert (submission.answers["live_service"].level, submission.answers["live_service"].confidence) == (
        "none",
        "inferred",
    )
    assert submission.answers["funding"].level == UNKNOWN
    assert stored.given["live_service"].level == UNKNOWN
    assert {question: answer.level for question, answer in stored.given.items()} == given
    assert contact is not None
    assert contact["contact_name"] == "Mara Lind"
    assert contact["contact_email"] == "mara@nordwind.example"
    assert contact["channel"] == "web"
    assert contact["consent"]["given"]
    assert contact["consent"]["text_version"] == CONSENT_TEXT


async def test_the_review_shows_every_answer_what_follows_and_what_is_open(client: AsyncClient) -> None:
    draft = await begun(client)
    answers = SAAS_SCALE_UP | {"after_release": "hand_over", "live_service": UNKNOWN, "funding": UNKNOWN}
    del answers["start"]
    await fill(client, draft, NORDWIND | answers)
    page = await client.get(f"{draft}/review")
    shown = text_of(page)
    assert "Size 51 to 250 people" in shown
    assert "Industry Energy" in shown
    assert "Country Germany" in shown
    for question in CATALOGUE.questions:
        answer = question.level_text(CATALOGUE.completed(answers)[question.id])
        assert f"{question.text} {answer}" in shown
        assert f'href="{draft}/{question.dimension.lower()}?from=review#question-{question.id}"' in page.text
    assert "Filled in from another answer. Once you have taken it over, nobody else has to be ready" in shown
    assert shown.count("Not known yet") == 2


async def test_the_review_asks_contradictions_back_and_still_lets_them_be_sent(client: AsyncClient) -> None:
    draft = await begun(client)
    await fill(client, draft, NORDWIND | SAAS_SCALE_UP | {"requirements": "written"})
    page = await client.get(f"{draft}/review")
    rule = next(rule for rule in CATALOGUE.contradictions if rule.id == "written_yet_changing_weekly")
    assert rule.ask in text_of(page)
    for question in rule.when:
        assert page.text.count(f'/scope?from=review#question-{question}"') == 2
    assert (await send(client, draft)).headers["location"] == f"{draft}/status"


async def test_nothing_is_sent_without_consent_or_without_knowing_who_asks(
    client: AsyncClient, database: Database
) -> None:
    draft = await begun(client)
    page = await client.post(f"{draft}/review", data={"consent": "yes"})
    assert page.status_code == 422
    assert 'href="#company_name"' in page.text
    assert 'href="#consent"' not in page.text
    assert form_on(page) == {"consent": "yes"}
    await fill(client, draft, NORDWIND)
    page = await client.post(f"{draft}/review")
    assert page.status_code == 422
    assert 'href="#consent"' in page.text
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from intake") == 0


async def test_what_was_sent_can_be_read_and_no_longer_changed(client: AsyncClient) -> None:
    draft = await begun(client)
    await fill(client, draft, NORDWIND | SAAS_SCALE_UP)
    stale = form_on(await client.get(f"{draft}/purpose"))
    await send(client, draft)
    assert (await client.get(f"{draft}/purpose")).headers["location"] == f"{draft}/review"
    page = await client.get(f"{draft}/review")
    assert "These are the answers you sent" in text_of(page)
    assert "Steady growth of software that people already use" in text_of(page)
    assert "from=review" not in page.text
    assert form_on(page) == {}
    for refused in (
        await client.post(f"{draft}/purpose", data=stale | {"aim": "finish_and_stop"}),
        await save(client, draft, "aim", "finish_and_stop", 9),
    ):
        assert refused.status_code == 409
        assert "account manager" in text_of(refused)
    assert "Steady growth" in text_of(await client.get(f"{draft}/review"))


def asks(page: Response) -> tuple[str, str]:
    """Where a page looks for news by itself, and how often."""
    found = re.search('hx-get="([^"]+)" hx-trigger="every ([^"]+)"', page.text)
    assert found is not None
    return found[1], found[2]


def announced(page: Response) -> str:
    found = re.search('id="announced" role="status">([^<]*)<', page.text)
    assert found is not None
    return found[1]


async def test_the_status_page_asks_for_news_until_the_result_stands_and_then_more_slowly(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    waiting = await client.get(f"{draft}/status")
    assert "Your answers have arrived" in text_of(waiting)
    assert f"our recommendation, by {day(answer_day(NOW))}" in text_of(waiting)
    assert f'href="{draft}/status"' in waiting.text
    news, often = asks(waiting)
    assert often == "2s"
    assert (await client.get(news)).status_code == 204
    await score(database, id_of(draft))
    result = await client.get(news)
    assert result.status_code == 200
    assert "Your answers point to steady work" in announced(result)
    assert asks(result)[1] == "20s"
    assert (await client.get(asks(result)[0])).status_code == 204
    async with database.transaction() as connection:
        await handlers.withdraw(connection, id_of(draft))
    assert (await client.get(asks(result)[0])).headers["hx-refresh"] == "true"


async def test_an_answer_that_is_late_is_admitted(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    await score(database, id_of(draft))
    async with database.connection() as connection:
        await connection.execute("update revision set submitted_at = $1", NOW - timedelta(days=6))
    shown = text_of(await client.get(f"{draft}/status"))
    assert "It takes longer than the two working days we had promised" in shown
    assert "You get our recommendation, by" not in shown


async def test_what_happens_after_the_release_is_shown_with_the_way_to_the_document(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    await score(database, id_of(draft))
    about = {"intake_id": id_of(draft), "revision": 1, "time": NOW}
    before = await client.get(f"{draft}/status")
    assert "/d/" not in before.text
    released = RecommendationReleased(
        **about,
        version=3,
        by=STAFF,
        model="dedicated_team",
        commercial_form="monthly_team",
        document=1,
        document_hash="e97a7a5e",
        link_id=UUID(int=9),
        expires_at=NOW + timedelta(days=30),
    )
    async with database.transaction() as connection:
        await events.on_released(connection, released)
    page = await client.get(asks(before)[0])
    assert "There is news" in announced(page)
    assert "You read it, ask about it, and say whether it fits, by" in text_of(page)
    assert f'href="http://testserver/d/{link_token(SECRET, DOCUMENT_LINK, UUID(int=9))}"' in page.text
    closed = RecommendationLinkClosed(**about, version=4, document=1, link_id=UUID(int=9), by=STAFF)
    async with database.transaction() as connection:
        await events.on_link_closed(connection, closed)
    page = await client.get(asks(page)[0])
    assert "Its link is closed. An account manager can open it for you again" in text_of(page)
    assert "/d/" not in page.text
    answered = RecommendationAnswered(**about, version=5, document=1, answer="accepted", reason_code=None)
    async with database.transaction() as connection:
        await events.on_answered(connection, answered)
    page = await client.get(asks(page)[0])
    assert "You have accepted it" in text_of(page)
    assert "hx-get" not in page.text
    assert "dedicated" not in text_of(page)


VERDICTS = {
    "continuity": (SAAS_SCALE_UP, "Your answers point to steady work that keeps its knowledge"),
    "execution": (DEADLINE_MIGRATION, "Your answers point to a clear result by a date"),
    "unclear": (START_UP_MVP, "Your answers point both ways, and neither way clearly"),
    "incomplete": ({}, "Too much is still open for a firm result"),
    "contradictory": (
        SAAS_SCALE_UP | {"requirements": "written", "horizon": "under_3_months", "funding": "fixed_sum"},
        "Some of your answers do not go together yet",
    ),
}


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_the_result_says_what_the_answers_point_to_and_never_how_to_contract(
    client: AsyncClient, database: Database, verdict: str
) -> None:
    answers, sentence = VERDICTS[verdict]
    draft = await sent(client, answers)
    await score(database, id_of(draft))
    async with database.connection() as connection:
        intake = await intakes.status(connection, id_of(draft))
    assert intake is not None
    assert intake.assessment is not None
    assert intake.assessment.verdict == verdict
    page = await client.get(f"{draft}/status")
    shown = text_of(page)
    assert sentence in shown
    assert f"<title>{sentence}" in page.text
    for reason in intake.assessment.reasons:
        question = CATALOGUE.question(reason.question)
        assert f"{question.text} {question.level_text(reason.answer)}" in shown
    for unknown in intake.assessment.unknown[:3]:
        assert CATALOGUE.question(unknown).text in shown
    assert (f"{len(intake.assessment.unknown)} answers are not known yet" in shown) is bool(intake.assessment.unknown)
    for check in intake.assessment.checks:
        assert next(rule.ask for rule in CATALOGUE.contradictions if rule.id == check.id) in shown
    for score_ in (intake.assessment.scores.continuity, intake.assessment.scores.execution):
        assert (f"{score_.low:.1f} to {score_.high:.1f}" if score_.value is None else f"{score_.value:.1f}") in shown
    own_words = shown
    for question in CATALOGUE.questions:
        for text in (question.text, question.why, *(level.text for level in question.levels)):
            own_words = own_words.replace(text, "")
    for word in ("dedicated", "project-based", "hybrid", "fixed price", "retainer", "milestones", "discovery"):
        assert word not in own_words.lower()


async def shown_for(client: AsyncClient, database: Database, answers: dict[str, str]) -> tuple[Assessment, str]:
    """The assessment of these answers, and what their result says."""
    draft = await sent(client, answers)
    await score(database, id_of(draft))
    async with database.connection() as connection:
        intake = await intakes.status(connection, id_of(draft))
    assert intake is not None
    assert intake.assessment is not None
    return intake.assessment, text_of(await client.get(f"{draft}/status"))


async def test_the_outlook_leads_where_answers_are_open_and_says_what_it_is(
    client: AsyncClient, database: Database
) -> None:
    assessment, shown = await shown_for(client, database, {"change_rate": "weekly"})
    assert assessment.outlook is not None
    assert not assessment.outlook.exact
    lead = "In 48 of 100 ways in which the open answers could fall, your answers point to steady work"
    assert shown.index(lead) < shown.index("How strong each need is")
    assert "That is the largest share, and not most of them" in shown
    assert "A clear result by a date 7 of 100 The work has an end that can be named" in shown
    assert "Neither clearly 45 of 100 Neither need leads by enough" in shown
    assert "This is a sample of 1,691 that fit together, so a figure is seldom off by more than 3." in shown
    assert "is no forecast" in shown
    settled, shown = await shown_for(client, database, SAAS_SCALE_UP | {"start": UNKNOWN, "regulation": UNKNOWN})
    assert settled.outlook is not None
    assert settled.outlook.exact
    assert "However the open answers fall, your answers point to steady work" in shown
    assert f"These are all {settled.outlook.ways} ways that fit the other answers." in shown
    assert "It would still help to know: How soon must people start? Which outside" in shown
    assert "lead elsewhere" not in shown[: shown.index("How strong each need is")]


async def test_open_questions_stand_in_order_and_the_first_shows_where_its_answers_lead(
    client: AsyncClient, database: Database
) -> None:
    assessment, shown = await shown_for(client, database, {"change_rate": "weekly"})
    open_questions = shown[shown.index("25 answers are not known yet") :]
    places = [open_questions.index(CATALOGUE.question(question).text) for question in assessment.unknown]
    assert places == sorted(places)
    first = CATALOGUE.question(assessment.unknown[0])
    assert f"{first.text} {first.why} If the answer is “{first.levels[0].text}” in 58 of 100 ways neither" in shown


async def test_the_result_says_what_would_change_it_in_the_words_of_the_answers(
    client: AsyncClient, database: Database
) -> None:
    assessment, shown = await shown_for(client, database, START_UP_MVP)
    words = {"continuity": "steady work that keeps its knowledge", "execution": "a clear result by a date"}
    for verdict, sentence in words.items():
        first = next(other for other in assessment.counterfactuals if other.verdict == verdict)
        for place, change in enumerate(first.changes):
            question = CATALOGUE.question(change.question)
            before, after = question.level_text(change.from_), question.level_text(change.to)
            lead = f"It would point to {sentence} {question.text} if instead" if place == 0 else "and instead"
            assert f"{lead} of “{before}” you had answered “{after}”" in shown
    assert "continuity is the stronger need in 60 of 100" in shown
    _, firm = await shown_for(client, database, SAAS_SCALE_UP)
    assert "Small changes would not change the result" in firm
    _, unfit = await shown_for(client, database, SAAS_SCALE_UP | {"requirements": "written"})
    assert "It would point to steady work that keeps its knowledge" in unfit
    assert "the stronger need in" not in unfit


async def test_a_result_without_the_whole_explanation_claims_nothing_of_it(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    await score(database, id_of(draft))
    async with database.connection() as connection:
        await connection.execute(
            "update intake set assessment = assessment - '{robustness,counterfactuals,weight_bank}'::text[]"
        )
    shown = text_of(await client.get(f"{draft}/status"))
    assert "Your answers point to steady work" in shown
    assert "change the result" not in shown
    assert "the stronger need in" not in shown


async def test_every_verdict_has_its_sentence(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    await score(database, id_of(draft))
    headings = {}
    for verdict, strength in product(get_args(Verdict), get_args(Strength)):
        async with database.connection() as connection:
            await connection.execute(
                "update intake set assessment = assessment || $1", {"verdict": verdict, "strength": strength}
            )
        heading = re.search("<h1>(.+)</h1>", (await client.get(f"{draft}/status")).text)
        assert heading is not None
        headings[verdict, strength] = heading[1]
    assert len(set(headings.values())) == 9
    for (verdict, strength), sentence in headings.items():
        is_hedged = verdict in ("continuity", "execution", "both") and strength == "leaning"
        assert ("lean towards" in sentence) is is_hedged


async def test_the_status_page_names_who_reads_the_answers_and_what_came_of_it(
    client: AsyncClient, database: Database
) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    intake_id = id_of(draft)
    await score(database, intake_id)
    about = {"intake_id": intake_id, "revision": 1, "time": NOW}
    shown = []
    async with database.connection() as connection:
        await connection.execute(
            "insert into staff (id, version, name, roles, active) values ($1, 1, 'Anna Berg', '{}', true)", STAFF
        )
        proposed = RecommendationProposed(
            **about, version=1, model="dedicated_team", strength="clear", commercial_form="monthly_team"
        )
        await events.on_proposed(connection, [proposed])
        shown.append(text_of(await client.get(f"{draft}/status")))
        await events.on_assigned(connection, RecommendationAssigned(**about, version=2, assignee=STAFF, by=STAFF))
        shown.append(text_of(await client.get(f"{draft}/status")))
        for version, decision in ((3, "return"), (4, "approve")):
            reviewed = RecommendationReviewed(
                **about,
                version=version,
                decision=decision,
                by=STAFF,
                model=None,
                commercial_form=None,
                reason_code=None,
            )
            await events.on_reviewed(connection, reviewed)
            shown.append(text_of(await client.get(f"{draft}/status")))
    assert "An account manager reads them and checks the result" in shown[0]
    assert "Anna Berg is reading them" in shown[1]
    assert "Anna Berg has a question about them" in shown[2]
    assert "Anna Berg has checked them" in shown[3]


async def test_a_result_that_does_not_come_is_admitted(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    async with database.connection() as connection:
        await connection.execute("update intake set asked_again = $1", intakes.MOST_ASKS)
    page = await client.get(f"{draft}/status?seen=waiting")
    assert "takes longer than it should" in text_of(page)
    assert asks(page)[1] == "2s"


async def test_a_withdrawn_request_says_so(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    async with database.transaction() as connection:
        await handlers.withdraw(connection, id_of(draft))
    page = await client.get(f"{draft}/status")
    assert "This request was withdrawn" in text_of(page)
    assert "hx-get" not in page.text
    assert "working days" not in text_of(page)


async def test_an_erased_request_is_gone_with_its_draft(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    async with database.transaction() as connection:
        await handlers.erase(connection, id_of(draft))
    for place in ("status", "review", "purpose"):
        page = await client.get(f"{draft}/{place}")
        assert page.status_code == 410
        assert "erased" in text_of(page)
        assert "Nordwind" not in page.text


async def test_a_draft_that_was_not_sent_in_time_has_run_out(client: AsyncClient, database: Database) -> None:
    draft = await begun(client)
    await fill(client, draft, NORDWIND)
    async with database.connection() as connection:
        await connection.execute("update draft set expires_at = $1", NOW - timedelta(seconds=1))
    for answer in (
        await client.get(f"{draft}/company"),
        await save(client, draft, "aim", UNKNOWN),
        await send(client, draft),
    ):
        assert answer.status_code == 410
        assert "This address has run out" in text_of(answer)
    async with database.connection() as connection:
        await drafts.drop_expired(connection, NOW)
    assert (await client.get(f"{draft}/company")).status_code == 410


async def test_what_was_sent_is_kept_beyond_the_drafts_time(client: AsyncClient, database: Database) -> None:
    draft = await sent(client, SAAS_SCALE_UP)
    async with database.connection() as connection:
        await connection.execute("update draft set expires_at = $1", NOW - KEPT)
    assert (await client.get(f"{draft}/status")).status_code == 200


async def test_nothing_is_to_be_seen_of_a_status_before_the_answers_are_sent(client: AsyncClient) -> None:
    draft = await begun(client)
    assert (await client.get(f"{draft}/status")).headers["location"] == f"{draft}/review"
