"""Withdrawing a case, and erasing it: each asked once more before it is done."""

import re
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake import handlers
from services.intake.domain.submission import UnknownIntake
from services.intake.store import intakes
from services.intake.web.console.staff import Admin, Sales, database_of, page, see
from shared.access import Principal
from shared.language import gettext_noop

router = APIRouter()

NUMBER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NEEDS_NUMBER = gettext_noop("There is no case's number in this. Copy the address of the case's page.")


@router.get("/{intake_id:uuid}/withdraw")
async def ask_to_withdraw(request: Request, intake_id: UUID, staff: Sales) -> Response:
    """What withdrawing does, and the button for it."""
    return await _page(request, staff, intake_id, "withdraw.html")


@router.post("/{intake_id:uuid}/withdraw")
async def withdraw(request: Request, intake_id: UUID, staff: Sales) -> Response:
    """Take the request back for the client."""
    async with database_of(request).transaction() as connection:
        await handlers.withdraw(connection, intake_id, by=staff.id)
    return see(f"{intake_id}?done=withdrawn")


@router.get("/erase")
async def ask_which_to_erase(request: Request, staff: Admin, case: str = "") -> Response:
    """Where an admin, who need not read cases, names the one to erase; on to it once a number or a link is given."""
    if found := NUMBER.search(case):
        return see(f"{found[0]}/erase")
    errors = {"case": NEEDS_NUMBER} if case else {}
    return page(request, "erase-which.html", status=422 if errors else 200, staff=staff, case=case, errors=errors)


@router.get("/{intake_id:uuid}/erase")
async def ask_to_erase(request: Request, intake_id: UUID, staff: Admin) -> Response:
    """What erasing does, and the button for it; afterwards that it was done."""
    return await _page(request, staff, intake_id, "erase.html")


@router.post("/{intake_id:uuid}/erase")
async def erase(request: Request, intake_id: UUID, staff: Admin) -> Response:
    """Erase everything personal about a case, everywhere."""
    async with database_of(request).transaction() as connection:
        await handlers.erase(connection, intake_id, by=staff.id)
    return see(f"{intake_id}/erase")


async def _page(request: Request, staff: Principal, intake_id: UUID, template: str) -> Response:
    async with database_of(request).connection() as connection:
        found = await intakes.status(connection, intake_id)
        if found is None:
            raise UnknownIntake
        erased = found.state == "erased"
        revision = None if erased else await intakes.current_revision(connection, intake_id)
    return page(request, template, staff=staff, case=found, company=revision and revision.company)
