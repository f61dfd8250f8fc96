"""A text that people edit: YAML read strictly, with the line of each part, and what is wrong with it in plain words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

Path = tuple[int | str, ...]

LONGEST_SHOWN = 40


class Fault(NamedTuple):
    """What is wrong in a part of a document, and what to do about it."""

    path: Path
    message: str


@dataclass(frozen=True)
class Document:
    """What a text says, the line on which each part begins, and what kept it from being read as meant.

    Of a key that is said twice, `content` has the first; it is None where the text is not YAML.
    """

    content: Any
    lines: dict[Path, int]
    faults: tuple[Fault, ...]

    def line(self, path: Path) -> int:
        """The line of a part, or of the nearest part around it that the text has."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(yaml.SafeLoader):
    """YAML without references: who reads a rubric should see each value where it counts."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="a part refers to another with *; write it out", problem_mark=mark)
        return super().compose_node(parent, index)


def read(text: str) -> Document:
    """The document in this text, faults included; it never raises."""
    loader = _Loader("")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        walk = _Walk(loader)
        content = None if node is None else walk.content(node, ())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        line, problem = _problem(text, error)
        return Document(None, {(): line}, (Fault((), f"this is not YAML ({problem}): mend it here, or just above"),))
    finally:
        loader.dispose()
    return Document(content, walk.lines, tuple(walk.faults))


def _problem(text: str, error: Exception) -> tuple[int, str]:
    match error:
        case yaml.MarkedYAMLError(problem_mark=mark, problem=problem) if mark is not None:
            return mark.line + 1, str(problem or error)
        case yaml.reader.ReaderError(position=int(position), reason=reason):
            return text.count("\n", 0, position) + 1, str(reason)
        case RecursionError():
            return 1, "its parts lie too deep in each other"
        case _:
            return 1, str(error)


class _Walk:
    """Takes a tree of nodes apart into content, lines and faults."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self.lines: dict[Path, int] = {}
        self.faults: list[Fault] = []

    def content(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self.content(part, (*path, index)) for index, part in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not a word", problem_mark=key_node.start_mark)
            key, line = key_node.value, key_node.start_mark.line + 1
            here = (*path, key)
            if key in found:
                again = (*here, f"again on line {line}")
                self.lines[again] = line
                self.faults.append(Fault(again, f"{key} is already said on line {self.lines[here]}: keep one"))
                continue
            self.lines[here] = line
            if not isinstance(meant := self._scalar(key_node), str):
                self.faults.append(Fault(here, f'YAML reads the key {key} as {meant}: write it in quotes, "{key}"'))
            found[key] = self.content(value_node, here)
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        return "<<" if node.tag.endswith(":merge") else self._loader.construct_object(node)


def misfits_of(error: ValidationError, document: Document) -> Iterator[Fault]:
    """What does not fit a schema, in words; a question is named by its id."""
    for detail in error.errors():
        path = tuple(step for step in detail["loc"] if step != "[key]")
        yield Fault(path, f"{place(path, document.content)}: {_in_words(detail)}")


def place(path: Path, content: object) -> str:
    """Where a part lies, in words."""
    match path, content:
        case ("questions", int(index), *inside), {"questions": [*questions]}:
            match questions[index]:
                case {"id": str(question_id)}:
                    return " ".join(["question", question_id, *map(str, inside)])
            return " ".join([f"question number {index + 1}", *map(str, inside)])
    return " ".join(map(str, path)) or "the whole file"


def _in_words(detail: ErrorDetails) -> str:
    given, limits = _shown(detail["input"]), detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return "this is missing: add it"
        case "extra_forbidden":
            return "no such field is known here: take it out, or mend its spelling"
        case "int_type" | "int_parsing" | "int_from_float":
            return f"{given} is not a whole number: give one, without quotes and decimals"
        case "string_type":
            return f"{given} is not text: give some, in quotes"
        case "greater_than_equal":
            return f"{given} is too low: give at least {limits['ge']}"
        case "greater_than":
            return f"{given} is too low: give more than {limits['gt']}"
        case "less_than_equal":
            return f"{given} is too high: give at most {limits['le']}"
        case "literal_error":
            return f"{given} is not one of the choices: give {limits['expected']}"
        case "string_pattern_mismatch":
            return f"{given} is not written as a name should be: use letters, digits, dots, dashes and underscores"
        case "value_error":
            return str(limits["error"])
        case "model_type" | "dict_type":
            return f"{given} stands where fields with their values belong: give those"
        case "tuple_type" | "list_type":
            return f"{given} stands where a list belongs: give one"
    return detail["msg"]


def _shown(given: object) -> str:
    match given:
        case None:
            return "nothing"
        case dict() | list():
            return "a group of values"
    text = str(given)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
