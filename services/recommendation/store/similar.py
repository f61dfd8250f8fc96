"""Past cases that are like one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.recommendation.domain.similar import Likeness, nearest
from services.recommendation.store.cases import CaseFile
from shared.contracts.intake import Company
from shared.contracts.recommendation import CommercialForm, Model, Outcome, ProposalState
from shared.postgres import Connection
from shared.questionnaire import load

PAST: tuple[ProposalState, ...] = ("approved", "overridden", "released", "accepted", "declined", "expired")
"""Decided on, and the current revision: an earlier one is superseded."""


@dataclass(frozen=True)
class Similar:
    """A past case: how like it is, what was proposed, what a person chose, and how it ended.

    `model_used` is what the work really follows, None where nothing was noted yet or the case was lost.
    """

    likeness: Likeness
    company: Company
    model: Model
    chosen: Model
    commercial_form: CommercialForm
    state: ProposalState
    outcome: Outcome | None
    model_used: Model | None
    proposed_at: datetime


async def nearest_to(connection: Connection, file: CaseFile) -> list[Similar]:
    """The past cases most like this one, the nearest first; none after its erasure."""
    row = await connection.fetchrow(
        """
        select fingerprint, (
            select string_agg(uuid_send(intake_id) || fingerprint, '') from proposal
            where questionnaire = $3 and state = any($4) and intake_id <> $1
        ) as others
        from proposal where intake_id = $1 and revision = $2 and fingerprint is not null
        """,
        file.intake_id,
        file.revision,
        file.questionnaire,
        list(PAST),
    )
    if row is None or row["others"] is None or file.assessment is None or file.questionnaire is None:
        return []
    levels = {question: answer["level"] for question, answer in file.assessment["answers"].items()}
    found = nearest(levels, load(file.questionnaire), row["fingerprint"], row["others"])
    return await _read(connection, found)


async def _read(connection: Connection, found: Sequence[Likeness]) -> list[Similar]:
    rows = await connection.fetch(
        """
        select intake_id, company, proposal.model, proposed_at, state,
            chosen.model as chosen, chosen.commercial_form as commercial_form, ended.outcome, ended.model_used
        from review_case join proposal using (intake_id, revision)
            cross join lateral (
                select model, commercial_form from review
                where review.intake_id = proposal.intake_id and review.revision = proposal.revision
                    and decision <> 'return'
                order by version desc limit 1
            ) chosen
            left join lateral (
                select outcome, model_used from outcome
                where outcome.intake_id = proposal.intake_id order by version desc limit 1
            ) ended on true
        where intake_id = any($1) and company is not null
        """,
        [one.intake_id for one in found],
    )
    by_id = {row["intake_id"]: row for row in rows}
    return [
        Similar(
            likeness=one,
            company=Company.model_validate(row["company"]),
            model=row["model"],
            chosen=row["chosen"],
            commercial_form=row["commercial_form"],
            state=row["state"],
            outcome=row["outcome"],
            model_used=row["model_used"],
            proposed_at=row["proposed_at"],
        )
        for one in found
        if (row := by_id.get(one.intake_id)) is not None
    ]
