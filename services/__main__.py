"""The command line of the engagement advisor."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from cyclopts import App, Parameter

from services import audit, laptop, rubric, running
from services.demo import fill
from services.intake import handlers as accounts
from services.laptop import PACKAGES
from services.running import CannotRun, Part, ServiceName
from services.terminal import Data, connected, database_of, run, say, settings_of
from shared import outbox, postgres
from shared.contracts.intake import Role
from shared.kafka import consumer, dead_letters
from shared.service import DatabaseSettings, Settings
from shared.service.logging import configure

app = App(name="advisor", help="The engagement advisor: from a questionnaire to a reviewed recommendation.")
account = App(name="account", help="People who sign in.")
key = App(name="key", help="API keys for machines.")
letters = App(name="dead-letters", help="Events that arrived and could not be used.")
for group in (account, key, letters, rubric.app, audit.app):
    app.command(group)

Roles = Annotated[list[Role], Parameter(negative=())]


@app.command
def up(*, port: int = 8000, host: str = "127.0.0.1", data: Path = laptop.DEFAULT_DATA, demo: bool = False) -> None:
    """Start everything on this machine, with a Postgres and a Kafka of its own.

    Parameters
    ----------
    port
        Where to listen.
    host
        The address to listen on.
    data
        The folder that keeps everything.
    demo
        Fill the system with example companies once it runs.
    """
    configure(readable=sys.stderr.isatty())

    async def when_ready(settings: Settings) -> None:
        async with connected(settings, "intake") as database:
            link = await accounts.first_admin_link(database, settings)
        first = f"Make the first account here, once: {settings.public_url}{link}" if link else ""
        say(f"ready http://{host}:{port}")
        if first:
            laptop.report(first)
        if demo:
            await fill(settings, say=laptop.report)
            laptop.report(f"The examples are in: {settings.public_url}")
            if first:
                laptop.report(f"{first}\nThen give yourself the roles that read cases, under People.")

    run(laptop.up(data, host, port, when_ready))


@app.command
def serve(
    name: ServiceName,
    *,
    only: Part | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    management_host: str = "127.0.0.1",
    management_port: int = 9000,
) -> None:
    """Run one service against the Postgres and Kafka that the environment names.

    Parameters
    ----------
    name
        Which service.
    only
        `web` for its pages and API alone, `worker` for its events and timers alone.
    host
        The address to listen on.
    port
        Where pages and API listen.
    management_host
        The address for health and metrics.
    management_port
        Where health and metrics listen.
    """
    configure(readable=False)
    settings = settings_of(None)

    async def serving() -> None:
        async def when_ready() -> None:
            say(f"ready http://{host}:{port}")

        with (
            running.listen(host, port) as listener,
            running.listen(management_host, management_port) as management,
        ):
            await running.run(
                settings,
                [name],
                listener=listener,
                management=management,
                only=only,
                until=running.stop_on_signals(),
                when_ready=when_ready,
            )

    run(serving())


@app.command
def migrate(*, data: Data = None) -> None:
    """Bring the database up to date: a schema and a role for each service."""
    settings = database_of(data)
    passwords = {name: secret.get_secret_value() for name, secret in settings.role_passwords.items()}
    for applied in run(postgres.migrate(settings.database_url.get_secret_value(), PACKAGES, passwords)):
        say(applied)


@account.command(name="add")
def add_account(
    email: str, name: str, *, role: Annotated[list[Role], Parameter(negative=())], data: Data = None
) -> None:
    """Add a person and print the link by which they choose a password.

    Parameters
    ----------
    email
        Their e-mail address.
    name
        Their name, as colleagues see it.
    role
        What they may do; give it more than once for more roles.
    """

    async def adding(settings: Settings) -> None:
        async with connected(settings, "intake") as database:
            link = await accounts.add_account(database, settings, email=email, name=name, roles=tuple(role))
            say(link)

    run(adding(settings_of(data)))


@key.command(name="add")
def add_key(name: str, *, role: Roles, data: Data = None) -> None:
    """Add an API key and print it, alone; it is shown only this once.

    Parameters
    ----------
    name
        What the key is for.
    role
        What it may do; give it more than once for more roles.
    """

    async def adding(settings: Settings) -> None:
        async with connected(settings, "intake") as database:
            say(await accounts.add_key(database, settings, name=name, roles=tuple(role)))

    run(adding(settings_of(data)))


@letters.command(name="list")
def list_dead_letters(*, state: Literal["open", "replayed", "discarded"] = "open", data: Data = None) -> None:
    """List them, oldest first, with their fingerprints: one fingerprint is one kind of failure."""

    async def listing(settings: DatabaseSettings) -> None:
        count = 0
        for service in PACKAGES:
            async with connected(settings, service) as database, database.connection() as connection:
                for letter in await dead_letters.find(connection, state=state):
                    count += 1
                    say(
                        f"{letter.id}  {service}  {letter.arrival.topic}  {letter.fingerprint}  "
                        f"{letter.attempts}x  {letter.last_at:%Y-%m-%d %H:%M}  {letter.reason}: {letter.detail}"
                    )
        if count == 0:
            say(f"No dead letters are {state}.")

    run(listing(database_of(data)))


@letters.command(name="show")
def show_dead_letter(letter_id: UUID, /, *, data: Data = None) -> None:
    """Show one as it arrived."""

    async def showing(settings: DatabaseSettings) -> None:
        async with _letter(settings, letter_id) as (service, _, letter):
            arrival = letter.arrival
            say(f"service      {service}\nstate        {letter.state}, {letter.attempts} attempts")
            say(f"reason       {letter.reason}: {letter.detail}\nfingerprint  {letter.fingerprint}")
            say(f"from         {arrival.topic}, partition {arrival.partition}, offset {arrival.offset}")
            say(f"key          {(arrival.key or b'').decode('utf-8', 'backslashreplace')}")
            for name, value in arrival.headers.items():
                say(f"header       {name}: {value}")
            say((arrival.value or b"").decode("utf-8", "backslashreplace"))

    run(showing(database_of(data)))


@letters.command(name="replay")
def replay_dead_letters(letter_id: UUID | None = None, /, *, fingerprint: str | None = None, data: Data = None) -> None:
    """Hand one, or all with a fingerprint, to the handler once more; those that fail again stay open."""

    async def replaying(settings: DatabaseSettings) -> None:
        failed = 0
        for service, one in await _chosen(settings, letter_id, fingerprint):
            async with connected(settings, service) as database:
                problem = await consumer.replay(database, one, running.service(service).handlers, by="command line")
            say(f"{one}  {problem or 'replayed'}")
            failed += problem is not None
        if failed:
            raise CannotRun(f"{failed} could not be used again and stay open.")

    run(replaying(database_of(data)))


@letters.command(name="discard")
def discard_dead_letters(
    letter_id: UUID | None = None, /, *, fingerprint: str | None = None, data: Data = None
) -> None:
    """Lay one, or all with a fingerprint, aside for good; they stay listed as discarded."""

    async def discarding(settings: DatabaseSettings) -> None:
        for service, one in await _chosen(settings, letter_id, fingerprint):
            async with connected(settings, service) as database, database.transaction() as connection:
                await dead_letters.settle(connection, one, "discarded", "command line")
            say(f"{one}  discarded")

    run(discarding(database_of(data)))


@app.command
def resay(
    *,
    service: ServiceName | None = None,
    topic: str | None = None,
    intake: UUID | None = None,
    since: datetime | None = None,
    data: Data = None,
) -> None:
    """Say facts again from the services' own tables, with the ids they had; whoever knows them already loses nothing.

    Parameters
    ----------
    service
        Only what this service said.
    topic
        Only one topic.
    intake
        Only one intake.
    since
        Only what was said since then.
    """

    async def saying(settings: DatabaseSettings) -> None:
        for name in [service] if service else PACKAGES:
            async with connected(settings, name) as database, database.transaction() as connection:
                count = await outbox.resay(connection, topics=topic and [topic], key=intake, since=since)
            say(f"{name}: {count} facts")

    run(saying(database_of(data)))


@app.command
def demo(*, data: Data = None) -> None:
    """Fill a running system with example companies, through its public API."""
    run(fill(settings_of(data), say=say))


@asynccontextmanager
async def _letter(
    settings: DatabaseSettings, letter_id: UUID
) -> AsyncIterator[tuple[str, postgres.Connection, dead_letters.DeadLetter]]:
    async with AsyncExitStack() as stack:
        for service in PACKAGES:
            database = await stack.enter_async_context(connected(settings, service))
            connection = await stack.enter_async_context(database.transaction())
            letter = await dead_letters.lock(connection, letter_id)
            if letter is not None:
                yield service, connection, letter
                return
        raise CannotRun(f"There is no dead letter {letter_id}. `advisor dead-letters list` shows those that are open.")


async def _chosen(
    settings: DatabaseSettings, letter_id: UUID | None, fingerprint: str | None
) -> list[tuple[str, UUID]]:
    if (letter_id is None) == (fingerprint is None):
        raise CannotRun("Name one dead letter by its id, or several by --fingerprint.")
    if letter_id is not None:
        async with _letter(settings, letter_id) as (service, _, letter):
            return [(service, letter.id)]
    chosen = []
    for service in PACKAGES:
        async with connected(settings, service) as database, database.connection() as connection:
            chosen += [(service, one.id) for one in await dead_letters.find(connection, fingerprint=fingerprint)]
    if not chosen:
        raise CannotRun(f"No open dead letter has the fingerprint {fingerprint}.")
    return chosen


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
