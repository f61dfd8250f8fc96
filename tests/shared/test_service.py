import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, ConfigDict

from shared import postgres
from shared.pages import pages, static_app
from shared.postgres import Database
from shared.service import PREFIXES, Problem, Service, Settings, answer_once, build, read_json
from shared.service import logging as service_logging
from shared.service.http import MAX_BODY_BYTES, MAX_KEY_LENGTH
from shared.service.prefixes import service_for

CALLER = uuid4()
TOKEN = "a-token-that-opens-a-persons-page"
CANARY = "Canary Company"


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    count: int = 0
    inner: dict[str, Any] = {}


router = APIRouter()


@router.post("/api/intake/things")
@router.post("/api/intake/others")
async def make(request: Request) -> Response:
    form, body = await read_json(request, Form)
    database: Database = request.app.state.database
    caller = UUID(request.headers.get("x-caller", str(CALLER)))
    async with database.transaction() as connection:

        async def work() -> tuple[int, dict[str, Any]]:
            await connection.execute("insert into heard (text) values ($1)", form.name)
            if form.name == "refused":
                raise Problem(409, "Not now", "Try again later.", state="busy")
            return 202, {"number": await connection.fetchval("select count(*) from heard")}

        return await answer_once(request, connection, caller, body, work)


@router.get("/api/intake/count/{number}")
async def count(request: Request, number: int) -> int:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found: int = await connection.fetchval("select $1::int", number)
        return found


@router.get("/api/intake/broken")
@router.get("/broken")
async def broken(request: Request) -> None:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        await connection.execute("insert into dead_letter (identity) values ($1)", CANARY)


@router.get("/away")
@router.get("/api/intake/away")
async def away() -> None:
    raise ConnectionRefusedError


@router.api_route("/q/{token}/answers", methods=["GET", "POST"])
async def answers(token: str) -> str:
    return "the page"


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """Draw no coloured tracebacks with all their variables."""
    if "logged" in request.fixturenames:
        yield
        return
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def app(settings: Settings, service: str) -> AsyncIterator[FastAPI]:
    parts = Service(
        service, "shared", [router], pages=pages("services.intake.web", "/static"), mounts={"/static": static_app()}
    )
    built = build(parts, settings, worker=False)
    async with built.router.lifespan_context(built):
        yield built


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://testserver") as client:
        yield client


async def effects(app: FastAPI) -> int:
    async with app.state.database.connection() as connection:
        number: int = await connection.fetchval("select count(*) from heard")
        return number


async def test_a_caller_who_breaks_off_is_no_fault_of_ours(app: FastAPI, logged: io.StringIO) -> None:
    scope = {"type": "http", "method": "POST", "path": "/api/intake/things", "headers": [(b"content-length", b"10")]}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope | {"query_string": b"", "client": None, "server": ("testserver", 80)}, receive, send)
    assert sent[0]["status"] == 400
    assert "request.failed" not in logged.getvalue()


