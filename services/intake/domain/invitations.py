"""Questionnaires begun for a prospect: what is known is in place, and a personal link opens it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

REMINDED_AFTER = timedelta(days=5)

Standing = Literal["not_opened", "in_progress", "submitted", "expired", "revoked"]


class NotOpen(Exception):
    """The invitation has been answered, has run out or was taken back, so there is nothing to remind of or revoke."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(
            {
                "submitted": "The answers have been sent in. Open the case to go on.",
                "expired": "The link has run out. Make a new one.",
                "revoked": "The link was taken back. Make a new one.",
            }[standing]
        )


@dataclass(frozen=True)
class Invitation:
    """Where a personal link stands; texts are empty where they were not given. `answered` counts questions."""

    id: UUID
    maker: str | None
    company: str
    name: str
    email: str
    answered: int
    begun_at: datetime
    expires_at: datetime
    mailed_at: datetime | None
    reminded_at: datetime | None
    opened_at: datetime | None
    sent_at: datetime | None
    revoked_at: datetime | None

    def standing(self, now: datetime) -> Standing:
        """How far the prospect has come."""
        if self.sent_at is not None:
            return "submitted"
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at < now:
            return "expired"
        return "not_opened" if self.opened_at is None else "in_progress"


def check_open(standing: Standing) -> None:
    """Raise NotOpen where nothing can come of the link any more."""
    if standing not in ("not_opened", "in_progress"):
        raise NotOpen(standing)
