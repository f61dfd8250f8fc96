"""Withdrawing a case, and erasing it: each asked once more before it is done."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake import handlers
from services.intake.domain.submission import UnknownIntake
from services.intake.store import intakes
from services.intake.web.console.staff import Admin, Sales, database_of, page, see
from shared.access import Principal

router = APIRouter()


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
