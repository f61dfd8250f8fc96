"""Signing in and out, and the links that work once: for the first admin, and to set a password."""

from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Form, Request, Response

from services.intake import handlers
from services.intake.domain.accounts import (
    Account,
    EmailTaken,
    Link,
    Purpose,
    Session,
    email_refusals,
    home,
    local_path,
    name_refusals,
    password_refusals,
)
from services.intake.store import accounts
from services.intake.web.account.forms import (
    SIGN_IN,
    Text,
    database_of,
    drop_cookie,
    page,
    see,
    settings_of,
    start_session,
    with_passwords,
)
from services.intake.web.account.passwords import Checked, TooManyAttempts, check, hashed
from services.intake.web.account.provider import Provider
from shared import access
from shared.access import Staff
from shared.pages import Pages
from shared.postgres import Database

Next = Annotated[str, Form(alias="next")]

router = APIRouter()
log = structlog.get_logger(__name__)


class LinkEnded(Exception):
    """The link was used, has run out, was replaced (410), or was never made here (404)."""

    def __init__(self, status: int) -> None:
        super().__init__("This link does not work any more.")
        self.status = status


@router.get(SIGN_IN)
async def ask_who(request: Request) -> Response:
    """The ways to sign in; after signing out also the way to do so at the provider, or that a form was not taken."""
    provider: Provider | None = request.app.state.provider
    leave = await provider.end_session_url() if provider and "left" in request.query_params else None
    going = local_path(request.query_params.get("next", "")) or ""
    unsent = "unsent" in request.query_params
    return page(request, "sign-in.html", email="", next=going, leave=leave, unsent=unsent)


@router.post(SIGN_IN, dependencies=[Depends(with_passwords)])
async def sign_in(request: Request, email: Text = "", password: Text = "", next_path: Next = "") -> Response:
    """Begin a session, and go on to where the person was going."""
    going = local_path(next_path) or ""
    if errors := email_refusals(email):
        return page(request, "sign-in.html", status=422, email=email, next=going, errors=errors)
    try:
        checked = await check(request, email, password)
    except TooManyAttempts as wait:
        log.warning("sign_in.throttled")
        return page(request, "sign-in.html", status=429, headers=wait.headers, email=email, next=going, wait=str(wait))
    opened = None if checked is None else await _session(database_of(request), checked)
    if opened is None:
        log.info("sign_in.refused")
        return page(request, "sign-in.html", status=422, email=email, next=going, is_wrong=True)
    account, session = opened
    log.info("sign_in", account=str(account.id))
    return start_session(request, account, session, going or home(account.roles))


@router.post("/account/sign-out")
async def sign_out(request: Request, staff: Staff) -> Response:
    """End the session of this browser, everywhere."""
    database = database_of(request)
    async with database.connection() as connection:
        account = await accounts.find(connection, staff.id, "person")
    await handlers.end_sessions(database, staff.id, only=staff.session_id)
    return drop_cookie(request, see(f"{SIGN_IN}?left" if account and account.is_connected else SIGN_IN))


@router.get("/account/first/{token}", dependencies=[Depends(with_passwords)])
async def ask_first_admin(request: Request, token: str) -> Response:
    """The form that makes the first admin."""
    try:
        await _first_admin_link(request, token)
    except LinkEnded as ended:
        return _ended(request, ended)
    return page(request, "first.html", email="", name="")


