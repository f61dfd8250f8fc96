"""How moments, figures, keys and places are read, in each language."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from unicodedata import normalize
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, format_timedelta, get_timezone_gmt, get_timezone_name
from babel.numbers import format_decimal

from shared import questionnaire
from shared.language import ENGLISH, Language

# Babel also names unions, exceptional reservations and private codes.
NOT_COUNTRIES = frozenset(("AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"))


def translated(text: str, language: Language = ENGLISH) -> str:
    """A text that was marked where it is written, or any other as it is."""
    return language.gettext(text)


def ago(moment: datetime, now: datetime, language: Language = ENGLISH) -> str:
    """How far a moment lies before or after `now`, in words."""
    if abs(now - moment) < timedelta(minutes=1):
        return language.gettext("just now")
    return format_timedelta(moment - now, add_direction=True, locale=language.locale)


def exact(moment: datetime, language: Language = ENGLISH) -> str:
    """Day and minute in UTC: `22 November 2026, 21:53 UTC`."""
    at = moment.astimezone(UTC)
    return f"{day(at, language)}, {format_time(at, 'short', locale=language.locale)} UTC"


def day(moment: date, language: Language = ENGLISH) -> str:
    """`22 November 2026`; of a time, its day in UTC."""
    on = moment.astimezone(UTC) if isinstance(moment, datetime) else moment
    return format_date(on, "long", locale=language.locale)


def weekday(moment: datetime, zone: str, language: Language = ENGLISH) -> str:
    """The day that a moment falls on in a time zone: `Sunday, 22 November 2026`."""
    return format_date(moment.astimezone(ZoneInfo(zone)), "full", locale=language.locale)


def clock(moment: datetime, zone: str, language: Language = ENGLISH) -> str:
    """What clocks in a time zone show at a moment: `21:53`; with the offset where they show it twice that day."""
    local = moment.astimezone(ZoneInfo(zone))
    shown = format_time(local, "short", tzinfo=local.tzinfo, locale=language.locale)
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{shown} ({get_timezone_gmt(local, locale=language.locale)})" if is_twice else shown


def zone_name(zone: str, language: Language = ENGLISH) -> str:
    """A time zone by its name in words and in the IANA database: `Central European Time (Europe/Vienna)`."""
    if zone == "UTC":
        return zone
    name = get_timezone_name(ZoneInfo(zone), zone_variant="generic", locale=language.locale)
    return f"{name} ({zone.replace('_', ' ')})"


def number(value: float, language: Language = ENGLISH) -> str:
    """One decimal."""
    return format_decimal(value, "#,##0.0", locale=language.locale)


def grouped(value: int, language: Language = ENGLISH) -> str:
    """A whole number, its thousands set apart."""
    return format_decimal(value, locale=language.locale)


def of_hundred(share: float, language: Language = ENGLISH) -> str:
    """A share of 0 to 1 as it is read: `79 of 100`. Only what is none or all is said to be."""
    points = round(100 * share)
    if points == 0 and share > 0:
        return language.gettext("fewer than 1 of 100")
    if points == 100 and share < 1:
        return language.gettext("more than 99 of 100")
    return language.gettext("%(points)s of 100", points=points)


def words(key: str, language: Language = ENGLISH) -> str:
    """A key as it is read: `finance_and_insurance` becomes `Finance and insurance`."""
    return language.gettext(key.replace("_", " ").capitalize())


@cache
def countries(language: Language = ENGLISH) -> tuple[tuple[str, str], ...]:
    """Code and name of the ISO 3166-1 countries, by name."""
    named = ((str(code), str(name)) for code, name in language.locale.territories.items())
    found = (pair for pair in named if re.fullmatch("[A-Z]{2}", pair[0]) and pair[0] not in NOT_COUNTRIES)
    return by_name(found)


def by_name(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Pairs of key and name in the order of their names, whatever marks their letters bear."""
    return tuple(sorted(pairs, key=lambda pair: (normalize("NFKD", pair[1]).encode("ascii", "ignore"), pair[1])))


def country(code: str, language: Language = ENGLISH) -> str:
    """The name of a country by its ISO 3166-1 code."""
    return str(language.locale.territories[code])


def question_text(question: str, version: str, language: Language = ENGLISH) -> str:
    """The words of a question in a version of the questionnaire."""
    return language.gettext(questionnaire.load(version).question(question).text)


def question_why(question: str, version: str, language: Language = ENGLISH) -> str:
    """Why a question is asked."""
    return language.gettext(questionnaire.load(version).question(question).why)


def level_text(level: str, question: str, version: str, language: Language = ENGLISH) -> str:
    """The words of an answer to a question, or of not knowing."""
    return language.gettext(questionnaire.load(version).question(question).level_text(level))
