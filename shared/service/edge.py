"""What surrounds every page and call: refusals in words, headers, no cross-site writes, a log line without secrets."""

import time
from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import iter_route_contexts
from secure import ContentSecurityPolicy, ReferrerPolicy, Secure, StrictTransportSecurity, XContentTypeOptions
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import postgres
from shared.access import COOKIE, SECURE_COOKIE, NotAllowed, NotSignedIn
from shared.language import gettext_noop
from shared.service.http import Problem
from shared.service.settings import Settings

SIGN_IN = "/account/sign-in"
SIGN_OUT = "/account/sign-out"
READING = ("GET", "HEAD", "OPTIONS")
MOUNTED = {"GET", "HEAD"}
ASK_AN_ADMIN = "Ask an admin for it."
PEOPLE = {"label": "Open People", "href": "/account/people"}
OWN_ROLES = {"label": "See your roles", "href": "/account/"}

log = structlog.get_logger(__name__)


def guard(app: FastAPI, settings: Settings) -> None:
    """Put the edge around an app."""
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Edge, headers=_headers(settings))
    for expected in (
        Problem,
        NotSignedIn,
        NotAllowed,
        RequestValidationError,
        HTTPException,
        *postgres.TRANSIENT,
    ):
        app.add_exception_handler(expected, _refuse)


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, NotSignedIn) and not _is_api(request.url.path):
        return RedirectResponse(_sign_in(request), HTTPStatus.SEE_OTHER)
    problem = _problem(request.scope, error)
    pages = getattr(request.app.state, "pages", None)
    if _is_api(request.url.path) or pages is None:
        response = problem.response()
    else:
        response = pages.render(
            request,
            "error.html",
            status=problem.status,
            heading=problem.title,
            advice=problem.detail,
            **problem.more,
        )
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = "2"
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["www-authenticate"] = "Bearer"
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["allow"] = ", ".join(sorted(_methods(request.app, request.url.path)))
    return response


def _sign_in(request: Request) -> str:
    """The way to sign in, then on to what was asked for, or to the page whose form was not taken."""
    if request.method in READING:
        going = {"next": request.url.path + (f"?{request.url.query}" if request.url.query else "")}
    elif request.url.path == SIGN_OUT:
        return SIGN_IN
    else:
        page = _page_above(request.app, request.url.path)
        going = ({"next": page} if page else {}) | {"unsent": "yes"}
    return f"{SIGN_IN}?{urlencode(going, safe='/', quote_via=quote)}"


