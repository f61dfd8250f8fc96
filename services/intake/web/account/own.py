"""Everybody's own account: what it may do, where it is signed in, and its password."""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response

from services.intake import handlers
from services.intake.domain.accounts import Account, password_refusals
from services.intake.store import accounts
from services.intake.web.account.forms import Text, database_of, page, see, with_passwords
from services.intake.web.account.passwords import TooManyAttempts, check, hashed
from shared.access import NotSignedIn, Principal, Staff
from shared.service import Problem

router = APIRouter()
log = structlog.get_logger(__name__)


@router.get("/account/")
async def own_account(request: Request, staff: Staff) -> Response:
    """The account of whoever is signed in."""
    return await _page(request, staff)


@router.post("/account/sessions/end-others")
async def end_other_sessions(request: Request, staff: Staff) -> Response:
    """Sign out everywhere but here."""
    await _own(request, staff)
    await handlers.end_sessions(database_of(request), staff.id, keep=staff.session_id)
    return see("/account/?done=sessions")


@router.post("/account/sessions/{session_id:uuid}/end")
async def end_session(request: Request, session_id: UUID, staff: Staff) -> Response:
    """End one of the own sessions."""
    await _own(request, staff)
    await handlers.end_sessions(database_of(request), staff.id, only=session_id)
    return see("/account/?done=session")


@router.post("/account/password", dependencies=[Depends(with_passwords)])
async def change_password(
    request: Request, staff: Staff, current: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Change the own password and sign out everywhere else."""
    email = (await _own(request, staff)).email or ""
    if errors := password_refusals(password, again):
        return await _page(request, staff, 422, errors)
    try:
        checked = await check(request, email, current)
    except TooManyAttempts as wait:
        return await _page(request, staff, 429, {"current": str(wait)}, wait.headers)
    if checked is None:
        return await _page(request, staff, 422, {"current": "This is not the password you use now. Type it again."})
    password_hash, now = await hashed(password), datetime.now(UTC)
    async with database_of(request).transaction() as connection:
        await accounts.lock(connection, staff.id, "person")
        if await accounts.password_of(connection, email) != (checked.account_id, checked.password_hash):
            raise NotSignedIn("The password was changed elsewhere at this moment. Sign in again.")
        await accounts.set_password(connection, staff.id, password_hash)
        await accounts.end_sessions(connection, staff.id, now, keep=staff.session_id)
        await accounts.drop_link(connection, staff.id)
        await handlers.announce(connection, staff.id, now)
    log.info("password.changed", account=str(staff.id))
    return see("/account/?done=password")


async def _own(request: Request, staff: Principal) -> Account:
    """The account of whoever is signed in; keys have no account page."""
    async with database_of(request).connection() as connection:
        account = await accounts.find(connection, staff.id, "person")
        if account is None and await accounts.find(connection, staff.id, "key"):
            raise Problem(403, "A key has no account page", "Sign in as a person to see this page.")
    if account is None:
        raise NotSignedIn("The sign-in has ended. Sign in again.")
    return account


async def _page(
    request: Request,
    staff: Principal,
    status: int = 200,
    errors: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    account = await _own(request, staff)
    async with database_of(request).connection() as connection:
        sessions = await accounts.open_sessions(connection, staff.id, datetime.now(UTC))
    return page(
        request,
        "own.html",
        status=status,
        staff=staff,
        account=account,
        sessions=sorted(sessions, key=lambda session: session.id != staff.session_id),
        done=request.query_params.get("done", ""),
        errors=errors,
        headers=headers,
    )
