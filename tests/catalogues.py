"""A language that is made of the English texts, to tell what goes through the catalogues."""

from pathlib import Path

from babel.messages.pofile import read_po, write_po

from shared.language import CATALOGUES


def write_catalogue(folder: Path, tag: str) -> None:
    """A catalogue in which each text stands in «» as its own translation."""
    with (CATALOGUES / "messages.pot").open("rb") as template:
        catalogue = read_po(template, locale=tag)
    catalogue.fuzzy = False
    for message in catalogue:
        if isinstance(message.id, tuple):
            message.string = tuple(f"«{message.id[-1]}»" for _ in range(catalogue.num_plurals))
        elif message.id:
            message.string = f"«{message.id}»"
    path = folder / tag / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_po(file, catalogue)
