"""Drafts: what has been answered so far, kept so that nothing is lost and nothing is overwritten unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from services.intake.domain.submission import CONSENT_TEXT, Country, Email, Text
from shared.contracts.intake import Answer, Campaign, Channel, Company, Headcount, Industry
from shared.language import ENGLISH, gettext_noop
from shared.questionnaire import UNKNOWN, Questionnaire, load

KEPT = timedelta(days=30)
LINK = "draft"

CONSENT_TEXTS = {
    "2026-11": gettext_noop(
        "You may keep my answers and my contact details to prepare a recommendation, and write to me about it. "
        "I can have them erased at any time."
    )
}
CONSENT = CONSENT_TEXTS[CONSENT_TEXT]

COMPANY_FIELDS: dict[str, TypeAdapter[Any]] = {
    "company_name": TypeAdapter(Text),
    "headcount": TypeAdapter(Headcount),
    "industry": TypeAdapter(Industry),
    "country": TypeAdapter(Country),
    "contact_name": TypeAdapter(Text),
    "contact_email": TypeAdapter(Text),
}
CHOOSE = gettext_noop("Choose one of the answers on the page.")
MISSING = {
    "company_name": gettext_noop("Write your company's name."),
    "headcount": gettext_noop("Choose how many people work at your company."),
    "industry": gettext_noop("Choose the industry that is nearest to yours."),
    "country": gettext_noop("Choose the country your company is based in."),
    "contact_name": gettext_noop("Write your name, so that we know whom to answer."),
    "contact_email": gettext_noop("Write your e-mail address, so that we can answer you."),
}


class NotKept(Exception):
    """A value that cannot be kept; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """What a field holds. `seq` rises with each change; it is 0 while nothing was ever given."""

    value: str = ""
    seq: int = 0


NOTHING = Entry()
HOW, INFERRED = "how.", "inferred"


@dataclass(frozen=True)
class Draft:
    """A questionnaire being answered, on the version and in the language it began with.

    `made_by` began it where the prospect did not.
    """

    id: UUID
    questionnaire: Questionnaire
    expires_at: datetime
    sent_at: datetime | None
    language: str
    entries: Mapping[str, Entry]
    channel: Channel = "web"
    made_by: UUID | None = None
    campaign: Campaign | None = None
    opened_at: datetime | None = None
    revoked_at: datetime | None = None

    def entry(self, field: str) -> Entry:
        """What a field holds."""
        return self.entries.get(field, NOTHING)

    @property
    def answers(self) -> dict[str, str]:
        """The level key or `unknown` of each question that was answered."""
        return {
            question.id: self.entries[question.id].value
            for question in self.questionnaire.questions
            if self.entry(question.id).value
        }

    @property
    def given(self) -> dict[str, Answer]:
        """The answers, as a submission takes them."""
        return {
            question: Answer(
                level=level, confidence="inferred" if self.entry(HOW + question).value == INFERRED else "said"
            )
            for question, level in self.answers.items()
        }

    @property
    def company(self) -> Company:
        """Who asks; only where nothing is missing."""
        return Company.model_validate(
            {"name": self.entry("company_name").value}
            | {field: self.entry(field).value for field in ("headcount", "industry", "country")}
        )

    @property
    def missing(self) -> dict[str, str]:
        """Field to what to do, for what the submission needs and does not have yet."""
        needed = {field: ask for field, ask in MISSING.items() if not self.entry(field).value}
        if "contact_email" not in needed and (ask := unreachable(self.entry("contact_email").value)):
            needed["contact_email"] = ask
        return needed


def begin(draft_id: UUID, now: datetime, language: str = ENGLISH.tag) -> Draft:
    """An empty draft on the published questionnaire, in the language of whoever answers."""
    return Draft(draft_id, load(), now + KEPT, None, language, {})


def kept(field: str, value: str, questionnaire: Questionnaire) -> str:
    """The value as a draft keeps it: text that can be shown, or one of the field's choices. Raises NotKept."""
    if field not in COMPANY_FIELDS:
        if questionnaire.refusals({field: value or UNKNOWN}):
            raise NotKept(CHOOSE)
        return value
    if not value.strip():
        return ""
    try:
        text: str = COMPANY_FIELDS[field].validate_python(value)
    except ValidationError as error:
        raise NotKept(_advice(error)) from error
    return text


def unreachable(address: str) -> str | None:
    """What to do about an address that no mail would reach, or None."""
    try:
        TypeAdapter(Email).validate_python(address)
    except ValidationError as error:
        return _advice(error)
    return None


def _advice(error: ValidationError) -> str:
    fault = error.errors()[0]
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return CHOOSE


def later(entries: Mapping[str, Entry], given: Mapping[str, Entry]) -> dict[str, Entry]:
    """What a script's save changes: the entries that are later than the stored one.

    A script gives one more than the seq that it has seen, so what nobody has seen is never overwritten.
    """
    return {field: entry for field, entry in given.items() if entry.seq > entries.get(field, NOTHING).seq}


@dataclass(frozen=True)
class Merge:
    """What becomes of a posted form: entries to store, and values that a person must choose about."""

    taken: dict[str, Entry]
    disputed: dict[str, str]


def merge(entries: Mapping[str, Entry], posted: Mapping[str, Entry]) -> Merge:
    """Take what was changed in sight of the stored entry; `posted` holds the seq that the form was rendered with.

    Where value and seq both differ, somebody else has answered since, and neither value may win by itself. A field
    left empty then says nothing.
    """
    taken, disputed = {}, {}
    for field, given in posted.items():
        held = entries.get(field, NOTHING)
        if given.value == held.value:
            continue
        if given.seq == held.seq:
            taken[field] = Entry(given.value, held.seq + 1)
        elif given.value:
            disputed[field] = given.value
    return Merge(taken, disputed)


def first_open_dimension(draft: Draft) -> str | None:
    """The dimension of the first question without any answer, or None when each has one."""
    return next((q.dimension for q in draft.questionnaire.questions if not draft.entry(q.id).value), None)


def inferred(draft: Draft) -> dict[str, str]:
    """Question to the level that follows from other answers where none was given."""
    completed = draft.questionnaire.completed(draft.answers)
    return {
        question: level
        for question, level in completed.items()
        if level != UNKNOWN and draft.answers.get(question, UNKNOWN) == UNKNOWN
    }
