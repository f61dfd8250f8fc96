import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from html import unescape
from uuid import UUID

from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from services.intake import handlers
from services.intake.web import account
from shared import access
from shared.contracts.intake import Role, StaffChanged
from shared.pages import pages, static_app
from shared.postgres import Database
from shared.service import Service, Settings, build

PASSWORD = "correct horse battery"
QUICK = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)])
HASH = QUICK.hash(PASSWORD)
SAME_SITE = {"sec-fetch-site": "same-origin"}

Connect = Callable[[str], Awaitable[Database]]
Browsers = Callable[[], Awaitable[AsyncClient]]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[FastAPI]:
    service = Service(
        name="intake",
        package="services.intake",
        routers=(account.router,),
        pages=pages("services.intake.web", "/static"),
        mounts={"/static": static_app()},
    )
    app = build(service, settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


async def person(database: Database, email: str, *roles: Role, name: str = "Ann") -> UUID:
    async with database.transaction() as connection:
        added = await handlers.add_person(
            connection, email=email, name=name, roles=roles, at=datetime.now(UTC), password_hash=HASH
        )
    return added.id


async def enter(client: AsyncClient, email: str, password: str = PASSWORD, **more: str) -> Response:
    return await client.post("/account/sign-in", data={"email": email, "password": password, **more})


def text(response: Response) -> str:
    """What the page says, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def leads_to(response: Response) -> str:
    assert response.status_code == 303, text(response)
    return response.headers["location"]


def token_of(client: AsyncClient) -> str:
    token = client.cookies.get(access.COOKIE)
    assert token is not None
    return token


async def facts(database: Database) -> list[StaffChanged]:
    async with database.connection() as connection:
        rows = await connection.fetch("select payload from fact order by at, version")
    return [StaffChanged.model_validate_json(row["payload"]) for row in rows]
