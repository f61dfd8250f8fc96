"""Maintainers only: what `make messages` finds beside the texts in templates and in Python.

Each function yields, as Babel asks of an extractor: line, function name, message, comments.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO

import yaml

from shared.pages.formats import words

Found = tuple[int, None, str, tuple[str, ...]]

TEXTS = {"text", "why", "ask"}


def questionnaire(
    file: BinaryIO, keywords: Collection[str], comment_tags: Collection[str], options: Mapping[str, object]
) -> Iterator[Found]:
    """The texts of a questionnaire and the names of its dimensions."""
    for event_key, value in _pairs(yaml.compose(file, yaml.SafeLoader)):
        if event_key in TEXTS:
            yield value.start_mark.line + 1, None, value.value, ()
        elif event_key == "dimension":
            yield value.start_mark.line + 1, None, words(value.value), ()


def closed_lists(
    file: BinaryIO, keywords: Collection[str], comment_tags: Collection[str], options: Mapping[str, str]
) -> Iterator[Found]:
    """The keys of the closed lists that the option `lists` names, as people read them."""
    for node in ast.parse(file.read()).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        else:
            continue
        if name in options["lists"].split():
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, None, words(part.value), ()


def _pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.ScalarNode]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.ScalarNode):
                yield key.value, value
            else:
                yield from _pairs(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _pairs(item)
