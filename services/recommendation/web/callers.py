"""Who calls a page or the API: those who read cases and those who decide on them."""

from typing import Annotated

from fastapi import Depends

from services.recommendation.domain.review import Reviewer
from shared.access import Principal, requires

Reader = Annotated[Principal, Depends(requires("sales", "account_manager"))]
AccountManager = Annotated[Principal, Depends(requires("account_manager"))]


def reviewer(staff: Principal) -> Reviewer:
    """The caller as a case names people."""
    return Reviewer(staff.id, staff.name)
