"""A case, held for one step."""

from uuid import UUID

from services.recommendation.domain.review import Case
from services.recommendation.store import cases
from shared.postgres import Connection


class UnknownCase(Exception):
    """Nothing was proposed for this intake."""

    def __init__(self) -> None:
        super().__init__("There is no proposal for this intake yet. Check its id, or look again later.")


async def locked(connection: Connection, intake_id: UUID) -> Case:
    """A case, for nobody else to change until the transaction ends. Raises UnknownCase."""
    case = await cases.lock(connection, intake_id)
    if case is None:
        raise UnknownCase
    return case
