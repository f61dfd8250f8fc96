"""A mail server for tests: it takes messages, or answers as it was told to."""

import socket
from asyncio import Transport, get_running_loop
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from shared.service import Settings

CUT = "the connection is cut before any answer"


@dataclass
class Mailbox:
    """What has arrived, and what is answered next instead of taking: SMTP replies, or CUT."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    next_rcpt: list[str] = field(default_factory=list)
    next_data: list[str] = field(default_factory=list)
    password: bytes = b""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def may(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=given.password == self.password, handled=False)

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.next_rcpt:
            return self.next_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.next_data.pop(0) if self.next_data else "250 OK"
        if answer == CUT:
            assert isinstance(server.transport, Transport)
            server.transport.abort()
        elif answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
            self.recipients += envelope.rcpt_tos
        return answer


@asynccontextmanager
async def mail_server(mailbox: Mailbox) -> AsyncIterator[None]:
    """Listens on the mailbox's port, a free one the first time."""
    with socket.create_server(("127.0.0.1", mailbox.port)) as listening:
        mailbox.port = listening.getsockname()[1]
        server = await get_running_loop().create_server(
            lambda: SMTP(
                mailbox,
                hostname="mail.example",
                enable_SMTPUTF8=True,
                authenticator=mailbox.may,
                auth_require_tls=False,
            ),
            sock=listening,
        )
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """An empty one behind a server."""
    box = Mailbox()
    async with mail_server(box):
        yield box


def posting_to(mailbox: Mailbox, settings: Settings) -> Settings:
    """Settings by which mail goes to this mailbox."""
    return Settings(**dict(settings) | {"smtp_url": mailbox.url, "mail_from": "Advisor <advisor@example.com>"})
