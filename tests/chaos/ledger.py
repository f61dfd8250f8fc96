"""What was asked of a system and what it answered, kept on disk before anybody acts on it."""

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

ACCEPTED = 202
TRY_AGAIN = 503


@dataclass(frozen=True)
class Answer:
    """One reply: where it accepts, the intake and the revision that it names."""

    status: int
    intake_id: UUID | None = None
    revision: int | None = None


@dataclass
class Request:
    """All that happened under one Idempotency-Key. `revises` is the intake that it changes, if it is no new one."""

    key: str
    revises: UUID | None = None
    attempts: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def accepted(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == ACCEPTED]


class Ledger:
    """A file with one line for each attempt and each reply, on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def sent(self, key: str, revises: UUID | None = None) -> None:
        self._write({"sent": key, "revises": revises and str(revises)})

    def answered(self, key: str, answer: Answer) -> None:
        intake_id = answer.intake_id and str(answer.intake_id)
        self._write({"answered": key, "status": answer.status, "intake_id": intake_id, "revision": answer.revision})

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)


def read(path: Path) -> dict[str, Request]:
    """The requests of a ledger by their keys."""
    requests: dict[str, Request] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if key := entry.get("sent"):
            revises = entry["revises"] and UUID(entry["revises"])
            requests.setdefault(key, Request(key, revises)).attempts += 1
        else:
            intake_id = entry["intake_id"] and UUID(entry["intake_id"])
            requests[entry["answered"]].answers.append(Answer(entry["status"], intake_id, entry["revision"]))
    return requests


def revisions(requests: dict[str, Request]) -> dict[UUID, int]:
    """Every acknowledged intake with the highest revision that was acknowledged for it."""
    found: dict[UUID, int] = defaultdict(int)
    for request in requests.values():
        for answer in request.accepted:
            assert answer.intake_id is not None
            assert answer.revision is not None
            found[answer.intake_id] = max(found[answer.intake_id], answer.revision)
    return dict(found)
