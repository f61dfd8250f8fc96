"""What has passed between a case and its client since the release."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.recommendation.domain import release as rules
from services.recommendation.domain.booking import Call
from services.recommendation.domain.outcome import FollowUp, Recorded
from services.recommendation.domain.release import Answer, Reply
from services.recommendation.store import calls, outcomes
from services.recommendation.store.documents import Shelf
from shared.postgres import Connection


@dataclass(frozen=True)
class Since:
    """The thread in its order; calls and outcomes with the last one first."""

    thread: list[Answer | Reply]
    calls: list[Call]
    outcomes: list[Recorded]
    due: list[FollowUp]

    @property
    def is_question_open(self) -> bool:
        """True while the client has the last word in the thread."""
        return bool(self.thread) and isinstance(self.thread[-1], Answer)


async def since_release(connection: Connection, intake_id: UUID, shelf: Sequence[Shelf]) -> Since:
    """All that has passed about a case, whose documents are these."""
    return Since(
        thread=rules.thread([one for on in shelf for one in on.answers], [one for on in shelf for one in on.replies]),
        calls=await calls.of_case(connection, intake_id),
        outcomes=await outcomes.of_case(connection, intake_id),
        due=await outcomes.open_of_case(connection, intake_id),
    )
