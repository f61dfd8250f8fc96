import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from services.recommendation.domain.review import NotReviewable, Reviewer, ReviewRequest
from services.recommendation.events import HANDLERS
from services.recommendation.handlers import decision
from services.recommendation.store import cases
from services.recommendation.store.cases import CaseFile
from shared import erasure
from shared.contracts.intake import Company, IntakeErased, IntakeWithdrawn
from shared.contracts.recommendation import RecommendationProposed
from shared.kafka import hand_over
from shared.postgres import Connection, Database
from tests.assessment.archetypes import DEADLINE_MIGRATION, SAAS_SCALE_UP
from tests.recommendation.situations import NOW, completed, hear

ANNA = Reviewer(uuid7(), "Anna Berg")
CANARY = "Kanarienvogel GmbH"


@pytest.fixture
async def database(connect: Callable[[str], Awaitable[Database]]) -> Database:
    return await connect("recommendation")


async def decide(database: Database, intake_id: UUID, **request: Any) -> None:
    async with database.transaction() as connection:
        asked = ReviewRequest.model_validate(request)
        await decision.review(connection, intake_id, asked, ANNA, datetime.now(UTC))


async def found(database: Database, intake_id: UUID) -> CaseFile:
    async with database.connection() as connection:
        file = await cases.read(connection, intake_id)
    assert file is not None
    return file


async def said(database: Database, table: str = "fact") -> list[tuple[str, int]]:
    """Topic and version of every fact, or of every fact that waits to be sent, in order."""
    joined = (
        "outbox join fact on fact.id = outbox.fact_id order by seq" if table == "outbox" else "fact order by version"
    )
    async with database.connection() as connection:
        return [(row["topic"], row["version"]) for row in await connection.fetch(f"select fact.* from {joined}")]


async def test_an_assessment_becomes_a_proposal_and_is_said(database: Database) -> None:
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    file = await found(database, event.intake_id)
    assert (file.state, file.version, file.revision) == ("proposed", 1, 1)
    assert (file.model, file.strength, file.commercial_form) == ("dedicated_team", "clear", "monthly_team")
    assert file.company == event.submission.company
    assert file.assessment == event.assessment.model_dump(mode="json", by_alias=True)
    assert file.proposal is not None
    assert file.proposal.model == "dedicated_team"
    async with database.connection() as connection:
        row = await connection.fetchrow("select fact.* from fact join outbox on outbox.fact_id = fact.id")
    assert row is not None
    fact = RecommendationProposed.model_validate_json(row["payload"])
    assert (row["id"], row["key"], row["version"]) == (fact.event_id, event.intake_id, 1)
    assert (fact.model, fact.revision, fact.commercial_form) == ("dedicated_team", 1, "monthly_team")
    assert event.submission.company.name not in row["payload"]


async def test_a_new_proposal_costs_one_statement(database: Database) -> None:
    statements: list[object] = []
    async with database.transaction() as connection:
        with connection.query_logger(statements.append):
            await hand_over(connection, HANDLERS, [completed(SAAS_SCALE_UP)])
    assert len(statements) == 1


async def test_many_at_once_are_proposed_each_as_its_intake_stands(database: Database) -> None:
    known, new = completed(SAAS_SCALE_UP), completed(SAAS_SCALE_UP)
    await hear(database, known)
    changed = completed(DEADLINE_MIGRATION, intake_id=new.intake_id, revision=2)
    async with database.autocommit() as connection:
        await hand_over(connection, HANDLERS, [new, known, changed])
    file = await found(database, new.intake_id)
    assert (file.revision, file.version, file.model) == (2, 2, "project_based")
    assert (await found(database, known.intake_id)).version == 1
    proposed = "recommendation.proposed.v1"
    assert await said(database, "outbox") == [(proposed, version) for version in (1, 1, 1, 2)]


async def test_an_assessment_heard_again_changes_nothing_and_says_all_again(database: Database) -> None:
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    await decide(database, event.intake_id, decision="approve", version=1)
    before = await found(database, event.intake_id)
    async with database.connection() as connection:
        await connection.execute("delete from outbox")
    await hear(database, event, event)
    assert await found(database, event.intake_id) == before
    both = [("recommendation.proposed.v1", 1), ("recommendation.reviewed.v1", 2)]
    assert await said(database) == both
    assert await said(database, "outbox") == both + both


async def test_a_new_revision_takes_the_place_of_the_old_one_and_leaves_its_review(database: Database) -> None:
    first = completed(SAAS_SCALE_UP)
    await hear(database, first)
    await decide(database, first.intake_id, decision="return", note="Is there a date?", version=1)
    await hear(database, completed(DEADLINE_MIGRATION, intake_id=first.intake_id, revision=2))
    file = await found(database, first.intake_id)
    assert (file.state, file.version, file.revision, file.model) == ("proposed", 3, 2, "project_based")
    assert [(earlier.revision, earlier.state, earlier.model) for earlier in file.earlier] == [
        (1, "superseded", "dedicated_team")
    ]
    assert [(review.revision, review.version, review.note) for review in file.reviews] == [(1, 2, "Is there a date?")]
    assert [version for _, version in await said(database)] == [1, 2, 3]


async def test_a_late_lower_revision_is_kept_as_superseded_and_not_said(database: Database) -> None:
    second = completed(DEADLINE_MIGRATION, revision=2)
    await hear(database, second, completed(SAAS_SCALE_UP, intake_id=second.intake_id, revision=1))
    file = await found(database, second.intake_id)
    assert (file.state, file.version, file.revision, file.model) == ("proposed", 1, 2, "project_based")
    assert [(earlier.revision, earlier.state) for earlier in file.earlier] == [(1, "superseded")]
    assert await said(database) == [("recommendation.proposed.v1", 1)]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (2, 1, 3)])
