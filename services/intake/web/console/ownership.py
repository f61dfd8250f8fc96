"""Taking a case, and giving it to a colleague."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel

from services.intake import handlers
from services.intake.domain.ownership import OwnedMeanwhile, ReasonNeeded, ReasonTooLong, UnknownColleague
from services.intake.web.console.case import case_page
from services.intake.web.console.staff import Sales, database_of, see

router = APIRouter()


class HandOver(BaseModel):
    """Who is to have the case and why; `seen` is the owner that was on the page."""

    to: str = ""
    seen: str = ""
    reason: str = ""


@router.post("/{intake_id:uuid}/owner")
async def hand_over(request: Request, intake_id: UUID, staff: Sales, form: Annotated[HandOver, Form()]) -> Response:
    """Put the case into one's own hands or a colleague's."""
    reason, typed = form.reason.strip(), form.model_dump()
    try:
        person, owner = UUID(form.to), UUID(form.seen) if form.seen else None
    except ValueError:
        errors = {"to": str(UnknownColleague())}
        return await case_page(request, staff, intake_id, status=422, errors=errors, typed=typed)
    try:
        async with database_of(request).transaction() as connection:
            await handlers.hand_over(connection, intake_id, person, by=staff.id, seen=owner, reason=reason)
    except OwnedMeanwhile as meanwhile:
        return await case_page(request, staff, intake_id, status=409, errors={"to": str(meanwhile)}, typed=typed)
    except UnknownColleague as unknown:
        return await case_page(request, staff, intake_id, status=422, errors={"to": str(unknown)}, typed=typed)
    except (ReasonNeeded, ReasonTooLong) as refused:
        return await case_page(request, staff, intake_id, status=422, errors={"reason": str(refused)}, typed=typed)
    return see(f"{intake_id}?done=owner")
