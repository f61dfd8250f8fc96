"""How every page looks: one base template, its pieces, and the files they need, under each service's own prefix."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from shared.language import ENGLISH, Language
from shared.pages import formats
from shared.pages.drawings import head_to_head, outlook_parts, sampling_error, two_bars

STATIC = Path(__file__).parent / "static"
FORMATS: dict[str, Callable[..., str]] = {
    read.__name__: read
    for read in (
        formats.translated,
        formats.ago,
        formats.exact,
        formats.day,
        formats.weekday,
        formats.clock,
        formats.zone_name,
        formats.number,
        formats.grouped,
        formats.of_hundred,
        formats.words,
        formats.country,
        formats.question_text,
        formats.question_why,
        formats.level_text,
    )
}
DRAWINGS: dict[str, Callable[..., object]] = {
    drawing.__name__: drawing for drawing in (two_bars, head_to_head, outlook_parts, sampling_error)
}


@dataclass(frozen=True)
class Pages:
    """The templates of one service, on top of the shared ones, in each language."""

    environment: Callable[[Language], Environment]

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
        """The page as a response, in the request's language.

        Templates also see `request`, `status`, and `now` unless `context` brings its own.
        """
        values = {"now": datetime.now(UTC)} | context | {"request": request, "status": status}
        environment = self.environment(language_of(request))
        return HTMLResponse(environment.get_template(template).render(values), status, headers)


def language_of(request: Request) -> Language:
    """The language that a request is answered in: what its route has set as `request.state.language`, else English."""
    found: Language = getattr(request.state, "language", ENGLISH)
    return found


def pages(package: str, static: str) -> Pages:
    """The pages of a package with a `templates` folder, whose static files are mounted at the path `static`."""

    def asset(name: str) -> str:
        return f"{static}/{name}?v={digest(name)}"

    @cache
    def environment(language: Language) -> Environment:
        made = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader(__name__)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        made.install_gettext_translations(  # type: ignore[attr-defined]  # added by the i18n extension
            language.translations, newstyle=True
        )
        made.filters |= {name: partial(read, language=language) for name, read in FORMATS.items()}
        made.filters |= {**DRAWINGS, "labelled": labelled}
        made.globals |= {
            "asset": asset,
            "countries": partial(formats.countries, language),
            "language": language,
            "staff": None,
            "layout": "wide",
        }
        return made

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


def labelled(cells: Markup, columns: Sequence[str | tuple[str, str]]) -> Markup:
    """The cells of a table's row, each with its role, and the label of its column unless it is empty."""
    labels = iter(columns)

    def with_label(cell: re.Match[str]) -> str:
        column = next(labels)
        label = escape(escape(column if isinstance(column, str) else column[0]).striptags())
        if cell[1] == "th":
            return '<th role="rowheader"'
        return '<td role="cell"' if cell[2] else f'<td role="cell" data-label="{label}"'

    return Markup(re.sub(r"<(t[hd])\b(?=([^>]*>\s*</td>)?)", with_label, cells))  # noqa: S704 - the cells are markup already