async def test_the_api_refuses_with_a_problem_that_says_what_to_do(http: AsyncClient) -> None:
    for method, path, status, title in (
        ("GET", "/api/intake/nowhere", 404, "There is nothing at this address"),
        ("DELETE", "/api/intake/things", 405, "That does not work here"),
        ("GET", "/api/intake/count/many", 422, "Some fields need another value"),
        ("GET", f"/api/intake/count/{2**40}", 422, "Some fields need another value"),
        ("GET", "/api/intake/broken", 500, "Something broke here"),
        ("GET", "/api/intake/away", 503, "Busy at this moment"),
    ):
        answer = await http.request(method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (answer.status_code, problem["status"], problem["title"]) == (status, status, title)
        assert set(problem) == {"type", "title", "status", "detail"}
        assert CANARY not in answer.text
        assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_page_refuses_in_words(http: AsyncClient) -> None:
    for path, status in {"/nowhere": 404, "/broken": 500, "/away": 503}.items():
        answer = await http.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert "<h1" in answer.text
        assert CANARY not in answer.text


async def ten_megabytes(sent: list[int]) -> AsyncIterator[bytes]:
    for _ in range(160):
        sent.append(65_536)
        yield 65_536 * b" "


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(http: AsyncClient) -> None:
    announced: tuple[dict[str, str], ...] = ({}, {"content-length": str(160 * 65_536)}, {"content-length": "many"})
    for headers in announced:
        sent: list[int] = []
        answer = await http.post("/api/intake/things", content=ten_megabytes(sent), headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (413, "Send at most 256 KB in one request.")
        assert sum(sent) <= MAX_BODY_BYTES + 65_536


UNREADABLE = {
    b"": "It cannot be read beyond line 1, column 1.",
    b'{"name": "a",\n "cou': "It cannot be read beyond line 2, column 2.",
    b'{"name": "a"} {}': "It cannot be read beyond line 1, column 15.",
    b'{"name": "\xff"}': "Byte 11 is not UTF-8.",
    b'{"name": "\xed\xa0\x80"}': "Byte 11 is not UTF-8.",
    '{"name": "a"}'.encode("utf-16"): "Byte 1 is not UTF-8.",
    b'{"name": "a", "inner": {"x": ["\\ud800"]}}': "It holds half of a surrogate pair, which is no character.",
    b'{"name": "a", "name": "b"}': "The key 'name' stands in it more than once; give it once.",
    b'{"name": "a", "inner": {"x": 1, "x": 1}}': "The key 'x' stands in it more than once; give it once.",
    b'{"name": "a", "count": NaN}': "NaN is not a number in JSON.",
    b'{"name": "a", "count": -Infinity}': "-Infinity is not a number in JSON.",
    b'{"name": "a", "count": ' + 5000 * b"9" + b"}": "A number in it has too many digits.",
    b'{"inner": ' + 100_000 * b"[" + 100_000 * b"]" + b"}": "It is nested too deeply.",
}


async def test_a_body_that_is_not_plain_json_is_refused_with_the_place(app: FastAPI, http: AsyncClient) -> None:
    for body, reason in UNREADABLE.items():
        answer = await http.post("/api/intake/things", content=body)
        assert (answer.status_code, answer.json()["title"]) == (400, "Not readable as JSON")
        assert answer.json()["detail"] == f"Send one JSON object in UTF-8. {reason}"
    assert await effects(app) == 0


async def test_a_field_that_does_not_fit_is_named(app: FastAPI, http: AsyncClient) -> None:
    cases: tuple[tuple[object, str], ...] = (
        ({"name": "a", "nmae": "b"}, "nmae"),
        ({"count": 1}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a", "count": "many"}, "count"),
        ({"name": "a", "inner": 7}, "inner"),
        ([], ""),
        ("text", ""),
    )
    for content, field in cases:
        answer = await http.post("/api/intake/things", json=content)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    assert await effects(app) == 0


async def test_text_that_the_database_cannot_store_is_refused_not_broken(http: AsyncClient) -> None:
    answer = await http.post("/api/intake/things", json={"name": "nul \0"})
    assert (answer.status_code, answer.json()["title"]) == (422, "Some fields need another value")


async def test_a_repeat_gets_the_first_answer_and_has_no_effect(app: FastAPI, http: AsyncClient) -> None:
    async def post(path: str = "things", key: str = "one", **headers: str) -> Any:
        answer = await http.post(f"/api/intake/{path}", json={"name": "a"}, headers={"idempotency-key": key, **headers})
        return answer.status_code, answer.headers["content-type"], answer.content

    first = await post()
    assert first == (202, "application/json", b'{"number":1}')
    assert await post() == first
    assert await effects(app) == 1
    others = [await post(key="two"), await post("others"), await post(**{"x-caller": str(uuid4())})]
    assert [json.loads(content)["number"] for _, _, content in others] == [2, 3, 4]


async def test_the_same_key_with_another_body_is_refused(app: FastAPI, http: AsyncClient) -> None:
    headers = {"idempotency-key": "one"}
    await http.post("/api/intake/things", json={"name": "a"}, headers=headers)
    answer = await http.post("/api/intake/things", json={"name": "b"}, headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (422, "Idempotency-Key was used before")
    assert await effects(app) == 1


async def test_fifty_repeats_at_once_have_one_effect_and_one_answer(
    app: FastAPI, http: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ACQUIRE_SECONDS", 60)
    answers = await asyncio.gather(
        *(http.post("/api/intake/things", json={"name": "a"}, headers={"idempotency-key": "one"}) for _ in range(50))
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b'{"number":1}')}
    assert await effects(app) == 1


async def test_a_first_request_that_was_refused_leaves_its_key_free(app: FastAPI, http: AsyncClient) -> None:
    headers = {"idempotency-key": "one"}
    refused = await http.post("/api/intake/things", json={"name": "refused"}, headers=headers)
    assert (refused.status_code, refused.json()["state"]) == (409, "busy")
    assert (await http.post("/api/intake/things", json={"name": "a"}, headers=headers)).status_code == 202
    assert await effects(app) == 1


async def test_a_key_of_no_or_too_many_characters_is_refused(http: AsyncClient) -> None:
    for key, status in {"": 400, "k" * MAX_KEY_LENGTH: 202, "k" * (MAX_KEY_LENGTH + 1): 400}.items():
        answer = await http.post("/api/intake/things", json={"name": "a"}, headers={"idempotency-key": key})
        assert answer.status_code == status


SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}


async def test_every_answer_carries_the_security_headers(http: AsyncClient) -> None:
    for path, status, cache in (
        (f"/q/{TOKEN}/answers", 200, "no-store"),
        ("/api/intake/count/1", 200, "no-store"),
        ("/nowhere", 404, "no-store"),
        ("/api/intake/broken", 500, "no-store"),
        ("/broken", 500, "no-store"),
        ("/api/intake/away", 503, "no-store"),
        ("/static/icon.svg", 200, "public, max-age=31536000, immutable"),
        ("/static/nothing", 404, "no-store"),
    ):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, cache)
        assert SECURITY_HEADERS.items() <= dict(answer.headers).items()
        assert "strict-transport-security" not in answer.headers


async def test_only_where_people_come_by_https_they_are_told_to_stay_there(settings: Settings, service: str) -> None:
    secure = settings.model_copy(update={"public_url": "https://advisor.example"})
    app = build(Service(service, "shared", [router]), secure, worker=False)
    async with AsyncClient(transport=ASGITransport(app), base_url="https://advisor.example") as http:
        answer = await http.get(f"/q/{TOKEN}/answers")
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_a_write_that_another_site_brings_about_is_refused(app: FastAPI, http: AsyncClient) -> None:
    taken = 0
    cases: tuple[tuple[dict[str, str], bool], ...] = (
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, True),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "http://testserver.evil.example"}, True),
        ({"origin": "http://testserver"}, False),
        ({}, False),
    )
    for headers, is_refused in cases:
        page = await http.post(f"/q/{TOKEN}/answers", headers=headers)
        assert page.status_code == (403 if is_refused else 200)
        for cookie in ("advisor=a-session", "__Host-advisor=a-session"):
            call = await http.post("/api/intake/things", json={"name": "a"}, headers={**headers, "cookie": cookie})
            assert call.status_code == (403 if is_refused else 202)
            taken += not is_refused
        assert (await http.get(f"/q/{TOKEN}/answers", headers=headers)).status_code == 200
    assert await effects(app) == taken


