import asyncio
import html
import re
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from services.recommendation.store import cases, queue
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased, IntakeWithdrawn
from shared.postgres import Database
from tests.assessment.archetypes import (
    DEADLINE_MIGRATION,
    HARD_DATE_THEN_ROADMAP,
    SAAS_SCALE_UP,
    SETTLED_PART_BESIDE_A_CHANGING_ONE,
    START_UP_MVP,
)
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NORDWIND, NOW, TYPICAL, completed, hear

WHY = {"reason_code": "client_choice", "override_note": "They want one more project."}


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    """A proposal for a dedicated team, waiting for review."""
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    return event


def address(intake_id: UUID) -> str:
    return f"/reviews/{intake_id}"


async def read(client: httpx2.AsyncClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status_code == status
    return as_read(answer)


def as_read(answer: httpx2.Response) -> str:
    """The page's words, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def state_of(database: Database, intake_id: UUID) -> tuple[str, int]:
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    assert file is not None
    return file.state, file.version


async def test_an_empty_queue_says_how_it_fills(sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    page = await read(client, "/reviews/")
    assert "Nothing waits for a decision" in page
    assert "as soon as a questionnaire is sent in" in page
    assert "when you take up its review" in await read(client, "/reviews/?tab=mine")
    assert "in somebody's hands" in await read(client, "/reviews/?tab=unassigned")


async def test_the_queue_shows_who_asks_what_is_proposed_and_what_is_unusual(
    database: Database, sign_in: SignIn
) -> None:
    team = completed(SAAS_SCALE_UP | {"priority_owner": "nobody"})
    ruled_out = completed(SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"})
    few = completed({"change_rate": "weekly"}, company=NORDWIND.model_copy(update={"name": "Two <Friends>"}))
    await hear(database, team, ruled_out, few)
    answer = await sign_in("account_manager").get("/reviews/")
    page = as_read(answer)
    assert "3 proposals wait for a decision" in page
    assert "Two &lt;Friends&gt;" in answer.text
    assert "Nordwind Energie Dedicated team, clearly Needs product owner, 1 contradiction" in page
    assert "Discovery call What fits cannot be offered, fixed price mandatory" in page
    assert "Discovery call Too little is known yet, 25 open answers" in page
    assert page.count("Nobody yet") == 3


async def test_tabs_and_states_narrow_the_queue(database: Database, sign_in: SignIn) -> None:
    names = ("Alpha", "Beta", "Gamma")
    events = [completed(SAAS_SCALE_UP, company=NORDWIND.model_copy(update={"name": name})) for name in names]
    await hear(database, *events)
    anna = sign_in("account_manager", name="Anna Berg")
    await anna.post(f"{address(events[0].intake_id)}/claim", data={"version": 1})
    await anna.post(f"{address(events[1].intake_id)}/approve", data={"version": 1})

    async def shown(path: str) -> list[str]:
        page = await read(anna, path)
        return [name for name in names if name in page]

    assert await shown("/reviews/") == ["Alpha", "Gamma"]
    assert await shown("/reviews/?tab=mine") == ["Alpha"]
    assert await shown("/reviews/?tab=unassigned") == ["Gamma"]
    assert await shown("/reviews/?tab=all&state=approved") == ["Beta"]
    assert await shown("/reviews/?tab=mine&state=approved") == []
    assert await shown("/reviews/?state=proposed") == ["Gamma"]
    for path in ("/reviews/?tab=theirs", "/reviews/?state=pending", "/reviews/?state=superseded"):
        assert "Go back to the reviews" in await read(anna, path, 404)


async def test_closed_cases_are_listed_latest_first(database: Database, sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    for name in ("Alpha", "Beta"):
        event = completed(SAAS_SCALE_UP, company=NORDWIND.model_copy(update={"name": name}))
        await hear(database, event)
        await client.post(f"{address(event.intake_id)}/approve", data={"version": 1})
    page = await read(client, "/reviews/?state=approved")
    assert page.index("Beta") < page.index("Alpha")


async def test_a_long_queue_goes_on_on_the_next_page(
    database: Database, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PAGE", 2)
    await hear(database, *(completed(SAAS_SCALE_UP) for _ in range(3)))
    client = sign_in("account_manager")
    first = await client.get("/reviews/")
    assert "More than 2 proposals wait" in as_read(first)
    following = re.search(r'href="(/reviews/\?[^"]*after=[^"]+)"', first.text)
    assert following is not None
    second = await client.get(html.unescape(following[1]))
    seen = re.findall(r"/reviews/[0-9a-f-]{36}", first.text + second.text)
    assert len({link for link in seen if link not in following[1]}) == 3
    assert "Show the next ones" not in second.text


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (
            SAAS_SCALE_UP | {"priority_owner": "nobody"},
            [
                "A dedicated team fits, clearly",
                "Monthly fee for the team.",
                "Rule: standing team",
                "Needs product owner.",
                "Who on your side can say, week by week, what should be done first? Nobody has the time",
                "You will judge by what it does for the business, and nobody has the time to say what comes first.",
                "Continuity leads by 71.2 points",
                "86.1",
                "14.9",
                "Continuity leads in 100 of 100 plausible weightings",
                "No small change would give another verdict",
            ],
        ),
        (
            DEADLINE_MIGRATION,
            [
                "A project fits, clearly",
                "Milestones.",
                "Retainer, as a second line.",
                "Execution leads in 100 of 100 plausible weightings",
            ],
        ),
        (
            HARD_DATE_THEN_ROADMAP,
            [
                "A team and a project together fit, clearly",
                "In this order",
                "Rule: first piece then team",
                "1. First piece: a bounded project",
                "Paid: milestones. Rule: settled piece by results",
                "2. Work after the first piece: by the team",
                "Paid: time and materials up to a ceiling. Rule: ceiling on the team",
                "Continuity leads in 54 of 100 plausible weightings",
                "Among all that there could be, it leads in 61 of 100.",
                "Accountability below 13.4 %",
                "Mean weight where each need leads",
                "What would change the proposal",
                "Project, leaning",
                "Now “A first version by a certain date, then steady improvement” Needed “One thing finished",
                "Discovery call : the answers do not settle it",
                "2 more ways",
            ],
        ),
        (
            SETTLED_PART_BESIDE_A_CHANGING_ONE,
            [
                "A team and a project together fit",
                "Side by side",
                "The settled part: a bounded project",
                "The part that keeps changing: by the team",
                "How much of the work is settled, and how much will keep changing? Most is settled; one part",
            ],
        ),
        (
            START_UP_MVP,
            [
                "Call first: the answers do not settle it",
                "The answers lean to a dedicated team.",
                "Ask this in the call",
            ],
        ),
        (
            TYPICAL["incomplete"],
            [
                "Call first: too little is known yet",
                "lean to neither side",
                "Still to ask",
                "The margin lies between",
                "In 48 of 100 ways in which the open answers could fall, continuity leads That is the largest share,",
                "This is a sample of 1,691 that fit together",
                "The next best question What do you mainly want from the next 12 months of work?",
                "in 77 of 100 ways continuity leads",
            ],
        ),
        (TYPICAL["contradictory"], ["Call first: some answers do not fit together", "Which fits better?"]),
        (
            SAAS_SCALE_UP | {"price_rule": "mandatory", "funding": "yearly_reviewed"},
            [
                "Call first: a dedicated team would fit, but cannot be offered",
                "Fixed price mandatory: The client's purchasing rules",
                "Offer the same people by milestones",
                "What would lift the veto With this, nothing would stand in the way of the dedicated team.",
                "Now “It is a must” Needed “It is strongly preferred”",
            ],
        ),
    ],
)
async def test_a_case_says_what_is_proposed_and_why(
    database: Database, sign_in: SignIn, levels: dict[str, str], words: list[str]
) -> None:
    event = completed(levels)
    await hear(database, event)
    page = await read(sign_in("account_manager"), address(event.intake_id))
    for sentence in [
        *words,
        "Nordwind Energie",
        "51-250 people, energy, Germany",
        "Sent in on the web",
        "What each answer adds",
    ]:
        assert sentence in page


async def test_a_case_shows_the_blueprint_of_the_model_that_stands_and_what_is_behind_its_lines(
    event: AssessmentCompleted, sign_in: SignIn
) -> None:
    client = sign_in("account_manager")
    page = address(event.intake_id)
    shown = await read(client, page)
    for words in (
        "How the work would be set up",
        "“you” is Nordwind Energie",
        "A product team with a project office beside it",
        "People in the company: 51-250 Rule: office for much at once",
    ):
        assert words in shown
    chosen = {"version": 1, "model": "discovery_call", "commercial_form": "", **WHY}
    assert (await client.post(f"{page}/override", data=chosen)).status_code == 303
    shown = await read(client, page)
    assert "How to run the call" in shown
    assert "Your answers do not settle it by themselves." in shown
    assert "How the work would be set up" not in shown


async def test_taking_a_case_up_shows_whose_it_is(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    anna, boris = sign_in("account_manager", name="Anna Berg"), sign_in("account_manager", name="Boris Vidal")
    page = address(event.intake_id)
    answer = await anna.post(f"{page}/claim", data={"version": 1})
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert "You have it in review." in await read(anna, page)
    assert (await anna.post(f"{page}/claim", data={"version": 1})).status_code == 303
    late = await boris.post(f"{page}/claim", data={"version": 1})
    assert late.status_code == 409
    assert "Anna Berg has it in review." in as_read(late)
    assert await state_of(database, event.intake_id) == ("in_review", 2)
    assert (await boris.post(f"{page}/claim", data={"version": 2})).status_code == 303
    assert "Boris Vidal has it in review." in await read(anna, page)


@pytest.mark.parametrize(
    ("way", "fields", "state", "words"),
    [
        (
            "approve",
            {"approval_note": "Good fit."},
            "approved",
            "Approved: Dedicated team · Monthly fee for the team Good fit.",
        ),
        (
            "override",
            {"model": "hybrid", **WHY},
            "overridden",
            "Overridden: Team and project together · Milestones The client wants another model and knows the reasons",
        ),
        ("return", {"question": "Is there\r\na date?"}, "returned", "Returned with a question Is there a date?"),
    ],
)
async def test_a_decision_leads_back_to_the_case_which_shows_it_beside_the_proposal(
    *,
    event: AssessmentCompleted,
    database: Database,
    sign_in: SignIn,
    way: str,
    fields: dict[str, str],
    state: str,
    words: str,
) -> None:
    client = sign_in("account_manager", name="Anna Berg")
    page = address(event.intake_id)
    answer = await client.post(f"{page}/{way}", data={"version": 1, **fields})
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert await state_of(database, event.intake_id) == (state, 2)
    shown = await read(client, page)
    assert words in shown
    assert "A dedicated team fits, clearly" in shown
    assert "Anna Berg" in shown
    assert "What happened so far" in shown


@pytest.mark.parametrize(
    ("way", "fields", "advice", "kept"),
    [
        ("override", {"model": "hybrid", "override_note": "They insist."}, "Choose the reason", "They insist."),
        ("override", {"model": "hybrid", "reason_code": "risk"}, "why you decide otherwise", 'value="risk" selected'),
        ("override", {"model": "dedicated_team", **WHY}, "Choose another model", "one more project"),
        (
            "override",
            {"model": "hybrid", "commercial_form": "retainer", **WHY},
            "not offered as",
            'value="retainer" selected',
        ),
        ("override", {"model": "team", **WHY}, "Choose one of those offered.", "one more project"),
        ("override", {"model": "hybrid", "reason_code": "mood", "override_note": "So."}, "Choose one of", "So."),
        ("return", {"question": " "}, "Write the question", 'id="question"'),
        ("return", {"question": "Why\x07?"}, "cannot be shown", "Why"),
        ("approve", {"approval_note": "x" * 2001}, "at most 2000", "x" * 2001),
    ],
)
async def test_what_cannot_stand_is_said_beside_what_was_typed(
    *,
    event: AssessmentCompleted,
    database: Database,
    sign_in: SignIn,
    way: str,
    fields: dict[str, str],
    advice: str,
    kept: str,
) -> None:
    answer = await sign_in("account_manager").post(f"{address(event.intake_id)}/{way}", data={"version": 1, **fields})
    assert answer.status_code == 422
    assert advice in as_read(answer)
    assert kept in answer.text
    assert "nvalid" not in as_read(answer)
    assert await state_of(database, event.intake_id) == ("proposed", 1)


async def test_of_two_who_decide_at_once_one_wins_and_the_other_sees_it_and_keeps_the_words(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    page = address(event.intake_id)
    answers = await asyncio.gather(
        sign_in("account_manager", name="Anna Berg").post(f"{page}/approve", data={"version": 1}),
        sign_in("account_manager", name="Boris Vidal").post(
            f"{page}/override", data={"version": 1, "model": "hybrid", **WHY}
        ),
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    lost = next(answer for answer in answers if answer.status_code == 409)
    assert "Your decision was not recorded." in as_read(lost)
    assert (await state_of(database, event.intake_id))[1] == 2


async def test_words_typed_for_a_case_that_moved_on_are_not_lost(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    anna, boris = sign_in("account_manager", name="Anna Berg"), sign_in("account_manager", name="Boris Vidal")
    page = address(event.intake_id)
    typed: dict[str, Any] = {"version": 1, "model": "hybrid", **WHY}
    await anna.post(f"{page}/claim", data={"version": 1})
    moved = await boris.post(f"{page}/override", data=typed)
    assert moved.status_code == 409
    assert "What you entered is still in the form." in as_read(moved)
    for kept in ("They want one more project.", 'value="hybrid" selected', 'name="version" value="2"', "<details"):
        assert kept in moved.text
    await anna.post(f"{page}/approve", data={"version": 2})
    decided = await boris.post(f"{page}/override", data=typed)
    assert decided.status_code == 409
    shown = as_read(decided)
    assert "Anna Berg approved this proposal." in shown
    assert "They want one more project." in shown
    assert "Override and tell sales" not in shown
    assert await state_of(database, event.intake_id) == ("approved", 3)


async def test_a_new_revision_keeps_what_was_decided_before_it(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client = sign_in("account_manager", name="Anna Berg")
    page = address(event.intake_id)
    await client.post(f"{page}/return", data={"version": 1, "question": "Is there a date?"})
    await hear(database, completed(DEADLINE_MIGRATION, intake_id=event.intake_id, revision=2))
    shown = await read(client, page)
    for sentence in ("A project fits, clearly", "revision 2", "Earlier revisions", "Is there a date?", "Superseded"):
        assert sentence in shown
    assert "Your decision" in shown


async def test_withdrawn_and_erased_cases_say_so(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client = sign_in("account_manager")
    page = address(event.intake_id)
    await hear(database, IntakeWithdrawn(intake_id=event.intake_id, version=2, time=NOW))
    shown = await read(client, page)
    assert "Withdrawn" in shown
    assert "Your decision" not in shown
    refused = await client.post(f"{page}/approve", data={"version": 1})
    assert refused.status_code == 409
    assert "This request is withdrawn" in as_read(refused)
    await hear(database, IntakeErased(intake_id=event.intake_id, version=3, time=NOW))
    shown = await read(client, page)
    assert "This case was erased on request" in shown
    assert NORDWIND.name not in shown
    assert "How the work would be set up" not in shown


async def test_an_intake_erased_before_its_proposal_has_a_page_too(database: Database, sign_in: SignIn) -> None:
    intake_id = uuid7()
    await hear(database, IntakeErased(intake_id=intake_id, version=2, time=NOW))
    assert "This case was erased on request" in await read(sign_in("account_manager"), address(intake_id))


async def test_sales_read_and_do_not_decide(event: AssessmentCompleted, database: Database, sign_in: SignIn) -> None:
    client = sign_in("sales", name="Sol Reyes")
    page = address(event.intake_id)
    shown = await read(client, page)
    assert "An account manager decides this." in shown
    assert "<form" not in (await client.get(page)).text
    assert "Mine" not in await read(client, "/reviews/")
    for way in ("claim", "approve", "override", "return"):
        answer = await client.post(f"{page}/{way}", data={"version": 1, "model": "hybrid", **WHY})
        assert answer.status_code == 403
    assert await state_of(database, event.intake_id) == ("proposed", 1)


async def test_others_see_nothing(event: AssessmentCompleted, app: FastAPI, sign_in: SignIn) -> None:
    for path in ("/reviews/", address(event.intake_id)):
        assert (await sign_in("rubric_owner", "admin").get(path)).status_code == 403
        refused = await sign_in("rubric_owner").get(path)
        assert refused.status_code == 403
        assert "This needs the role sales or account manager. Ask an admin for it." in as_read(refused)
        assert 'href="/account/">See your roles<' in refused.text
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver") as nobody:
            answer = await nobody.get(path)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"/account/sign-in?next={path}",
        )


async def test_what_is_not_there_is_said_on_a_page(sign_in: SignIn) -> None:
    client = sign_in("account_manager")
    assert "There is no proposal here" in await read(client, address(uuid7()), 404)
    for way in ("claim", "approve", "override", "return"):
        assert (await client.post(f"{address(uuid7())}/{way}", data={"version": 1})).status_code == 404
    assert (await client.get("/reviews/not-a-case")).status_code == 404


async def test_a_form_without_its_version_or_far_too_large_is_refused(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client = sign_in("account_manager")
    page = address(event.intake_id)
    assert (await client.post(f"{page}/approve", data={})).status_code == 422
    assert (await client.post(f"{page}/approve", data={"version": "soon"})).status_code == 422
    large = await client.post(f"{page}/approve", data={"version": 1, "approval_note": "x" * 10_000_000})
    assert large.status_code == 413
    assert await state_of(database, event.intake_id) == ("proposed", 1)


async def test_an_empty_override_says_all_that_is_missing(event: AssessmentCompleted, sign_in: SignIn) -> None:
    page = await sign_in("account_manager").post(f"{address(event.intake_id)}/override", data={"version": 1})
    assert page.status_code == 422
    for advice in ("Choose the reason that comes nearest.", "Say in a sentence or two why you decide otherwise."):
        assert page.text.count(advice) == 2, "above and at its field"


async def test_who_comes_late_is_told_who_did_what(event: AssessmentCompleted, sign_in: SignIn) -> None:
    case = address(event.intake_id)
    await sign_in("account_manager", name="Mia Manager").post(f"{case}/claim", data={"version": 1})
    late = await sign_in("account_manager").post(f"{case}/approve", data={"version": 1})
    assert late.status_code == 409
    said = "The case moved on while you read. Look again, then decide. Mia Manager took it up just now."
    assert said in as_read(late).replace(" .", ".")
    await sign_in("account_manager", name="Tom Berg").post(
        f"{case}/return", data={"version": 2, "question": "Until when?"}
    )
    again = as_read(await sign_in("account_manager").post(f"{case}/approve", data={"version": 2}))
    assert "Tom Berg returned it with a question just now" in again
