"""The words of what is asked and answered, as the prospect's pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from babel.dates import format_date

from services.intake.domain.drafts import Draft, inferred
from shared.contracts.intake import Headcount, Industry
from shared.pages import LANGUAGE, country, words
from shared.questionnaire import UNKNOWN, Question, Questionnaire

LABELS = {
    "company_name": "Company name",
    "headcount": "Size",
    "industry": "Industry",
    "country": "Country",
    "contact_name": "Your name",
    "contact_email": "Your e-mail",
}
HEADCOUNTS: dict[Headcount, str] = {
    "1-10": "1 to 10 people",
    "11-50": "11 to 50 people",
    "51-250": "51 to 250 people",
    "251-1000": "251 to 1,000 people",
    "1001-5000": "1,001 to 5,000 people",
    "over-5000": "More than 5,000 people",
}
INDUSTRIES = sorted(((key, words(key)) for key in get_args(Industry)), key=lambda pair: pair[1])


@dataclass(frozen=True)
class Line:
    """What was asked and answered; `note` says why an answer stands that nobody gave."""

    field: str
    asked: str
    answer: str
    is_open: bool
    note: str = ""


@dataclass(frozen=True)
class AskedBack:
    """A contradiction in the sentence that asks it back, with the questions it is about."""

    sentence: str
    questions: tuple[Question, ...]


def asked(questionnaire: Questionnaire, field: str) -> str:
    """What a field asks."""
    return LABELS[field] if field in LABELS else questionnaire.question(field).text


def answered(questionnaire: Questionnaire, field: str, value: str) -> str:
    """A field's value in words."""
    if field not in LABELS:
        return questionnaire.question(field).level_text(value)
    if not value:
        return "Not given yet"
    match field:
        case "headcount":
            return next(text for key, text in HEADCOUNTS.items() if key == value)
        case "industry":
            return words(value)
        case "country":
            return country(value)
        case _:
            return value


def line(draft: Draft, field: str) -> Line:
    """A field as the review shows it."""
    questionnaire, value, followed = draft.questionnaire, draft.entry(field).value, inferred(draft).get(field)
    if followed is None:
        is_open = value in ("", UNKNOWN)
        return Line(field, asked(questionnaire, field), answered(questionnaire, field, value), is_open)
    note = next(rule.text for rule in questionnaire.implications if rule.then.get(field) == followed)
    return Line(field, asked(questionnaire, field), answered(questionnaire, field, followed), False, note)


def asked_back(questionnaire: Questionnaire, ids: Iterable[str]) -> list[AskedBack]:
    """The contradictions with these ids, in catalogue order."""
    wanted = set(ids)
    return [
        AskedBack(rule.ask, tuple(map(questionnaire.question, rule.when)))
        for rule in questionnaire.contradictions
        if rule.id in wanted
    ]


def day(moment: datetime) -> str:
    """`22 November 2026`."""
    return format_date(moment, "d MMMM y", locale=LANGUAGE)
