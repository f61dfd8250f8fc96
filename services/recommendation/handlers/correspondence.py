"""What passes between a client and us about a released document: readings, answers, and replies."""

from datetime import UTC, datetime
from uuid import UUID

from services.recommendation.domain import release as rules
from services.recommendation.domain.outcome import AFTER_ACCEPTANCE
from services.recommendation.domain.release import Answer, AnswerRequest
from services.recommendation.domain.review import Reviewer, Unfit, readable
from services.recommendation.handlers.case import locked
from services.recommendation.store import cases, documents, outcomes
from services.recommendation.store.documents import Behind
from shared import audit, outbox
from shared.contracts.recommendation import RecommendationAnswered, RecommendationOpened, RecommendationReplied
from shared.postgres import Connection


async def note_opening(connection: Connection, behind: Behind, now: datetime) -> int:
    """Note an opening and say the first one; the case's version then."""
    is_first = await documents.record_visit(connection, behind.intake_id, behind.link.number, "opened", now)
    await audit.record(connection, "opened", behind.intake_id, now, {"document": behind.link.number})
    if not is_first:
        return behind.version
    version = behind.version + 1
    await cases.advance(connection, behind.intake_id, behind.revision, version)
    await outbox.say(
        connection,
        RecommendationOpened(
            intake_id=behind.intake_id,
            version=version,
            time=now,
            revision=behind.revision,
            document=behind.link.number,
        ),
    )
    return version


async def answer(connection: Connection, behind: Behind, asked: AnswerRequest) -> None:
    """Keep what a client answers and say so; the same answer once. Raises NotAnswerable or Unfit."""
    if any((one.answer, one.name, one.note) == (asked.answer, asked.name, asked.note) for one in behind.answers):
        return
    state = rules.answered(behind.state, asked)
    version = behind.version if behind.is_read else await note_opening(connection, behind, datetime.now(UTC))
    now = datetime.now(UTC)
    said = Answer(version + 1, behind.link.number, asked.answer, asked.why_declined, asked.name, asked.note, now)
    await documents.record_answer(connection, behind.intake_id, said)
    await cases.advance(connection, behind.intake_id, behind.revision, said.version, state)
    if said.answer == "accepted":
        await outcomes.come_back_to(connection, behind.intake_id, {"acceptance": (now + AFTER_ACCEPTANCE).date()})
    await outbox.say(
        connection,
        RecommendationAnswered(
            intake_id=behind.intake_id,
            version=said.version,
            time=now,
            revision=behind.revision,
            document=behind.link.number,
            answer=said.answer,
            reason_code=said.reason_code,
        ),
    )
    acted = {"version": said.version, "document": said.number, "reason_code": said.reason_code}
    await audit.record(connection, said.answer, behind.intake_id, now, acted)


async def reply(connection: Connection, intake_id: UUID, text: str, by: Reviewer) -> None:
    """Keep what a colleague replies and say so; the same reply once. Raises UnknownCase, OutOfStep or Unfit."""
    try:
        note = readable(text)
    except ValueError as refusal:
        raise Unfit("reply", str(refusal)) from refusal
    case = await locked(connection, intake_id)
    last = next(iter(await documents.shelf(connection, intake_id)), None)
    if last is not None and any((one.by, one.note) == (by, note) for one in last.replies):
        return
    link, answers = (last.link, last.answers) if last else (None, ())
    said = rules.reply(case, link, answers, note, by=by, now=datetime.now(UTC))
    await documents.record_reply(connection, intake_id, said)
    await cases.advance(connection, intake_id, case.revision, said.version)
    await outbox.say(
        connection,
        RecommendationReplied(
            intake_id=intake_id,
            version=said.version,
            time=said.at,
            revision=case.revision,
            document=said.number,
            by=by.id,
        ),
    )
    acted = {"version": said.version, "document": said.number}
    await audit.record(connection, "replied", intake_id, said.at, acted, actor=by.id)