def _page_above(app: FastAPI, path: str) -> str | None:
    """The page that a form's address belongs to: the longest address, itself or above it, that can be read."""
    parts = path.rstrip("/").split("/")
    above = ("/".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((place for one in above for place in (one, f"{one}/") if "GET" in _methods(app, place)), None)


def _methods(app: FastAPI, path: str) -> set[str]:
    """What can be done at an address."""
    found: set[str] = set()
    for route in iter_route_contexts(app.routes):
        pattern, _, _ = compile_path(str(route.path) if route.methods else f"{route.path}/{{path:path}}")
        if pattern.match(path):
            found |= route.methods or MOUNTED
    return found


def _problem(scope: Scope, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case NotSignedIn():
            return Problem(401, "Sign in", "Send a valid token in the header Authorization, as: Bearer TOKEN.")
        case NotAllowed() | RequestValidationError() | HTTPException(status_code=405) if not _is_api(scope["path"]):
            return _page_problem(scope, error)
        case NotAllowed():
            return Problem(403, "This account may not do that", f"{error} {ASK_AN_ADMIN}")
        case RequestValidationError():
            fault = error.errors()[0]
            advice = "Give an id as it was handed out." if fault["type"] == "uuid_parsing" else fault["msg"]
            return Problem(422, "Some fields need another value", f"{fault['loc'][-1]}: {advice}")
        case HTTPException(status_code=404):
            return Problem(
                404,
                gettext_noop("There is nothing at this address"),
                gettext_noop("Check the address, or start again from the front page."),
            )
        case HTTPException():
            return Problem(error.status_code, gettext_noop("That does not work here"), str(error.detail))
        case asyncpg.DataError():
            advice = gettext_noop("A value holds characters that cannot be stored.")
            return Problem(422, gettext_noop("Some fields need another value"), advice)
        case ClientDisconnect():
            return Problem(
                400,
                gettext_noop("Broken off"),
                gettext_noop("The request ended before all of it was here. Send it again."),
            )
        case _ if postgres.is_transient(error):
            log.warning("request.postponed", route=_route(scope), error=type(error).__name__)
            return Problem(
                503,
                gettext_noop("Busy at this moment"),
                gettext_noop("Nothing was lost. Try again in a few seconds."),
            )
        case _:
            log.error("request.failed", route=_route(scope), exc_info=error)
            return Problem(
                500,
                gettext_noop("Something broke here"),
                gettext_noop("The fault is ours and has been noted. Try again, or tell us."),
            )


def _page_problem(scope: Scope, error: NotAllowed | RequestValidationError | HTTPException) -> Problem:
    """What a person is told where a program gets the bare facts: plain words, and a way on."""
    page = _page_above(scope["app"], scope["path"])
    back = {} if page is None else {"action": {"label": gettext_noop("Open the page"), "href": page}}
    match error:
        case NotAllowed():
            advice = "You are an admin: you can give it to yourself under People." if error.is_admin else ASK_AN_ADMIN
            action = PEOPLE if error.is_admin else OWN_ROLES
            return Problem(403, "This account may not do that", f"{error} {advice}", action=action)
        case RequestValidationError():
            name = error.errors()[0]["loc"][:2][-1]
            advice = f"“{name}” holds something that this page does not know. Open the page and choose again."
            return Problem(422, gettext_noop("Some fields need another value"), advice, **back)
        case _:
            advice = gettext_noop("This address only takes what a form sends. Open the page with the form.")
            return Problem(405, gettext_noop("That does not work here"), advice, **back)


def _is_api(path: str) -> bool:
    return path.startswith("/api/")


def _route(scope: Scope) -> str:
    """The route's template: an address can hold a person's link."""
    return getattr(scope.get("route"), "path", "unknown")


class Edge:
    """Refuses writes from other sites, adds the security headers, and writes one log line a request."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope, receive)
        if _is_cross_site_write(request):
            refusal = Problem(
                403,
                gettext_noop("That came from another site"),
                gettext_noop("Open the page here and send it again."),
            )
            await (await _refuse(request, refusal))(scope, receive, send_with_headers)
        else:
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception as error:
                if status:
                    raise
                await (await _refuse(request, error))(scope, receive, send_with_headers)
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        log.info("request", method=request.method, route=_route(scope), status=status, ms=milliseconds)


def _is_cross_site_write(request: Request) -> bool:
    """Browsers say where a write comes from. Programs with a bearer token say nothing and carry no cookie.

    Over plain http a page that sends no referrer says only `null`: that passes where no cookie lends it authority.
    """
    if request.method in READING:
        return False
    carries_cookie = bool({COOKIE, SECURE_COOKIE} & request.cookies.keys())
    if _is_api(request.url.path) and not carries_cookie:
        return False
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin == "null":
        return carries_cookie
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def _headers(settings: Settings) -> dict[str, str]:
    policy = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .script_src("'self'")
        .style_src("'self'")
        .img_src("'self'", "data:")
        .font_src("'self'")
        .connect_src("'self'")
        .form_action("'self'")
        .base_uri("'none'")
        .frame_ancestors("'none'")
    )
    headers = Secure(
        csp=policy,
        hsts=StrictTransportSecurity().max_age(31_536_000) if settings.is_secure else None,
        referrer=ReferrerPolicy().no_referrer(),
        xcto=XContentTypeOptions(),
    ).headers
    return {**headers, "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store"}