async def test_in_any_order_the_highest_revision_is_current(database: Database, order: tuple[int, ...]) -> None:
    intake_id = uuid7()
    for revision in order:
        event = completed(SAAS_SCALE_UP, intake_id=intake_id, revision=revision)
        await hear(database, event, event)
    file = await found(database, intake_id)
    assert (file.revision, file.state) == (3, "proposed")
    assert {(earlier.revision, earlier.state) for earlier in file.earlier} == {(1, "superseded"), (2, "superseded")}


async def test_two_workers_who_hear_the_same_assessment_make_one_proposal(database: Database) -> None:
    event = completed(SAAS_SCALE_UP)
    await asyncio.gather(*(hear(database, event) for _ in range(8)))
    assert await said(database) == [("recommendation.proposed.v1", 1)]
    assert (await found(database, event.intake_id)).version == 1


async def test_a_withdrawal_ends_the_case_and_keeps_it_readable(database: Database) -> None:
    event = completed(SAAS_SCALE_UP)
    withdrawn = IntakeWithdrawn(intake_id=event.intake_id, version=2, time=NOW)
    await hear(database, event, withdrawn, withdrawn)
    file = await found(database, event.intake_id)
    assert (file.state, file.company) == ("withdrawn", event.submission.company)
    with pytest.raises(NotReviewable):
        await decide(database, event.intake_id, decision="approve", version=1)


async def test_what_arrives_after_the_withdrawal_is_withdrawn_and_not_said(database: Database) -> None:
    event = completed(SAAS_SCALE_UP)
    await hear(database, IntakeWithdrawn(intake_id=event.intake_id, version=2, time=NOW))
    async with database.connection() as connection:
        assert await cases.read(connection, event.intake_id) is None
    await hear(database, event, completed(DEADLINE_MIGRATION, intake_id=event.intake_id, revision=2))
    file = await found(database, event.intake_id)
    assert (file.state, file.revision, file.version) == ("withdrawn", 2, 0)
    assert await said(database) == []


async def everything_stored(connection: Connection) -> str:
    tables = [
        row["tablename"]
        for row in await connection.fetch("select tablename from pg_tables where schemaname = current_schema()")
    ]
    rows = [await connection.fetch(f"select * from {table}") for table in tables]
    return orjson.dumps([[dict(row) for row in found] for found in rows], default=str).decode()


async def test_erasure_takes_answers_company_and_notes_and_keeps_what_was_decided(database: Database) -> None:
    company = Company(name=CANARY, headcount="11-50", industry="education", country="AT")
    first = completed(SAAS_SCALE_UP, company=company)
    await hear(database, first, completed(DEADLINE_MIGRATION, intake_id=first.intake_id, revision=2, company=company))
    note = f"{CANARY} asked for it by phone."
    asked = {"decision": "override", "model": "hybrid", "reason_code": "client_choice", "note": note, "version": 2}
    await decide(database, first.intake_id, **asked)
    async with database.connection() as connection:
        assert CANARY in await everything_stored(connection)
    await hear(database, IntakeErased(intake_id=first.intake_id, version=3, time=NOW))
    async with database.connection() as connection:
        left = await everything_stored(connection)
    assert CANARY not in left
    assert "steady_growth" not in left
    file = await found(database, first.intake_id)
    assert (file.state, file.model, file.company, file.assessment, file.proposal) == (
        "erased",
        "project_based",
        None,
        None,
        None,
    )
    assert [(review.model, review.by, review.note) for review in file.reviews] == [("hybrid", ANNA, None)]
    assert [earlier.state for earlier in file.earlier] == ["erased"]
    assert await said(database) == await said(database, "outbox") == []


async def test_nothing_is_proposed_for_what_was_erased(database: Database) -> None:
    before = completed(SAAS_SCALE_UP)
    erased = IntakeErased(intake_id=before.intake_id, version=2, time=NOW)
    await hear(database, erased, before, erased)
    file = await found(database, before.intake_id)
    assert (file.state, file.revision, file.version) == ("erased", None, 0)
    after = completed(SAAS_SCALE_UP)
    again = completed(SAAS_SCALE_UP, intake_id=after.intake_id, revision=2)
    withdrawn = IntakeWithdrawn(intake_id=after.intake_id, version=3, time=NOW)
    await hear(database, after, IntakeErased(intake_id=after.intake_id, version=2, time=NOW), after, again, withdrawn)
    assert (await found(database, after.intake_id)).state == "erased"
    assert await said(database) == []


async def test_a_tombstone_alone_keeps_a_proposal_away(database: Database) -> None:
    event = completed(SAAS_SCALE_UP)
    async with database.transaction() as connection:
        await erasure.erase(connection, event.intake_id, NOW)
    await hear(database, event, IntakeWithdrawn(intake_id=event.intake_id, version=2, time=NOW))
    async with database.connection() as connection:
        assert await cases.read(connection, event.intake_id) is None


async def test_an_erasure_and_an_assessment_at_once_leave_nothing_behind(database: Database) -> None:
    company = Company(name=CANARY, headcount="11-50", industry="education", country="AT")
    events = [completed(SAAS_SCALE_UP, company=company) for _ in range(12)]
    erasures = [IntakeErased(intake_id=event.intake_id, version=2, time=NOW) for event in events]
    both = [event for pair in zip(events, erasures, strict=True) for event in pair]
    await asyncio.gather(*(hear(database, event) for event in both))
    async with database.connection() as connection:
        assert CANARY not in await everything_stored(connection)
