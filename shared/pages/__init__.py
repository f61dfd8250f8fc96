"""How every page looks: one base template, its pieces, and the files they need, under each service's own prefix."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from unicodedata import normalize

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from shared import questionnaire
from shared.pages.drawings import head_to_head, outlook_parts, sampling_error, two_bars

STATIC = Path(__file__).parent / "static"
LANGUAGE = "en"
# Babel also names unions, exceptional reservations and private codes.
NOT_COUNTRIES = frozenset(("AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"))


@dataclass(frozen=True)
class Pages:
    """The templates of one service, on top of the shared ones."""

    environment: Environment

    def render(
        self,
        request: Request,
        template: str,
        /,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: object,
    ) -> HTMLResponse:
        """The page as a response. Templates also see `request`, `status`, and `now` unless `context` brings its own."""
        values = {"now": datetime.now(UTC)} | context | {"request": request, "status": status}
        return HTMLResponse(self.environment.get_template(template).render(values), status, headers)


def pages(package: str, static: str) -> Pages:
    """The pages of a package with a `templates` folder, whose static files are mounted at the path `static`."""

    def asset(name: str) -> str:
        return f"{static}/{name}?v={digest(name)}"

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(__name__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # added by the i18n extension
    environment.filters |= {
        "ago": ago,
        "exact": exact,
        "day": day,
        "number": number,
        "of_hundred": of_hundred,
        "words": words,
        "country": country,
        "question_text": question_text,
        "question_why": question_why,
        "level_text": level_text,
        "two_bars": two_bars,
        "head_to_head": head_to_head,
        "outlook_parts": outlook_parts,
        "sampling_error": sampling_error,
    }
    environment.globals |= {"asset": asset, "countries": countries, "staff": None, "layout": "wide"}
    return Pages(environment)


class Immutable(StaticFiles):
    """Static files under addresses that change with their content, so that a browser asks once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def static_app() -> StaticFiles:
    """The app to mount where `pages` was told that the static files are."""
    return Immutable(directory=STATIC)


@cache
def digest(name: str) -> str:
    """The first digits of a static file's SHA-256."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def ago(moment: datetime, now: datetime) -> str:
    """How far a moment lies before or after `now`, in words."""
    if abs(now - moment) < timedelta(minutes=1):
        return "just now"
    return format_timedelta(moment - now, add_direction=True, locale=LANGUAGE)


def exact(moment: datetime) -> str:
    """Day and minute in UTC: `22 November 2026, 21:53 UTC`."""
    return format_datetime(moment.astimezone(UTC), "d MMMM y, HH:mm 'UTC'", locale=LANGUAGE)


def day(moment: date) -> str:
    """`22 November 2026`; of a time, its day in UTC."""
    return format_date(moment.astimezone(UTC) if isinstance(moment, datetime) else moment, "d MMMM y", locale=LANGUAGE)


def number(value: float) -> str:
    """One decimal."""
    return format_decimal(value, "#,##0.0", locale=LANGUAGE)


def of_hundred(share: float) -> str:
    """A share of 0 to 1 as it is read: `79 of 100`. Only what is none or all is said to be."""
    points = round(100 * share)
    if points == 0 and share > 0:
        return "fewer than 1 of 100"
    if points == 100 and share < 1:
        return "more than 99 of 100"
    return f"{points} of 100"


def words(key: str) -> str:
    """A key as it is read: `finance_and_insurance` becomes `Finance and insurance`."""
    return key.replace("_", " ").capitalize()


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """Code and name of the ISO 3166-1 countries, by name."""
    named = ((str(code), str(name)) for code, name in Locale(LANGUAGE).territories.items())
    found = (pair for pair in named if re.fullmatch("[A-Z]{2}", pair[0]) and pair[0] not in NOT_COUNTRIES)
    return tuple(sorted(found, key=lambda pair: normalize("NFKD", pair[1]).encode("ascii", "ignore")))


def country(code: str) -> str:
    """The name of a country by its ISO 3166-1 code."""
    return str(Locale(LANGUAGE).territories[code])


def question_text(question: str, version: str) -> str:
    """The words of a question in a version of the questionnaire."""
    return questionnaire.load(version).question(question).text


def question_why(question: str, version: str) -> str:
    """Why a question is asked."""
    return questionnaire.load(version).question(question).why


def level_text(level: str, question: str, version: str) -> str:
    """The words of an answer to a question, or of not knowing."""
    return questionnaire.load(version).question(question).level_text(level)
