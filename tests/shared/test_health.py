import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from shared import outbox
from shared.kafka import consumer
from shared.outbox import Relay
from shared.postgres import Connection, Database
from shared.service import Job, Service, Settings, build, frame, health
from shared.service.health import Health, management_app
from tests.shared.plumbing import NOW, Bus, Noted, Proxy, by_way_of, database_behind, until


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the frame waits for, in less time."""
    for module, name, seconds in (
        (frame, "TOPICS_SECONDS", 0.2),
        (frame, "SETTLE_SECONDS", 1),
        (health, "TOLERATED_SECONDS", 0.2),
        (health, "PROBE_SECONDS", 0.5),
        (outbox, "SEND_SECONDS", 1),
    ):
        monkeypatch.setattr(module, name, seconds)


async def note(connection: Connection, event: Noted) -> None:
    await connection.execute(
        "insert into heard (event_id, text) values ($1, $2) on conflict do nothing", event.event_id, event.text
    )


async def heard(app: FastAPI) -> set[str]:
    async with app.state.database.connection() as connection:
        return {row["text"] for row in await connection.fetch("select text from heard")}


@asynccontextmanager
async def serving(service: Service, settings: Settings) -> AsyncIterator[FastAPI]:
    app = build(service, settings)
    async with app.router.lifespan_context(app):
        await until(lambda: is_well(app))
        yield app


async def is_well(app: FastAPI) -> bool:
    return not await app.state.health.problems()


async def shows(app: FastAPI, problem: str) -> bool:
    return any(problem in one for one in await app.state.health.problems())


async def say(app: FastAPI, event: type[Noted], text: str) -> None:
    async with app.state.database.transaction() as connection:
        await outbox.say(connection, event(subject=uuid4(), version=1, time=NOW, text=text))


async def has_heard(app: FastAPI, *texts: str) -> bool:
    return set(texts) <= await heard(app)


def hearing_itself(name: str, event: type[Noted]) -> Service:
    return Service(name, "shared", [], publishes=[event], handlers={event: note})


async def test_a_service_makes_its_topics_relays_and_consumes_and_stops_without_remains(
    settings: Settings, service: str, bus: Bus
) -> None:
    event = bus.event(partitions_=3)
    before = asyncio.all_tasks()
    async with serving(hearing_itself(service, event), settings) as app:
        await say(app, event, "said")
        await until(lambda: has_heard(app, "said"))
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


@pytest.mark.parametrize("break_it", [Proxy.cut, Proxy.freeze])
async def test_kafka_away_shows_and_passes_and_loses_nothing(
    settings: Settings, service: str, bus: Bus, kafka_proxy: Proxy, break_it: Callable[[Proxy], None]
) -> None:
    event = bus.event()
    async with serving(hearing_itself(service, event), settings) as app:
        break_it(kafka_proxy)
        await say(app, event, "meanwhile")
        await until(lambda: shows(app, "facts cannot be sent to Kafka"))
        await until(lambda: shows(app, "Kafka does not answer"))
        kafka_proxy.mend()
        await until(lambda: is_well(app))
        await until(lambda: has_heard(app, "meanwhile"))


async def test_a_consumer_whose_metadata_task_has_died_finds_kafka_again_and_stops(
    settings: Settings, service: str, bus: Bus, kafka_proxy: Proxy
) -> None:
    event = bus.event()
    async with serving(hearing_itself(service, event), settings) as app:
        client = app.state.health.consumer._aiokafka()._client
        client._sync_task.cancel()
        kafka_proxy.cut()
        await until(lambda: shows(app, "the consumer has no group coordinator"))
        kafka_proxy.mend()
        await until(lambda: is_well(app))
        await say(app, event, "afterwards")
        await until(lambda: has_heard(app, "afterwards"))
        client._sync_task.cancel()


@pytest.mark.parametrize("break_it", [Proxy.cut, Proxy.freeze])
async def test_a_database_that_does_not_answer_shows_and_passes(
    settings: Settings, database_url: str, service: str, bus: Bus, break_it: Callable[[Proxy], None]
) -> None:
    event = bus.event()
    async with database_behind(database_url).open() as proxy:
        by_proxy = settings.model_copy(
            update={"database_url": type(settings.database_url)(by_way_of(proxy, database_url))}
        )
        async with serving(hearing_itself(service, event), by_proxy) as app:
            break_it(proxy)
            await until(lambda: shows(app, "the database does not answer"))
            proxy.mend()
            await until(lambda: is_well(app))
            await say(app, event, "afterwards")
            await until(lambda: has_heard(app, "afterwards"))


async def test_a_stuck_handler_shows_and_passes(
    settings: Settings, service: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "STUCK_SECONDS", 0.1)
    event, release = bus.event(), asyncio.Event()

    async def stuck(connection: Connection, fact: Noted) -> None:
        await release.wait()
        await note(connection, fact)

    async with serving(Service(service, "shared", [], publishes=[event], handlers={event: stuck}), settings) as app:
        await say(app, event, "slow")
        await until(lambda: shows(app, "a batch has not finished"))
        release.set()
        await until(lambda: is_well(app))
        assert await heard(app) == {"slow"}


async def test_a_relay_that_crashes_shows_and_is_started_again(
    settings: Settings, service: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = bus.event()
    is_broken = False
    send = Relay._send_batch

    async def breaking(relay: Relay, connection: Connection) -> int:
        if is_broken:
            raise KeyError("a mistake")
        return await send(relay, connection)

    monkeypatch.setattr(Relay, "_send_batch", breaking)
    async with serving(hearing_itself(service, event), settings) as app:
        is_broken = True
        await say(app, event, "waits")
        await until(lambda: shows(app, "the relay stopped with KeyError and is being started again"))
        is_broken = False
        await until(lambda: is_well(app))
        await until(lambda: has_heard(app, "waits"))


async def test_facts_that_nobody_sends_show(settings: Settings, database: Database, service: str, bus: Bus) -> None:
    probe = Health(database)
    probe.is_starting = False
    probe.relay = Relay(database, bus.servers)
    async with database.transaction() as connection:
        await connection.execute("insert into outbox (fact_id, at) values ($1, now() - interval '25 seconds')", uuid4())
    (problem,) = await probe.problems()
    assert problem.startswith("1 facts wait to be sent, the oldest for 25")


async def test_topics_deleted_while_running_come_back_with_all_that_was_said(
    settings: Settings, database_url: str, service: str, bus: Bus
) -> None:
    event = bus.event()
    owner = await asyncpg.connect(database_url)
    async with serving(hearing_itself(service, event), settings) as app:
        for text in ("one", "two", "three"):
            await say(app, event, text)
        await until(lambda: has_heard(app, "one", "two", "three"))
        await bus.delete(event)
        await owner.execute(f"delete from {service}.heard")
        await until(lambda: has_heard(app, "one", "two", "three"))
        await say(app, event, "four")
        await until(lambda: has_heard(app, "four"))
        await until(lambda: is_well(app))
    await owner.close()


async def test_a_job_runs_again_and_again_and_outlives_passing_faults(settings: Settings, service: str) -> None:
    runs = 0

    async def job(database: Database) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise ConnectionRefusedError

    counting = Service(service, "shared", [], jobs=lambda settings: [Job("count", 0.01, job)])
    async with serving(counting, settings) as app:
        await until(lambda: runs >= 4)
        assert await is_well(app)


async def test_a_job_that_crashes_shows_and_is_started_again(
    settings: Settings, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_broken = False
    runs = 0

    async def job(database: Database) -> None:
        nonlocal runs
        runs += 1
        if is_broken:
            raise ZeroDivisionError

    counting = Service(service, "shared", [], jobs=lambda settings: [Job("count", 0.01, job)])
    async with serving(counting, settings) as app:
        is_broken = True
        await until(lambda: shows(app, "the job count stopped with ZeroDivisionError"))
        is_broken, before = False, runs
        await until(lambda: is_well(app))
        await until(lambda: runs > before)


async def test_answers_older_than_thirty_days_are_dropped(settings: Settings, service: str, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            """
            insert into idempotency (caller, route, key, body_hash, status, response, at)
            select $1, '/', key, '', 200, '', now() - age::interval
            from (values ('new', '29 days'), ('old', '31 days')) as kept (key, age)
            """,
            uuid4(),
        )

    async def only_the_new_is_left() -> bool:
        async with database.connection() as connection:
            return [row["key"] for row in await connection.fetch("select key from idempotency")] == ["new"]

    async with serving(Service(service, "shared", []), settings):
        await until(only_the_new_is_left)


async def test_the_management_port_tells_orchestrators_and_dashboards(
    settings: Settings, service: str, bus: Bus
) -> None:
    event = bus.event()
    async with serving(hearing_itself(service, event), settings) as app:
        await say(app, event, "counted")
        await until(lambda: app.state.health.relay.sent > 0 and app.state.health.consumer.consumed > 0)
        management = management_app({service: app.state.health})
        async with AsyncClient(transport=ASGITransport(management), base_url="http://management") as http:
            assert (await http.get("/health/live")).json() == {"live": True}
            ready = await http.get("/health/ready")
            assert (ready.status_code, ready.json()) == (200, {"ready": True, "problems": {service: []}})
            figures = (await http.get("/metrics")).text
            for figure in ("facts_sent", "events_consumed"):
                assert re.search(rf'^advisor_{figure}{{service="{service}"}} [1-9]', figures, re.MULTILINE)
            app.state.health.is_starting = True
            red = await http.get("/health/ready")
            assert (red.status_code, red.json()["problems"]) == (503, {service: ["starting"]})
