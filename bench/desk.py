"""`python -m bench.desk [--cases N]`: the pages of account managers with many cases stored, beside the bare read."""

import random
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import get_args
from uuid import UUID

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from bench.engine import SEED
from bench.pages import DIFFERENT, REQUESTS, colleague, different_cases, line, main
from services.recommendation.app import service
from services.recommendation.domain.proposal import propose
from services.recommendation.domain.review import Review, Reviewer
from services.recommendation.handlers.playbooks import PLAYBOOKS
from services.recommendation.store import proposals, reviews
from services.recommendation.store.cases import advance
from services.recommendation.store.proposals import Opening
from shared.access import Principal
from shared.contracts.assessment import AssessmentCompleted
from shared.contracts.intake import Company, Headcount, Industry, Submission
from shared.contracts.recommendation import RecommendationProposed
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Settings

BATCH = 200
ANNA = Reviewer(uuid7(), "Anna Berg")
BARE = "select * from review_case join proposal using (intake_id, revision) where intake_id = $1"


async def _fill(database: Database, count: int) -> list[UUID]:
    """So many cases from some hundred different assessments, two thirds of them decided on."""
    questionnaire, chance, now = load(), random.Random(SEED), datetime.now(UTC)
    given, assessed = different_cases()
    proposed = [propose(one, PLAYBOOKS[questionnaire.version], questionnaire) for one in assessed]
    ids: list[UUID] = []
    chosen = cycle(range(DIFFERENT))
    while len(ids) < count:
        async with database.transaction() as connection:
            for _ in range(BATCH):
                which, intake_id, at = next(chosen), uuid7(), now - timedelta(minutes=count - len(ids))
                company = Company(
                    name=f"Company {len(ids)}",
                    headcount=chance.choice(get_args(Headcount)),
                    industry=chance.choice(get_args(Industry)),
                    country="DE",
                )
                submission = Submission(
                    intake_id=intake_id,
                    revision=1,
                    questionnaire=questionnaire.version,
                    answers=given[which],
                    company=company,
                    channel="web",
                    language="en",
                    submitted_at=at,
                )
                event = AssessmentCompleted(
                    intake_id=intake_id,
                    version=1,
                    time=at,
                    submission=submission,
                    assessment=assessed[which].model_copy(update={"intake_id": intake_id, "revision": 1}),
                    completed_at=at,
                )
                proposal = proposed[which]
                fact = RecommendationProposed(
                    intake_id=intake_id,
                    version=1,
                    time=at,
                    revision=1,
                    model=proposal.model,
                    strength=proposal.strength,
                    commercial_form=proposal.commercial_form,
                )
                await proposals.open_cases(connection, [Opening(event, proposal, fact)])
                if len(ids) % 3:
                    review = Review(
                        version=2,
                        revision=1,
                        decision="approve",
                        by=ANNA,
                        model=proposal.model,
                        commercial_form=proposal.commercial_form,
                        reason_code=None,
                        note=None,
                        at=at,
                    )
                    await reviews.record(connection, intake_id, review)
                    await advance(connection, intake_id, 1, review.version, "approved")
                ids.append(intake_id)
    return ids


async def _timed(app: FastAPI, settings: Settings, ids: list[UUID]) -> list[str]:
    database: Database = app.state.database
    some = cycle(random.Random(SEED).sample(ids, min(REQUESTS, len(ids))))
    async with colleague(app, settings, Principal(ANNA.id, uuid7(), ANNA.name, ("account_manager",), 1)) as client:

        async def page(path: str) -> None:
            (await client.get(path)).raise_for_status()

        async def bare() -> None:
            async with database.connection() as connection:
                await connection.fetchrow(BARE, next(some))

        return [
            await line("bare read of a case", bare),
            await line("a case", lambda: page(f"/reviews/{next(some)}")),
            await line("the queue", lambda: page("/reviews/")),
            await line("decided cases", lambda: page("/reviews/?state=approved")),
            await line("one's own cases", lambda: page("/reviews/?tab=mine")),
            await line("the blueprint as JSON", lambda: page(f"/api/recommendation/intakes/{next(some)}/blueprint")),
        ]


if __name__ == "__main__":
    main("The pages of account managers with many cases stored.", service, _fill, _timed)
