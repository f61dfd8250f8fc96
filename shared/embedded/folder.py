"""The data folder: one owner at a time, and only data this version can read."""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import TextIO

from shared.embedded.errors import EmbeddedError

WRITTEN_BY = {"layout": 1, "postgres": 18, "kafka": 4}
_ADVICE = "Choose another folder with --data, or start the version of the advisor that wrote it."


class Folder:
    """A data folder that at most one process holds; when that process dies, however it dies, the kernel lets go."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.mark = "advisor-" + hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        self._lock: TextIO | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object is the owner."""
        return self._lock is not None

    def claim(self) -> None:
        """Takes the folder, made if missing; refuses one that is in use or that another version wrote."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.path / "advisor.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedError(
                f"{self.path} is already in use by another running advisor (process {owner}). "
                "Stop that one, or choose another folder with --data."
            ) from None
        self._lock = lock
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._check_version()

    def release(self) -> None:
        """Gives the folder back; does nothing where it is not held."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _check_version(self) -> None:
        file = self.path / "version.json"
        if not file.exists():
            if any((self.path / server).exists() for server in ("postgres", "kafka")):
                raise EmbeddedError(f"{self.path} holds servers' data but no version.json. {_ADVICE}")
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps(WRITTEN_BY))
            fresh.replace(file)
            return
        try:
            written_by = json.loads(file.read_text())
        except ValueError:
            raise EmbeddedError(f"{file} cannot be read, so nobody knows what wrote this data. {_ADVICE}") from None
        if written_by != WRITTEN_BY:
            raise EmbeddedError(
                f"The data in {self.path} was written by {_versions(written_by)}, "
                f"and this advisor reads {_versions(WRITTEN_BY)}. {_ADVICE}"
            )


def _versions(written_by: dict[str, int]) -> str:
    return ", ".join(f"{name} {version}" for name, version in written_by.items())