@router.post("/account/first/{token}", dependencies=[Depends(with_passwords)])
async def make_first_admin(
    request: Request, token: str, *, email: Text = "", name: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Make the first admin, who is then signed in. Of several who try one succeeds."""
    try:
        link = await _first_admin_link(request, token)
        errors = name_refusals(name) | email_refusals(email) | password_refusals(password, again)
        if errors:
            return page(request, "first.html", status=422, email=email, name=name, errors=errors)
        account, session = await _first_admin(database_of(request), link, email, name, await hashed(password))
    except LinkEnded as ended:
        return _ended(request, ended)
    except EmailTaken as taken:
        return page(request, "first.html", status=422, email=email, name=name, errors={"email": str(taken)})
    log.info("first_admin", account=str(account.id))
    return start_session(request, account, session, home(account.roles))


@router.get("/account/set-password/{token}", dependencies=[Depends(with_passwords)])
async def ask_password(request: Request, token: str) -> Response:
    """The form to set a password."""
    try:
        link = await _link(request, "set-password", token)
    except LinkEnded as ended:
        return _ended(request, ended)
    return await _password_page(request, link, {})


@router.post("/account/set-password/{token}", dependencies=[Depends(with_passwords)])
async def set_password(request: Request, token: str, password: Text = "", again: Text = "") -> Response:
    """Set the password of the link's account, end its other sessions, and sign in."""
    try:
        link = await _link(request, "set-password", token)
        if errors := password_refusals(password, again):
            return await _password_page(request, link, errors)
        account, session = await _new_password(database_of(request), link, await hashed(password))
    except LinkEnded as ended:
        return _ended(request, ended)
    log.info("password.set", account=str(account.id))
    return start_session(request, account, session, home(account.roles))


async def _session(database: Database, checked: Checked) -> tuple[Account, Session] | None:
    async with database.transaction() as connection:
        return await accounts.open_session(
            connection, checked.account_id, datetime.now(UTC), password_hash=checked.password_hash
        )


async def _first_admin(
    database: Database, link: Link, email: str, name: str, password_hash: str
) -> tuple[Account, Session]:
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        if not await accounts.use_link(connection, link.id, now) or await accounts.has_admin(connection):
            raise LinkEnded(410)
        account = await handlers.add_person(
            connection, email=email, name=name, roles=["admin"], at=now, password_hash=password_hash
        )
        opened = await accounts.open_session(connection, account.id, now, password_hash=password_hash)
    assert opened is not None, "nobody else can have changed the account yet"
    return opened


async def _new_password(database: Database, link: Link, password_hash: str) -> tuple[Account, Session]:
    assert link.account_id is not None, "the database keeps it with this purpose"
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        account = await accounts.lock(connection, link.account_id, "person")
        if account is None or not account.active or not await accounts.use_link(connection, link.id, now):
            raise LinkEnded(410)
        await accounts.set_password(connection, account.id, password_hash)
        await accounts.end_sessions(connection, account.id, now)
        await handlers.announce(connection, account.id, now)
        opened = await accounts.open_session(connection, account.id, now, password_hash=password_hash)
    assert opened is not None, "the account is locked until here"
    return opened


async def _password_page(request: Request, link: Link, errors: dict[str, str]) -> Response:
    assert link.account_id is not None
    async with database_of(request).connection() as connection:
        account = await accounts.find(connection, link.account_id, "person")
    assert account is not None
    return page(
        request,
        "set-password.html",
        status=422 if errors else 200,
        name=account.name,
        email=account.email,
        errors=errors,
    )


async def _link(request: Request, purpose: Purpose, token: str) -> Link:
    link_id = access.link_id(settings_of(request).link_secret.get_secret_value(), purpose, token)
    if link_id is None:
        raise LinkEnded(404)
    async with database_of(request).connection() as connection:
        link = await accounts.open_link(connection, purpose, link_id, datetime.now(UTC))
    if link is None:
        raise LinkEnded(410)
    return link


async def _first_admin_link(request: Request, token: str) -> Link:
    link = await _link(request, "first-admin", token)
    async with database_of(request).connection() as connection:
        if await accounts.has_admin(connection):
            raise LinkEnded(410)
    return link


def _ended(request: Request, ended: LinkEnded) -> Response:
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        "error.html",
        status=ended.status,
        heading="This link does not work any more",
        advice="Such a link works once and for a limited time. Ask whoever gave it to you for a new one, "
        "or sign in if you have set a password already.",
        action={"label": "Sign in", "href": SIGN_IN},
    )
