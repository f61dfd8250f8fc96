"""Assessments as recommendation hears of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.recommendation.domain.proposal import Proposal, propose
from services.recommendation.events import HANDLERS
from services.recommendation.handlers.playbooks import PLAYBOOKS
from shared.contracts.assessment import Assessment, AssessmentCompleted, Verdict
from shared.contracts.base import Event
from shared.contracts.intake import Company, Submission
from shared.kafka import hand_over
from shared.postgres import Database
from shared.questionnaire import PUBLISHED, load
from tests.assessment.archetypes import (
    DEADLINE_MIGRATION,
    HARD_DATE_THEN_ROADMAP,
    MIDDLE_OF_EVERYTHING,
    SAAS_SCALE_UP,
)
from tests.assessment.published import assessed, said

QUESTIONNAIRE = load()
PLAYBOOK = PLAYBOOKS[PUBLISHED]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NORDWIND = Company(name="Nordwind Energie", headcount="51-250", industry="energy", country="DE")

TYPICAL: dict[Verdict, dict[str, str]] = {
    "continuity": SAAS_SCALE_UP,
    "execution": DEADLINE_MIGRATION,
    "both": HARD_DATE_THEN_ROADMAP,
    "unclear": MIDDLE_OF_EVERYTHING,
    "incomplete": {"change_rate": "weekly"},
    "contradictory": SAAS_SCALE_UP | {"requirements": "written", "change_rate": "weekly"},
}


def judged(verdict: Verdict, levels: Mapping[str, str]) -> Assessment:
    """The assessment of these answers, with the verdict that a test is about."""
    strength = "clear" if verdict in ("continuity", "execution", "both") else None
    return assessed(levels).model_copy(update={"verdict": verdict, "strength": strength})


def proposal_of(assessment: Assessment) -> Proposal:
    return propose(assessment, PLAYBOOK, QUESTIONNAIRE)


def completed(
    levels: Mapping[str, str], *, intake_id: UUID | None = None, revision: int = 1, company: Company = NORDWIND
) -> AssessmentCompleted:
    intake_id = intake_id or uuid7()
    return AssessmentCompleted(
        intake_id=intake_id,
        version=revision,
        time=NOW,
        submission=Submission(
            intake_id=intake_id,
            revision=revision,
            questionnaire=PUBLISHED,
            answers=said(levels),
            company=company,
            channel="web",
            language="en",
            submitted_at=NOW,
        ),
        assessment=assessed(levels).model_copy(update={"intake_id": intake_id, "revision": revision}),
        completed_at=NOW,
    )


async def hear(database: Database, *events: Event) -> None:
    """Let recommendation hear events, one after another."""
    async with database.transaction() as connection:
        for event in events:
            await hand_over(connection, HANDLERS, [event])
