"""Providers to sign in at: Canaille as it is, and one in this process that lies as it is told to."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from httpx2 import AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response as Answer
from starlette.routing import Route

from shared.service import Settings
from tests.intake.prospect import form_on

BACK = "http://testserver/account/oidc/callback"
ROLES = {"advisor-sales": "sales", "advisor-managers": "account_manager", "advisor-admins": "admin"}
ISSUER = "http://localhost"
CLIENT_ID, CLIENT_SECRET = "advisor", "a secret of the client"
PASSWORD = "correct horse battery"


def with_provider(settings: Settings, issuer: str, **more: object) -> Settings:
    """Settings under which people sign in there, and with no password here."""
    return Settings.model_validate(
        settings.model_dump()
        | {"oidc_issuer": issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
        | {"oidc_roles": ROLES, "oidc_label": "Company SSO"}
        | more
    )


@dataclass(frozen=True)
class Canaille:
    """The running provider. `listener` is a port to serve on whose address it sends browsers back to."""

    process: subprocess.Popen[str]
    issuer: str
    listener: socket.socket

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def groups(self, user_name: str, *groups: str) -> None:
        """Put a user into these groups alone."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{user_name} {' '.join(groups)}\n")
        self.process.stdin.flush()
        line_from(self.process, "done")


@contextmanager
def canaille() -> Iterator[Canaille]:
    script = Path(__file__).with_name("canaille_server.py")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origins = ["http://testserver", f"http://127.0.0.1:{listener.getsockname()[1]}"]
        known = {
            "people": {"ann": "Ann Lind", "bob": "Bob Moor", "cora": "Cora Day"},
            "password": PASSWORD,
            "groups": [*ROLES, "choir"],
            "client": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [f"{origin}/account/oidc/callback" for origin in origins],
                "post_logout_redirect_uris": [f"{origin}/account/sign-in" for origin in origins],
            },
        }
        with subprocess.Popen(
            [sys.executable, script, json.dumps(known)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                port = line_from(process, "ready").split()[1]
                yield Canaille(process, f"http://127.0.0.1:{port}", listener)
            finally:
                process.terminate()


def line_from(process: subprocess.Popen[str], beginning: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if line.startswith(beginning))


async def walk(address: str, user_name: str) -> str:
    """Sign in at Canaille from the address where it begins; returns where it sends the browser back to."""
    answers = {"login": user_name, "password": PASSWORD}
    async with AsyncClient() as there:
        page = await there.get(address)
        for _ in range(12):
            if page.is_redirect:
                address = urljoin(str(page.url), page.headers["location"])
                if address.startswith(BACK):
                    return address
                page = await there.get(address)
            else:
                form = form_on(page)
                given = {name: value for name, value in answers.items() if f'name="{name}"' in page.text}
                page = await there.post(str(page.url), data={"csrf_token": form["csrf_token"]} | given)
    raise AssertionError(f"the provider leads nowhere: {page.text[:500]}")


def asked(redirect: Response) -> dict[str, str]:
    """The parameters with which a browser is sent to the provider."""
    return {name: values[0] for name, values in parse_qs(urlsplit(redirect.headers["location"]).query).items()}


def honest(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@dataclass
class Liar:
    """A provider that signs people in as it should, except for what a test changes.

    `sign` makes the ID token of its claims, `userinfo` and `discovery` are added to what it says there.
    """

    challenge: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True))
    sign: Callable[[dict[str, Any], RSAKey], str] | None = None
    status: int = 200

    def truth(self, redirect: Response) -> None:
        """What an honest provider would say to the sign-in that begins with this redirect."""
        query, now = asked(redirect), int(datetime.now(UTC).timestamp())
        self.challenge = query["code_challenge"]
        self.claims = {
            "iss": ISSUER,
            "sub": "a-1",
            "aud": CLIENT_ID,
            "nonce": query["nonce"],
            "iat": now,
            "exp": now + 300,
            "name": "Ann Lind",
            "email": "Ann@company.com",
            "groups": ["advisor-sales", "choir"],
        }

    @property
    def transport(self) -> httpx2.ASGITransport:
        routes = [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/jwks", self._jwks),
            Route("/token", self._token, methods=["POST"]),
            Route("/userinfo", self._userinfo),
        ]
        return httpx2.ASGITransport(Starlette(routes=routes))

    async def _discovery(self, request: Request) -> Answer:
        found = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        found |= {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token", "userinfo")}
        return JSONResponse(found | self.discovery, self.status)

    async def _jwks(self, request: Request) -> Answer:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _token(self, request: Request) -> Answer:
        form = await request.form()
        if create_s256_code_challenge(str(form["code_verifier"])) != self.challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = (self.sign or honest)(self.claims, self.key)
        return JSONResponse({"access_token": "abc", "token_type": "Bearer", "id_token": token})

    async def _userinfo(self, request: Request) -> Answer:
        return JSONResponse({"sub": self.claims["sub"]} | self.userinfo)
