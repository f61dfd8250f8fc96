"""Trying other answers beside the real result, scored by a real assessment service."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from services.assessment.app import service as assessment_service
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import IntakeErased
from shared.postgres import Database
from shared.service import Settings, build, preview
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NOW, completed, hear
from tests.recommendation.test_reviews_pages import as_read, read, state_of

VETOED = {"price_rule": "mandatory", "funding": "yearly_reviewed"}


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    return event


@pytest.fixture
async def assessing(app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Assessment, listening where recommendation asks it, with all the time that a busy machine needs."""
    monkeypatch.setattr(preview, "LIMIT_SECONDS", 30)
    assessment = build(assessment_service, settings, worker=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(assessment, log_level="error", lifespan="off"))
        async with assessment.router.lifespan_context(assessment):
            serving = asyncio.create_task(server.serve([listening]))
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            app.state.settings = settings.model_copy(update={"assessment_url": address})
            yield
            server.should_exit = True
            await serving


@pytest.fixture
def nobody_listening(app: FastAPI, settings: Settings) -> Iterator[None]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        app.state.settings = settings.model_copy(update={"assessment_url": address})
        yield


@pytest.mark.usefixtures("assessing")
async def test_other_answers_are_shown_beside_the_real_ones_and_nothing_is_kept(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    client, here = sign_in("sales"), f"/reviews/{event.intake_id}/what-if"
    plain = await read(client, here)
    assert "What if the answers were others?" in plain
    assert "Differs" not in plain
    page = await read(client, f"{here}?{'&'.join(f'{question}={level}' for question, level in VETOED.items())}")
    assert "Then the proposal would be another" in page
    assert "Dedicated team, clearly Discovery call: what fits cannot be offered Differs" in page
    assert "Ruled out by None Fixed price mandatory Differs" in page
    assert "2 answers are changed" in page
    assert await state_of(database, event.intake_id) == ("proposed", 1)
    case = await read(client, f"/reviews/{event.intake_id}")
    assert "What if the answers were others?" in case


@pytest.mark.usefixtures("nobody_listening")
async def test_without_assessment_the_page_says_so_and_keeps_what_was_chosen(
    event: AssessmentCompleted, sign_in: SignIn
) -> None:
    answer = await sign_in("account_manager").get(f"/reviews/{event.intake_id}/what-if?funding=yearly_reviewed")
    page = as_read(answer)
    assert "The scores did not come in time" in page
    assert "1 answer is changed" in page
    assert '<option value="yearly_reviewed" selected>' in answer.text


@pytest.mark.usefixtures("nobody_listening")
async def test_the_address_names_the_changes_alone(event: AssessmentCompleted, sign_in: SignIn) -> None:
    here, same = f"/reviews/{event.intake_id}/what-if", SAAS_SCALE_UP["change_rate"]
    answer = await sign_in("sales").get(f"{here}?change_rate={same}&deadline=&funding=yearly_reviewed&aim=nonsense")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}?funding=yearly_reviewed")


async def test_an_erased_case_has_no_answers_to_change(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    await hear(database, IntakeErased(intake_id=event.intake_id, version=2, time=NOW))
    assert "erased on request" in await read(sign_in("sales"), f"/reviews/{event.intake_id}/what-if", 410)
