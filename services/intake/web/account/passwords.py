"""Passwords: slow to check, off the event loop, and not checked too often."""

import asyncio
import ipaddress
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pwdlib import PasswordHash

from services.intake.domain.accounts import normalised_email, normalised_password
from services.intake.store import accounts
from shared.postgres import Database

PER_EMAIL = RateLimitItemPerMinute(20, 15, namespace="email")
PER_ADDRESS = RateLimitItemPerMinute(100, 15, namespace="address")

_argon2 = PasswordHash.recommended()
# each check takes 64 MB
_threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")


class TooManyAttempts(Exception):
    """Passwords were tried too often; says when one more may be."""

    def __init__(self, until: datetime) -> None:
        minutes = max(1, math.ceil((until - datetime.now(UTC)) / timedelta(minutes=1)))
        super().__init__(f"Too many tries. Try again in {minutes} {'minute' if minutes == 1 else 'minutes'}.")
        self.headers = {"retry-after": str(minutes * 60)}


class Attempts:
    """Counts tries, right or wrong, per e-mail address and per client in this process, over a moving window."""

    def __init__(self, per_email: RateLimitItem = PER_EMAIL, per_client: RateLimitItem = PER_ADDRESS) -> None:
        self._per_email, self._per_client = per_email, per_client
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def count(self, email: str, client: str) -> None:
        """One more try; raises TooManyAttempts."""
        await self._hit(self._per_client, client)
        await self._hit(self._per_email, email)

    async def _hit(self, limit: RateLimitItem, who: str) -> None:
        if not await self._limiter.hit(limit, who):
            window = await self._limiter.get_window_stats(limit, who)
            raise TooManyAttempts(datetime.fromtimestamp(window.reset_time, UTC))


@dataclass(frozen=True)
class Checked:
    """A person whose password was right, and the hash that it was right for."""

    account_id: UUID
    password_hash: str


async def hashed(password: str) -> str:
    """The argon2id hash to keep."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _argon2.hash, normalised_password(password))


async def check(request: Request, email: str, password: str) -> Checked | None:
    """Who this is; None where address and password do not go together. Raises TooManyAttempts.

    It takes as long for an address without an account, so that time does not tell who has one.
    """
    attempts: Attempts = request.app.state.attempts
    database: Database = request.app.state.database
    email = normalised_email(email)
    await attempts.count(email, network(request))
    async with database.connection() as connection:
        known = await accounts.password_of(connection, email)
    if known is None:
        await hashed(password)
        return None
    account_id, password_hash = known
    loop = asyncio.get_running_loop()
    if not await loop.run_in_executor(_threads, _argon2.verify, normalised_password(password), password_hash):
        return None
    return Checked(account_id, password_hash)


def network(request: Request) -> str:
    """Where a request comes from: an IPv4 address, or the /64 that one IPv6 client commands."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
