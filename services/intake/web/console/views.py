"""Saved views: a person's own ways to look at the pipeline."""

from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from services.intake.store import pipeline
from services.intake.web.console.pipeline import Look
from services.intake.web.console.staff import Sales, Text, database_of, page, see
from shared.access import Principal
from shared.language import gettext_noop
from shared.service import Problem

router = APIRouter()

MOST = 30
MAX_NAME = 60
NAME_IT = gettext_noop("Give it a name of at most 60 characters.")


@router.get("/views")
async def show(request: Request, staff: Sales) -> Response:
    """The own views, to rename and delete."""
    return await _page(request, staff)


@router.post("/views")
async def save(request: Request, staff: Sales, name: Text = "", query: Text = "") -> Response:
    """Keep what the pipeline shows under a name; a view of that name is replaced."""
    try:
        look = Look.model_validate(dict(parse_qsl(query)))
    except ValidationError as error:
        raise Problem(
            422,
            gettext_noop("That view cannot be kept"),
            gettext_noop("Open the pipeline, choose again, and save that."),
        ) from error
    if not _is_name(name):
        return await _page(request, staff, status=422, errors={"name": NAME_IT}, query=look.address(after=""))
    async with database_of(request).transaction() as connection:
        kept = await pipeline.save_view(connection, staff.id, name.strip(), look.address(after=""), MOST)
    if not kept:
        full = gettext_noop("You have 30 views. Delete one, then save this one.")
        return await _page(request, staff, status=409, errors={"name": full}, query=look.address(after=""), name=name)
    return see(f"?{look.address(after='')}")


@router.post("/views/{view_id:uuid}/name")
async def rename(request: Request, view_id: UUID, staff: Sales, name: Text = "") -> Response:
    """Give a view another name."""
    field = f"name-{view_id}"
    if not _is_name(name):
        return await _page(request, staff, status=422, errors={field: NAME_IT})
    async with database_of(request).transaction() as connection:
        renamed = await pipeline.rename_view(connection, staff.id, view_id, name.strip())
    if not renamed:
        return await _page(
            request,
            staff,
            status=409,
            errors={field: gettext_noop("Another view has this name. Choose a different one.")},
        )
    return see("views")


@router.post("/views/{view_id:uuid}/delete")
async def delete(request: Request, view_id: UUID, staff: Sales) -> Response:
    """Forget a view."""
    async with database_of(request).transaction() as connection:
        await pipeline.delete_view(connection, staff.id, view_id)
    return see("views")


def _is_name(name: str) -> bool:
    return 0 < len(name.strip()) <= MAX_NAME and name.isprintable()


async def _page(
    request: Request,
    staff: Principal,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    query: str = "",
    name: str = "",
) -> Response:
    async with database_of(request).connection() as connection:
        views = await pipeline.views(connection, staff.id)
    return page(
        request, "views.html", status=status, staff=staff, views=views, errors=errors or {}, query=query, name=name
    )
