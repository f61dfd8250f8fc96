"""What every HTTP edge shares: refusals as problem+json or a page, strict bodies, and answers given once."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from shared.postgres import Connection

MAX_BODY_BYTES = 262_144
MAX_KEY_LENGTH = 200

Body = TypeVar("Body", bound=BaseModel)


class Problem(Exception):
    """A refusal for the caller (RFC 9457): what happened, what to do next, and anything that helps doing it."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.more = more

    def response(self) -> Response:
        """The problem as application/problem+json."""
        told = {"title": self.title, "status": self.status, "detail": self.detail}
        content = {"type": "about:blank", **told, **self.more}
        return JSONResponse(content, self.status, media_type="application/problem+json")


async def read_body(request: Request) -> bytes:
    """The request's body; one that is too large is refused before it is held in memory."""
    announced = request.headers.get("content-length", "0")
    received = bytearray()
    if announced.isdigit() and int(announced) <= MAX_BODY_BYTES:
        async for chunk in request.stream():
            received += chunk
            if len(received) > MAX_BODY_BYTES:
                break
        else:
            return bytes(received)
    raise Problem(413, "Too large", f"Send at most {MAX_BODY_BYTES // 1024} KB in one request.")


async def read_json(request: Request, model: type[Body]) -> tuple[Body, bytes]:
    """The body as `model`, and its bytes; a key that stands twice or a value that does not fit is refused by name."""
    body = await read_body(request)
    try:
        return model.model_validate(_parsed(body)), body
    except ValidationError as error:
        errors = [
            {
                "field": ".".join(str(part) for part in fault["loc"]),
                "message": fault["msg"].removeprefix("Value error, "),
            }
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        detail = "; ".join(f"{fault['field'] or 'body'}: {fault['message']}" for fault in errors[:5])
        raise Problem(422, "Some fields need another value", detail, errors=errors) from error


def _parsed(body: bytes) -> Any:
    try:
        content = json.loads(body.decode(), object_pairs_hook=_each_key_once, parse_constant=_no_number)
        json.dumps(content, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _unreadable(f"It cannot be read beyond line {error.lineno}, column {error.colno}.") from error
    except UnicodeDecodeError as error:
        raise _unreadable(f"Byte {error.start + 1} is not UTF-8.") from error
    except UnicodeEncodeError as error:
        raise _unreadable("It holds half of a surrogate pair, which is no character.") from error
    except RecursionError as error:
        raise _unreadable("It is nested too deeply.") from error
    except ValueError as error:
        raise _unreadable("A number in it has too many digits.") from error
    return content


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _unreadable(f"The key {key!r} stands in it more than once; give it once.")
        content[key] = value
    return content


def _no_number(word: str) -> object:
    raise _unreadable(f"{word} is not a number in JSON.")


def _unreadable(reason: str) -> Problem:
    return Problem(400, "Not readable as JSON", f"Send one JSON object in UTF-8. {reason}")


def idempotency_key(request: Request) -> str | None:
    """The caller's Idempotency-Key, if there is one."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise Problem(400, "Idempotency-Key", f"Give a key of 1 to {MAX_KEY_LENGTH} characters.")
    return key


def body_hash(body: bytes) -> bytes:
    """What tells two bodies apart."""
    return hashlib.sha256(body).digest()


async def stored_answer(connection: Connection, caller: UUID, route: str, key: str, body: bytes) -> Response | None:
    """The answer that this key got before; None where it is new. The same key with another body is refused."""
    row = await connection.fetchrow(
        "select body_hash, status, response from idempotency where caller = $1 and route = $2 and key = $3",
        caller,
        route,
        key,
    )
    if row is None:
        return None
    if row["body_hash"] != body_hash(body):
        raise Problem(
            422, "Idempotency-Key was used before", "It came with another body. Use a new key for a new request."
        )
    return Response(row["response"], row["status"], media_type="application/json")


async def answer_once(
    request: Request,
    connection: Connection,
    caller: UUID,
    body: bytes,
    work: Callable[[], Awaitable[tuple[int, Mapping[str, Any]]]],
) -> Response:
    """Do `work` in the caller's transaction; with an Idempotency-Key, a repeat gets the first answer instead.

    A concurrent repeat waits until the first has committed or given up.
    """
    key, route = idempotency_key(request), request.url.path
    if key is not None:
        is_new = await connection.fetchval(
            """
            insert into idempotency (caller, route, key, body_hash, status, response) values ($1, $2, $3, $4, 0, '')
            on conflict do nothing returning true
            """,
            caller,
            route,
            key,
            body_hash(body),
        )
        if not is_new and (answer := await stored_answer(connection, caller, route, key, body)) is not None:
            return answer
    status, content = await work()
    response = JSONResponse(content, status)
    if key is not None:
        await connection.execute(
            "update idempotency set status = $4, response = $5 where caller = $1 and route = $2 and key = $3",
            caller,
            route,
            key,
            status,
            bytes(response.body).decode(),
        )
    return response
