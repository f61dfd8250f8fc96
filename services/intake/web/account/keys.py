"""For admins: the keys by which machines call the API."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake import handlers
from services.intake.domain.accounts import FieldsRefused, UnknownAccount
from services.intake.store import accounts
from services.intake.web.account.forms import Admin, Choices, Text, database_of, page, see, settings_of

router = APIRouter()


@router.get("/account/keys")
async def list_keys(request: Request, admin: Admin) -> Response:
    """All keys, ended ones last."""
    async with database_of(request).connection() as connection:
        keys = await accounts.listed(connection, "key")
    return page(request, "keys.html", staff=admin, keys=keys, done=request.query_params.get("done", ""))


@router.get("/account/keys/new")
async def ask_key(request: Request, admin: Admin) -> Response:
    """The form to make a key."""
    return page(request, "new-key.html", staff=admin, name="", roles=[])


@router.post("/account/keys/new")
async def add_key(request: Request, admin: Admin, roles: Choices, name: Text = "") -> Response:
    """Make a key and show its token, this once."""
    try:
        token = await handlers.add_key(database_of(request), settings_of(request), name=name, roles=roles, by=admin.id)
    except FieldsRefused as refused:
        return page(request, "new-key.html", status=422, staff=admin, name=name, roles=roles, errors=refused.refusals)
    return page(request, "key-token.html", staff=admin, name=name, token=token)


@router.get("/account/keys/{key_id:uuid}/end")
async def ask_end(request: Request, key_id: UUID, admin: Admin) -> Response:
    """Ask once before a key is ended: it cannot be taken back."""
    async with database_of(request).connection() as connection:
        key = await accounts.find(connection, key_id, "key")
    if key is None:
        raise UnknownAccount
    return page(request, "end-key.html", staff=admin, key=key)


@router.post("/account/keys/{key_id:uuid}/end")
async def end_key(request: Request, key_id: UUID, admin: Admin) -> Response:
    """End a key, at once and for good."""
    await handlers.end_key(database_of(request), key_id, by=admin.id)
    return see("/account/keys?done=ended")
