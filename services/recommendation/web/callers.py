"""Who calls a page or the API: those who read cases and those who decide on them."""

from typing import Annotated

from fastapi import Depends

from services.recommendation.domain.review import Reviewer
from shared.access import Principal, requires
from shared.service import Problem

Reader = Annotated[Principal, Depends(requires("sales", "account_manager"))]
AccountManager = Annotated[Principal, Depends(requires("account_manager"))]


async def _person(staff: AccountManager) -> Principal:
    if not staff.is_person:
        raise Problem(403, "A person has to do this", "The second signature is never an API key's: sign in to give it.")
    return staff


Signer = Annotated[Principal, Depends(_person)]


def reviewer(staff: Principal) -> Reviewer:
    """The caller as a case names people."""
    return Reviewer(staff.id, staff.name)
