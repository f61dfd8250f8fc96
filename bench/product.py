"""The product in one process, without HTTP: what its API stores for a submission is stored here directly."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from itertools import cycle
from uuid import UUID, uuid4

import asyncpg
import uvloop
from uuid_utils.compat import uuid7

from bench.load import Job, Ledger, Submit, run
from services import running
from services.demo import companies
from services.intake.domain.submission import SubmissionForm, given_answers, submitted
from services.intake.store import intakes
from shared.contracts.intake import Company
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import PREFIXES, Settings
from shared.service.logging import configure

CALLER = UUID("5b1c3f0a-7c62-4f0e-9d57-3a1f6f3f2f10")
ROUTE = "/api/intake/intakes"
MARKS = """
    select revision.intake_id as id,
        extract(epoch from pg_xact_commit_timestamp(revision.xmin))::float8,
        extract(epoch from completed_at)::float8,
        extract(epoch from pg_xact_commit_timestamp(assessment.xmin))::float8,
        extract(epoch from proposed_at)::float8,
        extract(epoch from pg_xact_commit_timestamp(proposal.xmin))::float8
    from intake.revision
        join assessment.assessment using (intake_id, revision)
        join recommendation.proposal using (intake_id, revision)
    where revision.intake_id = any($1)
"""
TEXTS = """
    select revision.answers::text as answers, submitted.payload as submitted, assessment.assessment::text as assessment,
        completed.payload as completed, proposal.proposal::text as proposal
    from intake.revision
        join intake.fact submitted on submitted.id = revision.fact_id
        join assessment.assessment using (intake_id, revision)
        join assessment.fact completed on completed.id = assessment.fact_id
        join recommendation.proposal using (intake_id, revision)
    order by length(completed.payload) offset (select count(*) / 2 from recommendation.proposal) limit 1
"""


def submitting(database: Database) -> Submit:
    """Accepts one submission each time, as the API does once it has read the request."""
    forms = cycle([SubmissionForm.model_validate(company.submission()) for company in companies()])

    async def submit() -> UUID:
        form, intake_id = next(forms), uuid7()
        given = given_answers(form)
        fact = submitted(
            intake_id=intake_id,
            revision=1,
            version=1,
            questionnaire=load(),
            given=given,
            company=Company(**form.company.model_dump()),
            channel="api",
            language="en",
            now=datetime.now(UTC),
        )
        async with database.autocommit() as connection:
            await intakes.accept(
                connection,
                fact,
                given=given,
                contact=form.contact,
                consent=form.consent,
                caller=CALLER,
                route=ROUTE,
                key=str(uuid4()),
                body_hash=hashlib.sha256(intake_id.bytes).digest(),
                response=json.dumps({"intake_id": str(intake_id)}),
            )
        return intake_id

    return submit


async def measure(job: Job) -> list[Ledger]:
    """The ledger of each load."""
    settings = Settings(database_url=job.database_url, kafka_bootstrap_servers=job.kafka_bootstrap_servers, **job.more)
    connection = await asyncpg.connect(job.database_url)
    async with running.started(settings, list(PREFIXES)) as apps:
        while any([await app.state.health.problems() for app in apps.values()]):
            await asyncio.sleep(running.READY_POLL_SECONDS)
        measured = await run(job.loads, submitting(apps["intake"].state.database), connection, MARKS)
    await connection.close()
    return measured


if __name__ == "__main__":
    configure(readable=False)
    print(json.dumps(uvloop.run(measure(Job.heard()))))
