"""Steps that recommendation's edges share: finding the playbook, taking a case up, and reviewing it."""

from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from uuid import UUID

from services.recommendation.domain import review as rules
from services.recommendation.domain.blueprint_checks import parse as parse_blueprint
from services.recommendation.domain.playbook import parse
from services.recommendation.domain.review import Case, Review, Reviewer, ReviewRequest
from services.recommendation.store import cases
from shared import outbox
from shared.contracts.recommendation import RecommendationAssigned, RecommendationReviewed
from shared.postgres import Connection
from shared.questionnaire import load

PLAYBOOKS = {
    (version := source.name.removesuffix(".yaml")): parse(source.read_text(encoding="utf-8"), load(version))
    for source in (files("services.recommendation") / "playbook").iterdir()
}
"""The playbook for each version of the questionnaire, checked when the service starts."""

BLUEPRINTS = {
    (version := source.name.removesuffix(".yaml")): parse_blueprint(
        source.read_text(encoding="utf-8"), source.name, PLAYBOOKS[version], load(version)
    )
    for source in (files("services.recommendation") / "blueprint").iterdir()
}
"""The rules of the blueprint for the versions of the questionnaire that have them, checked likewise."""


class UnknownCase(Exception):
    """Nothing was proposed for this intake."""

    def __init__(self) -> None:
        super().__init__("There is no proposal for this intake yet. Check its id, or look again later.")


async def take_up(connection: Connection, intake_id: UUID, version: int, reviewer: Reviewer, now: datetime) -> None:
    """Put a case into a reviewer's hands and say so. Raises UnknownCase, or OutOfStep where it moved on."""
    case = await _locked(connection, intake_id)
    taken = rules.take_up(case, version, reviewer)
    if taken is case:
        return
    await cases.assign(connection, taken, reviewer)
    await outbox.say(
        connection,
        RecommendationAssigned(
            intake_id=intake_id,
            version=taken.version,
            time=now,
            revision=taken.revision,
            assignee=reviewer.id,
            by=reviewer.id,
        ),
    )


async def review(
    connection: Connection, intake_id: UUID, request: ReviewRequest, reviewer: Reviewer, now: datetime
) -> Case:
    """Decide on a case and say so; the case as it stands then. Raises UnknownCase, OutOfStep or Unfit."""
    case = await _locked(connection, intake_id)
    decision = rules.decide(case, request, reviewer, now, PLAYBOOKS[case.questionnaire])
    state = rules.STATE_AFTER[decision.decision]
    await cases.record_review(connection, intake_id, decision, state)
    await outbox.say(connection, _reviewed(intake_id, decision))
    return replace(case, version=decision.version, state=state, review=decision)


async def _locked(connection: Connection, intake_id: UUID) -> Case:
    case = await cases.lock(connection, intake_id)
    if case is None:
        raise UnknownCase
    return case


def _reviewed(intake_id: UUID, decision: Review) -> RecommendationReviewed:
    return RecommendationReviewed(
        intake_id=intake_id,
        version=decision.version,
        time=decision.at,
        revision=decision.revision,
        decision=decision.decision,
        by=decision.by.id,
        model=decision.model,
        commercial_form=decision.commercial_form,
        reason_code=decision.reason_code,
    )
