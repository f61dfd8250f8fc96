from pathlib import Path

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from shared import language
from shared.language import CATALOGUES, ENGLISH, preferred
from tests.catalogues import write_catalogue

ROOT = Path(__file__).parents[2]


@pytest.fixture
def two_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tag in ("eo", "pt_BR"):
        write_catalogue(tmp_path, tag)
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)


@pytest.mark.usefixtures("two_more")
@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("", "en"),
        ("eo", "eo"),
        ("EO-xx", "eo"),
        ("pt-br", "pt-BR"),
        ("pt", "en"),
        ("fr, eo;q=0.3, pt-BR;q=0.7", "pt-BR"),
        ("eo;q=0, pt-BR;q=0.1", "pt-BR"),
        ("en-GB, eo;q=0.9", "en"),
        ("eo;q=0.5, pt-BR;q=0.5", "eo"),
        ("*", "en"),
        ("eo;q=2, eo;v=1, ;;, -, eo", "eo"),
    ],
)
def test_the_language_is_the_one_that_is_asked_for_most_and_has_a_catalogue(asked: str, answered: str) -> None:
    assert preferred(asked).tag == answered


@given(st.text(alphabet="eoq=;,.-*01 \x00é"))
def test_whatever_a_browser_sends_it_gets_a_language(header: str) -> None:
    assert preferred(header) is ENGLISH


@pytest.mark.usefixtures("two_more")
def test_a_text_without_translation_stays_as_it_is_and_values_are_filled_in() -> None:
    assert language.language("eo").gettext("Start") == "«Start»"
    assert language.language("eo").gettext("Nobody has written this.") == "Nobody has written this."
    assert language.language("tlh") is ENGLISH
    assert ENGLISH.gettext("%(points)s of 100", points=7) == "7 of 100"
    assert ENGLISH.gettext("100 % sure") == "100 % sure"


def test_the_catalogues_template_holds_every_text_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make messages` writes it anew."""
    monkeypatch.chdir(ROOT)
    found = tmp_path / "messages.pot"
    options = f"--quiet extract --mapping pyproject.toml --keyword gettext_noop --output-file {found} services shared"
    CommandLineInterface().run(["pybabel", *options.split()])  # type: ignore[no-untyped-call]  # Babel tells no types
    with found.open("rb") as extracted, (CATALOGUES / "messages.pot").open("rb") as kept:
        needed, held = ({message.id for message in read_po(file) if message.id} for file in (extracted, kept))
    assert (needed - held, held - needed) == (set(), set()), "run `make messages`"
