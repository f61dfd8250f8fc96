"""Questionnaires begun for a prospect: what is known is in place, and a personal link opens it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.intake.domain.submission import Answers, AnswersForm, Country, Email, Form, Text
from shared.contracts.intake import Campaign, Headcount, Industry
from shared.language import gettext_noop

REMINDED_AFTER = timedelta(days=5)

Standing = Literal["not_opened", "in_progress", "submitted", "expired", "revoked"]


class UnknownInvitation(Exception):
    """There is no such invitation."""


class NotOpen(Exception):
    """The invitation has been answered, has run out or was taken back, so there is nothing to remind of or revoke."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(
            {
                "submitted": gettext_noop("The answers have been sent in. Open the case to go on."),
                "expired": gettext_noop("The link has run out. Make a new one."),
                "revoked": gettext_noop("The link was taken back. Make a new one."),
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


class KnownCompany(Form):
    """What is known of the company."""

    name: Text = ""
    headcount: Headcount | None = None
    industry: Industry | None = None
    country: Country | None = None


class KnownContact(Form):
    """What is known of the person."""

    name: Text = ""
    email: Email = ""


class CampaignForm(Form, Campaign):
    """What the link is part of, as slugs."""


class InvitationForm(AnswersForm):
    """What is known of a prospect before they open their link: all of it may be left out. `send` mails the link."""

    answers: Answers = Field(default_factory=dict)
    company: KnownCompany = KnownCompany()
    contact: KnownContact = KnownContact()
    campaign: CampaignForm | None = None
    send: bool = False

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if self.send and not self.contact.email:
            raise ValueError("Give the contact's e-mail address to send the link there.")
        return self

    @property
    def values(self) -> dict[str, str]:
        """The fields of the draft that this begins."""
        return {
            "company_name": self.company.name,
            "headcount": self.company.headcount or "",
            "industry": self.company.industry or "",
            "country": self.company.country or "",
            "contact_name": self.contact.name,
            "contact_email": self.contact.email,
        } | {question: answer.level for question, answer in self.answers.items()}


def check_open(standing: Standing) -> None:
    """Raise NotOpen where nothing can come of the link any more."""
    if standing not in ("not_opened", "in_progress"):
        raise NotOpen(standing)
