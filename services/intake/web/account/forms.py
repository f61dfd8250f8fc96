"""What the account pages share: form fields, answers, and the cookie of a session."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.intake import handlers
from services.intake.domain.accounts import SESSION_LASTS, Account, Session, UnknownAccount
from shared.access import COOKIE, Principal, requires, sign
from shared.pages import Pages
from shared.postgres import Database
from shared.service import Problem, Settings

SIGN_IN = "/account/sign-in"

Text = Annotated[str, Form()]
Choices = Annotated[list[str], Form(default_factory=list)]
Admin = Annotated[Principal, Depends(requires("admin"))]


def database_of(request: Request) -> Database:
    """Intake's database."""
    database: Database = request.app.state.database
    return database


def settings_of(request: Request) -> Settings:
    """The settings of the process."""
    settings: Settings = request.app.state.settings
    return settings


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """One of the account pages, with what to do by field."""
    pages: Pages = request.app.state.pages
    return pages.render(request, f"account/{template}", status=status, headers=headers, errors=errors or {}, **context)


async def only_known() -> AsyncIterator[None]:
    """Answers 404 where a step finds no such account or key."""
    try:
        yield
    except UnknownAccount as unknown:
        raise Problem(404, "There is no such account", str(unknown)) from unknown


async def with_passwords(request: Request) -> None:
    """Refuses what a password is needed for where people sign in with a provider alone."""
    settings = settings_of(request)
    if not settings.has_passwords:
        way_on = {"label": "Sign in", "href": SIGN_IN}
        raise Problem(403, "Passwords are not used here", f"Sign in with {settings.oidc_label}.", action=way_on)


def see(path: str) -> RedirectResponse:
    """Go on to another page."""
    return RedirectResponse(path, 303)


def start_session(request: Request, account: Account, session: Session, path: str) -> Response:
    """Go on to a page, signed in for as long as the session lasts."""
    settings = settings_of(request)
    bearer = Principal(account.id, session.id, account.name, account.roles, account.version)
    token = sign(bearer, handlers.signing_key(settings), issued=session.created_at, expires=session.expires_at)
    return keep_cookie(request, see(path), COOKIE, token, SESSION_LASTS)


def cookie_name(settings: Settings, name: str) -> str:
    """What a cookie is called where it was set: with https no other site can have set it."""
    return f"__Host-{name}" if settings.is_secure else name


def keep_cookie(request: Request, response: Response, name: str, value: str, lasts: timedelta) -> Response:
    """The response, after which the browser holds a cookie that no script reads."""
    settings = settings_of(request)
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="lax",
    )
    return response


def drop_cookie(request: Request, response: Response, name: str = COOKIE) -> Response:
    """The response, after which the browser holds this cookie no more; by default, no session."""
    settings = settings_of(request)
    response.delete_cookie(
        cookie_name(settings, name), path="/", secure=settings.is_secure, httponly=True, samesite="lax"
    )
    return response
