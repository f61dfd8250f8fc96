"""Every address of every service, as it is built to serve: what is open to anybody, and what must not be there."""

from collections.abc import AsyncIterator
from importlib import import_module
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.routing import compile_path

from services.laptop import PACKAGES
from shared.service import PREFIXES, Settings, build
from shared.service.prefixes import service_for

OPEN = {
    "intake": {
        "GET /",
        "GET /account/first/{token}",
        "GET /account/oidc",
        "GET /account/oidc/callback",
        "GET /account/set-password/{token}",
        "GET /account/sign-in",
        "GET /api/intake/openapi.json",
        "GET /api/intake/questionnaire",
        "GET /q/static/drafts.js",
        "GET /q/{token}",
        "GET /q/{token}/data",
        "GET /q/{token}/data.json",
        "GET /q/{token}/erase",
        "GET /q/{token}/later",
        "GET /q/{token}/review",
        "GET /q/{token}/status",
        "GET /q/{token}/withdraw",
        "GET /q/{token}/{slug}",
        "POST /account/first/{token}",
        "POST /account/set-password/{token}",
        "POST /account/sign-in",
        "POST /q/",
        "POST /q/{token}/answers",
        "POST /q/{token}/opened",
        "POST /q/{token}/erase",
        "POST /q/{token}/later",
        "POST /q/{token}/review",
        "POST /q/{token}/withdraw",
        "POST /q/{token}/{slug}",
    },
    "assessment": {"GET /api/assessment/openapi.json"},
    "recommendation": {
        "GET /api/recommendation/openapi.json",
        "GET /d/static/zone.js",
        "GET /d/{token}",
        "GET /d/{token}/call",
        "GET /d/{token}/call.ics",
        "POST /d/{token}/answer",
        "POST /d/{token}/call",
        "POST /d/{token}/call/cancel",
        "POST /d/{token}/document.pdf",
        "POST /d/{token}/opened",
    },
}


@pytest.fixture(params=PACKAGES)
async def app(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[FastAPI]:
    service = import_module(f"{PACKAGES[request.param]}.app").service
    built = build(service, settings, worker=False)
    async with built.router.lifespan_context(built):
        yield built


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
        yield client


def name_of(app: FastAPI) -> str:
    name: str = app.state.database.service
    return name


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path template of everything but mounted files."""
    return [
        (method, str(context.path))
        for context in iter_route_contexts(app.routes)
        for method in sorted(context.methods or ())
        if method != "HEAD"
    ]


def address(template: str) -> str:
    """An address of this shape that leads to nothing real."""
    _, form, parameters = compile_path(template)
    return form.format(**{name: uuid4() for name in parameters})


def is_turned_away(answer: Response) -> bool:
    sent_to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/account/sign-in")
    return answer.status_code == 401 or sent_to_sign_in


async def test_a_stranger_is_turned_away_from_all_but_the_open_addresses(app: FastAPI, http: AsyncClient) -> None:
    answers = {f"{method} {path}": await http.request(method, address(path)) for method, path in routes(app)}
    assert {route for route, answer in answers.items() if not is_turned_away(answer)} == OPEN[name_of(app)]
    assert not {route: answer.status_code for route, answer in answers.items() if answer.status_code >= 500}


async def test_a_service_answers_only_under_its_own_prefixes(app: FastAPI) -> None:
    mounts = [str(context.path) for context in iter_route_contexts(app.routes) if not context.methods]
    paths = [address(path) for _, path in routes(app)] + mounts
    assert {service_for(path) for path in paths} == {name_of(app)}
    assert name_of(app) in PREFIXES


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_page_tries_events_out_or_lists_what_runs(http: AsyncClient, method: str) -> None:
    places = ("/docs", "/redoc", "/openapi.json", "/asyncapi", "/asyncapi.json", "/metrics", "/health/ready")
    for path in (*places, "/docs/try", "/docs/asyncapi", "/docs/asyncapi/try", "/asyncapi/try", "/try"):
        assert (await http.request(method, path)).status_code == 404, path
