"""The agreed shape of every event. `python -m tests.contracts.schemas` writes down the present one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.contracts import assessment, intake, recommendation
from shared.contracts.base import Event

FOLDER = Path(__file__).parent


def events() -> list[type[Event]]:
    """Every event that has a topic."""
    modules = (intake, assessment, recommendation)
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    return sorted((one for one in found if issubclass(one, Event) and hasattr(one, "topic")), key=lambda one: one.topic)


def schema(event: type[Event]) -> dict[str, Any]:
    """Its JSON schema without the words that describe it."""
    shape: dict[str, Any] = _without_words(event.model_json_schema())
    return shape


def path(event: type[Event], kind: str) -> Path:
    """Where its schema or an example of it is kept."""
    return FOLDER / f"{event.topic}.{kind}.json"


def fields(shape: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a schema at any depth, with its own schema."""
    if isinstance(shape, dict):
        yield from shape.get("properties", {}).items()
        for part in shape.values():
            yield from fields(part)
    elif isinstance(shape, list):
        for part in shape:
            yield from fields(part)


def _without_words(shape: Any) -> Any:
    if isinstance(shape, dict):
        words = ("title", "description")
        return {
            name: _without_words(part) for name, part in shape.items() if not (name in words and isinstance(part, str))
        }
    return [_without_words(part) for part in shape] if isinstance(shape, list) else shape


if __name__ == "__main__":
    for one in events():
        path(one, "schema").write_text(json.dumps(schema(one), indent=2, sort_keys=True) + "\n")
