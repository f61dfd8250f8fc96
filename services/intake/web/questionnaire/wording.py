"""The words of what is asked and answered, as the prospect's pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from services.intake.domain.drafts import Draft, inferred
from shared.contracts.intake import Headcount, Industry
from shared.language import Language, gettext_noop
from shared.pages.formats import by_name, country, words
from shared.questionnaire import UNKNOWN, Question, Questionnaire

LABELS = {
    "company_name": gettext_noop("Company name"),
    "headcount": gettext_noop("Size"),
    "industry": gettext_noop("Industry"),
    "country": gettext_noop("Country"),
    "contact_name": gettext_noop("Your name"),
    "contact_email": gettext_noop("Your e-mail"),
}
HEADCOUNTS: dict[Headcount, str] = {
    "1-10": gettext_noop("1 to 10 people"),
    "11-50": gettext_noop("11 to 50 people"),
    "51-250": gettext_noop("51 to 250 people"),
    "251-1000": gettext_noop("251 to 1,000 people"),
    "1001-5000": gettext_noop("1,001 to 5,000 people"),
    "over-5000": gettext_noop("More than 5,000 people"),
}


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


def headcounts(language: Language) -> list[tuple[Headcount, str]]:
    """The choices of a company's size, with their words."""
    return [(key, language.gettext(text)) for key, text in HEADCOUNTS.items()]


def industries(language: Language) -> tuple[tuple[str, str], ...]:
    """The choices of an industry, by their words."""
    return by_name((key, words(key, language)) for key in get_args(Industry))


def asked(language: Language, questionnaire: Questionnaire, field: str) -> str:
    """What a field asks."""
    return language.gettext(LABELS[field] if field in LABELS else questionnaire.question(field).text)


def answered(language: Language, questionnaire: Questionnaire, field: str, value: str) -> str:
    """A field's value in words."""
    if field not in LABELS:
        return language.gettext(questionnaire.question(field).level_text(value))
    if not value:
        return language.gettext("Not given yet")
    match field:
        case "headcount":
            return next(text for key, text in headcounts(language) if key == value)
        case "industry":
            return words(value, language)
        case "country":
            return country(value, language)
        case _:
            return value


def line(language: Language, draft: Draft, field: str) -> Line:
    """A field as the review shows it."""
    questionnaire, value, followed = draft.questionnaire, draft.entry(field).value, inferred(draft).get(field)
    if followed is None:
        is_open = value in ("", UNKNOWN)
        return Line(
            field, asked(language, questionnaire, field), answered(language, questionnaire, field, value), is_open
        )
    note = next(rule.text for rule in questionnaire.implications if rule.then.get(field) == followed)
    answer = answered(language, questionnaire, field, followed)
    return Line(field, asked(language, questionnaire, field), answer, False, language.gettext(note))


def asked_back(questionnaire: Questionnaire, ids: Iterable[str]) -> list[AskedBack]:
    """The contradictions with these ids, in catalogue order."""
    wanted = set(ids)
    return [
        AskedBack(rule.ask, tuple(map(questionnaire.question, rule.when)))
        for rule in questionnaire.contradictions
        if rule.id in wanted
    ]
