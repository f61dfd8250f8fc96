"""How commands meet people and the system: what they say, how they end, and which system they speak to."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import asyncpg
import uvloop
from cyclopts import Parameter
from pydantic import ValidationError

from services import laptop
from services.assessment.domain.activations import StepRefused
from services.intake.domain.accounts import EmailTaken, FieldsRefused
from services.laptop import AnySettings
from services.running import CannotRun
from shared import postgres
from shared.postgres import Database
from shared.service import DatabaseSettings, Settings

Data = Annotated[Path | None, Parameter(help="The folder of a system started with `up`; else the environment decides.")]


def say(line: str) -> None:
    """Answer on standard output."""
    print(line, flush=True)  # noqa: T201 - this is the command line's voice


def fail(reason: str) -> NoReturn:
    """End with the reason on standard error."""
    sys.stderr.write(f"advisor: {reason}\n")
    raise SystemExit(1)


def settings_of(data: Path | None) -> Settings:
    """The settings of the system to speak to; ends with what is missing."""
    return _settings(data, Settings)


def database_of(data: Path | None) -> DatabaseSettings:
    """Where its data is, for commands that need to know no more."""
    return _settings(data, DatabaseSettings)


def _settings(data: Path | None, kind: type[AnySettings]) -> AnySettings:
    try:
        return laptop.settings_of(data, kind)
    except ValidationError as error:
        faults = error.errors()
        if named := [f"ADVISOR_{str(fault['loc'][0]).upper()}" for fault in faults if fault["loc"]]:
            fail(f"These settings are missing or need another value: {', '.join(named)}.")
        fail(" ".join(str(fault["ctx"]["error"]) for fault in faults))
    except CannotRun as error:
        fail(str(error))


@asynccontextmanager
async def connected(settings: DatabaseSettings, service: str) -> AsyncIterator[Database]:
    """The database as one service."""
    async with postgres.connect(settings.database_url.get_secret_value(), service) as database:
        yield database


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """What the work returns; ends with one sentence where it is refused or the database is away."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except (CannotRun, FieldsRefused, EmailTaken, StepRefused) as error:
        fail(str(error))
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        fail(f"The database cannot be used ({error or type(error).__name__}). Check that the system runs.")
