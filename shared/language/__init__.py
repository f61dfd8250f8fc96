"""The languages that pages are written in: a catalogue of messages each, chosen by what a browser asks for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

CATALOGUES = Path(__file__).parent / "locale"
MOST_ASKED = 20


@dataclass(frozen=True)
class Language:
    """A language by its BCP 47 tag, with the locale that writes its dates and numbers and the texts that it has."""

    tag: str
    locale: Locale
    translations: NullTranslations

    def gettext(self, message: str, /, **values: object) -> str:
        """The message in this language, or as it is where the catalogue has none, with `%(name)s` filled in."""
        text = self.translations.gettext(message)
        return text % values if values else text


ENGLISH = Language("en", Locale("en", "GB"), NullTranslations())


def gettext_noop(message: str) -> str:
    """The message itself, marked for the catalogues where it is written; where it is shown it is translated."""
    return message


def language(tag: str) -> Language:
    """A language by its tag; English where it has no catalogue."""
    return _known(CATALOGUES).get(tag, ENGLISH)


def preferred(accept_language: str) -> Language:
    """The language that suits an Accept-Language header best (RFC 9110, 12.5.4), else English."""
    known = {tag.lower(): one for tag, one in _known(CATALOGUES).items()}
    weighed = []
    for asked in accept_language.split(",")[:MOST_ASKED]:
        tag, _, weight = asked.strip().lower().partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight or "q=1")
        if found and float(found[1]) > 0:
            weighed.append((float(found[1]), tag.strip()))
    for _, tag in sorted(weighed, key=lambda pair: -pair[0]):
        while tag and tag not in known:
            tag = tag.rpartition("-")[0]  # noqa: PLW2901 - a regional variety is served by its language
        if tag:
            return known[tag]
    return ENGLISH


@cache
def _known(folder: Path) -> Mapping[str, Language]:
    found = {ENGLISH.tag: ENGLISH}
    for path in sorted(folder.glob("*/LC_MESSAGES/messages.po")):
        locale = Locale.parse(path.parent.parent.name)
        tag = str(locale).replace("_", "-")
        found[tag] = Language(tag, locale, _translations(path, locale))
    return found


def _translations(path: Path, locale: Locale) -> NullTranslations:
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale))
    compiled.seek(0)
    return Translations(compiled)
