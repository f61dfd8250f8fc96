"""What the console's pages share: who may use them, form fields, and refusals in words."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.intake.domain.submission import CaseErased, UnknownIntake
from shared.access import Principal, requires
from shared.language import gettext_noop
from shared.pages import Pages
from shared.postgres import Database
from shared.service import Problem

Sales = Annotated[Principal, Depends(requires("sales", "account_manager"))]
Admin = Annotated[Principal, Depends(requires("admin"))]
Text = Annotated[str, Form()]


def database_of(request: Request) -> Database:
    """Intake's database."""
    database: Database = request.app.state.database
    return database


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """One of the console's pages."""
    pages: Pages = request.app.state.pages
    return pages.render(request, f"console/{template}", status=status, **context)


def see(path: str) -> RedirectResponse:
    """Go on to another page of the console."""
    return RedirectResponse(f"/console/{path}", 303)


async def only_known() -> AsyncIterator[None]:
    """Answers 404 where a step finds no such case, and 409 where it was erased."""
    try:
        yield
    except UnknownIntake as unknown:
        raise Problem(
            404, gettext_noop("There is no such case"), gettext_noop("Look for it in the pipeline.")
        ) from unknown
    except CaseErased as erased:
        raise Problem(409, gettext_noop("This case is erased"), str(erased)) from erased
