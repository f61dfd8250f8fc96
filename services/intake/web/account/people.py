"""For admins: who works here, with which roles, and the links by which they get in."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.intake import handlers
from services.intake.domain.accounts import EmailTaken, FieldsRefused, LastAdmin, UnknownAccount
from services.intake.store import accounts
from services.intake.web.account.forms import Admin, Choices, Text, database_of, page, see, settings_of, with_passwords
from shared.access import Principal

router = APIRouter()


@router.get("/account/people")
async def list_people(request: Request, admin: Admin) -> Response:
    """Everybody with an account."""
    async with database_of(request).connection() as connection:
        people = await accounts.listed(connection, "person")
    return page(request, "people.html", staff=admin, people=people)


@router.get("/account/people/invite", dependencies=[Depends(with_passwords)])
async def ask_invitation(request: Request, admin: Admin) -> Response:
    """The form to invite somebody."""
    return page(request, "invite.html", staff=admin, email="", name="", roles=[])


@router.post("/account/people/invite", dependencies=[Depends(with_passwords)])
async def invite(request: Request, admin: Admin, roles: Choices, email: Text = "", name: Text = "") -> Response:
    """Make an account with a link to set its password."""
    now = datetime.now(UTC)
    try:
        async with database_of(request).transaction() as connection:
            account = await handlers.add_person(connection, email=email, name=name, roles=roles, at=now, by=admin.id)
            await accounts.ensure_link(connection, "set-password", account.id, now)
    except FieldsRefused as refused:
        errors = refused.refusals
    except EmailTaken as taken:
        errors = {"email": str(taken)}
    else:
        return see(f"/account/people/{account.id}?done=invited")
    return page(request, "invite.html", status=422, staff=admin, email=email, name=name, roles=roles, errors=errors)


@router.get("/account/people/{account_id:uuid}")
async def show_person(request: Request, account_id: UUID, admin: Admin) -> Response:
    """One account, its roles, and its link while it works."""
    return await _page(request, admin, account_id)


@router.post("/account/people/{account_id:uuid}/roles")
async def change_roles(request: Request, account_id: UUID, admin: Admin, roles: Choices) -> Response:
    """Replace the roles."""
    try:
        await handlers.change_roles(database_of(request), account_id, roles, by=admin.id)
    except FieldsRefused as refused:
        return await _page(request, admin, account_id, status=422, errors=refused.refusals, chosen=roles)
    except LastAdmin as last:
        return await _page(request, admin, account_id, status=409, errors={"roles": str(last)}, chosen=roles)
    if account_id == admin.id and "admin" not in roles:
        return see("/account/")
    return see(f"/account/people/{account_id}?done=roles")


@router.post("/account/people/{account_id:uuid}/deactivate")
async def deactivate(request: Request, account_id: UUID, admin: Admin) -> Response:
    """Keep somebody out, at once."""
    try:
        await handlers.deactivate(database_of(request), account_id, by=admin.id)
    except LastAdmin as last:
        return await _page(request, admin, account_id, status=409, errors={"deactivate": str(last)})
    return see(f"/account/people/{account_id}?done=deactivated")


@router.post("/account/people/{account_id:uuid}/reactivate")
async def reactivate(request: Request, account_id: UUID, admin: Admin) -> Response:
    """Let somebody in again."""
    await handlers.reactivate(database_of(request), account_id, by=admin.id)
    return see(f"/account/people/{account_id}?done=reactivated")


@router.post("/account/people/{account_id:uuid}/end-sessions")
async def end_sessions(request: Request, account_id: UUID, admin: Admin) -> Response:
    """Sign somebody out everywhere."""
    await handlers.end_sessions(database_of(request), account_id, by=admin.id)
    return see(f"/account/people/{account_id}?done=sessions")


@router.post("/account/people/{account_id:uuid}/link", dependencies=[Depends(with_passwords)])
async def renew_link(request: Request, account_id: UUID, admin: Admin) -> Response:
    """Make a new link to set a password; the one before it works no more."""
    async with database_of(request).transaction() as connection:
        account = await accounts.lock(connection, account_id, "person")
        if account is None:
            raise UnknownAccount
        if account.active and not account.is_connected:
            await accounts.drop_link(connection, account_id)
            await accounts.ensure_link(connection, "set-password", account_id, datetime.now(UTC))
    return see(f"/account/people/{account_id}?done=link")


async def _page(
    request: Request,
    admin: Principal,
    account_id: UUID,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    chosen: list[str] | None = None,
) -> Response:
    async with database_of(request).connection() as connection:
        account = await accounts.find(connection, account_id, "person")
        if account is None:
            raise UnknownAccount
        now = datetime.now(UTC)
        link = await accounts.open_link_of(connection, account_id, now)
        sessions = await accounts.open_sessions(connection, account_id, now)
    settings = settings_of(request)
    return page(
        request,
        "person.html",
        status=status,
        staff=admin,
        account=account,
        roles=account.roles if chosen is None else chosen,
        link=link,
        address=link and handlers.link_address(settings, "set-password", link),
        sessions=sessions,
        done=request.query_params.get("done", ""),
        errors=errors,
    )