async def test_a_page_without_referrer_may_write_only_where_no_cookie_lends_it_authority(http: AsyncClient) -> None:
    headers = {"origin": "null"}
    assert (await http.post(f"/q/{TOKEN}/answers", headers=headers)).status_code == 200
    for cookie in ("advisor=a-session", "__Host-advisor=a-session"):
        answer = await http.post(f"/q/{TOKEN}/answers", headers={**headers, "cookie": cookie})
        assert answer.status_code == 403


async def test_a_program_without_a_cookie_may_write_from_anywhere(http: AsyncClient) -> None:
    answer = await http.post("/api/intake/things", json={"name": "a"}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 202


@pytest.fixture(params=[True, False], ids=["readable", "json"])
def logged(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the process writes about itself, as it is configured when it serves."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    service_logging.configure(readable=request.param)
    structlog.configure(**{**structlog.get_config(), "cache_logger_on_first_use": False})
    written = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_the_log_holds_no_token_no_body_and_no_value(logged: io.StringIO, http: AsyncClient) -> None:
    await http.get(f"/q/{TOKEN}/answers?proof={TOKEN}", headers={"authorization": f"Bearer {TOKEN}"})
    await http.post(f"/q/{TOKEN}/answers", headers={"sec-fetch-site": "cross-site", "cookie": f"advisor={TOKEN}"})
    await http.post("/api/intake/things", json={"name": "refused", "inner": {"text": CANARY}})
    await http.get(f"/api/intake/count/{CANARY}")
    await http.get("/api/intake/broken")
    lines = logged.getvalue()
    assert TOKEN not in lines
    assert CANARY not in lines
    assert "/q/{token}/answers" in lines
    assert "NotNullViolationError" in lines
    assert "test_service.py" in lines


@pytest.mark.parametrize("logged", [False], indirect=True, ids=["json"])
async def test_a_library_that_repeats_itself_is_heard_once(logged: io.StringIO) -> None:
    for number in range(100):
        logging.getLogger("aiokafka.cluster").error("Topic %s not found", number)
    logging.getLogger("aiokafka.cluster").error("Another thing")
    assert logged.getvalue().count("not found") == 1
    assert "Another thing" in logged.getvalue()


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/", "intake"),
        ("/favicon.ico", "intake"),
        ("/q/token/answers", "intake"),
        ("/console", "intake"),
        ("/api/intake/intakes", "intake"),
        ("/rubric", "assessment"),
        ("/rubrics", "intake"),
        ("/api/assessment/preview", "assessment"),
        ("/reviews", "recommendation"),
        ("/reviews/1", "recommendation"),
        ("/reviewsx", "intake"),
        ("/d/token", "recommendation"),
        ("/api/recommendation/reviews", "recommendation"),
    ],
)
def test_the_longest_prefix_decides_which_service_answers(path: str, owner: str) -> None:
    assert service_for(path) == owner


def test_no_two_services_claim_one_prefix() -> None:
    claimed = [prefix for prefixes in PREFIXES.values() for prefix in prefixes]
    assert len(claimed) == len(set(claimed))
