"""The laptop's servers, run for real: what they keep, whom they refuse, and how they come back."""

import asyncio
import hashlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.embedded import Addresses, EmbeddedError, Servers, kafka, servers
from shared.embedded.folder import Folder
from shared.embedded.jars import Jar, ensure_jars, local_repository, locked_jars

OWNER = """
import asyncio, sys
from pathlib import Path
from shared.embedded import Servers

async def own() -> None:
    addresses = await Servers(Path(sys.argv[1]), report=lambda sentence: None).start()
    print(addresses.database_url, addresses.kafka_bootstrap_servers, flush=True)
    await asyncio.Event().wait()

asyncio.run(own())
"""


def silent(_: str) -> None:
    """Nobody listens to the progress."""


@asynccontextmanager
async def started(data: Path) -> AsyncIterator[Addresses]:
    """Servers that are stopped at the end, twice, which leaves no process."""
    servers = Servers(data, report=silent)
    try:
        yield await servers.start()
    finally:
        await servers.stop()
    await servers.stop()
    assert processes_of(data) == []


async def write(addresses: Addresses) -> None:
    database = await asyncpg.connect(addresses.database_url)
    try:
        await database.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('row')")
    finally:
        await database.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka_bootstrap_servers)
    try:
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=addresses.kafka_bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait("kept", b"record")


async def read(addresses: Addresses) -> tuple[str, bytes]:
    return await read_row(addresses), await read_record(addresses)


async def read_row(addresses: Addresses) -> str:
    database = await asyncpg.connect(addresses.database_url)
    try:
        word: str = await database.fetchval("SELECT word FROM kept")
        return word
    finally:
        await database.close()


async def read_record(addresses: Addresses) -> bytes:
    consumer = AIOKafkaConsumer(
        "kept", bootstrap_servers=addresses.kafka_bootstrap_servers, auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(20):
        record: bytes = (await consumer.getone()).value
        return record


def processes_of(data: Path, name: str | None = None) -> list[psutil.Process]:
    mark = Folder(data).mark
    return [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if any(mark in part for part in process.info["cmdline"] or ()) and name in {None, process.info["name"]}
    ]


def server_of(data: Path, executable: str) -> psutil.Process:
    """The server itself, not the processes that Postgres starts for its own work."""
    (server,) = (process for process in processes_of(data, executable) if process.ppid() == os.getpid())
    return server


@dataclass
class Supervised:
    """Servers under supervision, with the sentences they reported."""

    data: Path
    addresses: Addresses
    reports: asyncio.Queue[str]


@pytest.fixture(scope="module")
async def supervised(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Supervised]:
    reports: asyncio.Queue[str] = asyncio.Queue()
    data = tmp_path_factory.mktemp("supervised")
    servers = Servers(data, report=reports.put_nowait)
    addresses = await servers.start()
    supervision = asyncio.create_task(servers.supervise())
    try:
        await write(addresses)
        while not reports.empty():
            reports.get_nowait()
        yield Supervised(data, addresses, reports)
    finally:
        supervision.cancel()
        await servers.stop()


async def test_a_restart_leaves_no_process_and_keeps_every_row_and_record_and_the_addresses(tmp_path: Path) -> None:
    async with started(tmp_path) as first:
        await write(first)
        assert {process.name() for process in processes_of(tmp_path)} == {"postgres", "java"}
    async with started(tmp_path) as second:
        assert await read(second) == ("row", b"record")
        assert second == first


async def test_what_a_start_loads_is_kept_for_the_next_and_damage_to_it_does_no_harm(
    supervised: Supervised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kafka._classes_file()
    assert f"-XX:AOTCache={kept}" in server_of(supervised.data, "java").cmdline()
    damaged = tmp_path / "damaged.aot"
    damaged.write_bytes(kept.read_bytes()[:1_000_000])
    monkeypatch.setattr(kafka, "_classes_file", lambda: damaged)
    async with started(tmp_path / "data") as addresses:
        await write(addresses)
        assert await read(addresses) == ("row", b"record")


async def test_a_second_owner_of_a_folder_is_refused_and_the_first_is_left_alone(supervised: Supervised) -> None:
    with pytest.raises(EmbeddedError, match=rf"already in use by another running advisor \(process {os.getpid()}\)"):
        await Servers(supervised.data, report=silent).start()
    assert await read(supervised.addresses) == ("row", b"record")


async def test_the_terminals_ctrl_c_does_not_reach_the_servers(supervised: Supervised) -> None:
    groups = {os.getpgid(server_of(supervised.data, executable).pid) for executable in ("postgres", "java")}
    assert os.getpgid(0) not in groups


async def test_a_killed_postgres_is_back_on_its_address_with_its_rows(supervised: Supervised) -> None:
    server_of(supervised.data, "postgres").kill()
    assert await supervised.reports.get() == "Postgres died and is started again: it was ended by SIGKILL."
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                assert await read_row(supervised.addresses) == "row"
                return
            await asyncio.sleep(0.05)


async def test_a_killed_kafka_is_back_on_its_address_with_its_records(supervised: Supervised) -> None:
    address = supervised.addresses.kafka_bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        server_of(supervised.data, "java").kill()
        assert await supervised.reports.get() == "Kafka died and is started again: it was ended by SIGKILL."
        await producer.send_and_wait("kept", b"another")
    assert await read_record(supervised.addresses) == b"record"


async def test_a_kafka_that_runs_but_keeps_silent_is_started_again(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "SECONDS_TO_ANSWER", 0.5)
    monkeypatch.setattr(servers, "SECONDS_BETWEEN_QUESTIONS", 0.5)
    address = supervised.addresses.kafka_bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        server_of(supervised.data, "java").suspend()
        assert await supervised.reports.get() == "Kafka runs but does not answer."
        monkeypatch.undo()
        assert await supervised.reports.get() == "Kafka died and is started again: it was ended by SIGKILL."
        await producer.send_and_wait("kept", b"another")
    assert await read_record(supervised.addresses) == b"record"


async def test_a_server_that_keeps_dying_is_given_up_with_its_own_reason(tmp_path: Path) -> None:
    servers = Servers(tmp_path, report=silent)
    await servers.start()
    try:
        (tmp_path / "postgres" / "global" / "pg_control").unlink()
        server_of(tmp_path, "postgres").kill()
        with pytest.raises(EmbeddedError, match=r"^Postgres died 5 times within a minute: .*pg_control"):
            await servers.supervise()
    finally:
        await servers.stop()


async def test_what_a_killed_owner_left_running_is_stopped_before_the_next_start(
    tmp_path: Path, supervised: Supervised
) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    await write(Addresses(*(await owner.stdout.readline()).decode().split()))
    orphans = processes_of(tmp_path)
    owner.kill()
    await owner.wait()
    assert {orphan.name() for orphan in orphans if orphan.is_running()} == {"postgres", "java"}

    async with started(tmp_path) as addresses:
        assert await read(addresses) == ("row", b"record")
        assert not any(orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE for orphan in orphans)
    assert await read(supervised.addresses) == ("row", b"record")


async def test_a_lock_naming_a_process_that_is_not_postgres_does_not_stop_a_start(tmp_path: Path) -> None:
    async with started(tmp_path):
        account = (tmp_path / "postgres").stat().st_uid
        lock = (tmp_path / "postgres" / "postmaster.pid").read_text()
    bystander = await asyncio.create_subprocess_exec("sleep", "60", user=account if os.geteuid() == 0 else None)
    _, _, rest = lock.partition("\n")
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{bystander.pid}\n{rest}")
    try:
        async with started(tmp_path):
            assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


async def test_a_first_start_given_up_halfway_leaves_nothing_running_and_the_next_one_works(tmp_path: Path) -> None:
    first = asyncio.create_task(Servers(tmp_path, report=silent).start())
    while not processes_of(tmp_path):
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert processes_of(tmp_path) == []
    async with started(tmp_path) as addresses:
        await write(addresses)


@pytest.mark.parametrize(
    ("written_by", "sentence"),
    [
        ('{"layout": 1, "postgres": 17, "kafka": 4}', "was written by layout 1, postgres 17, kafka 4"),
        ('{"layout": 2, "postgres": 18, "kafka": 4}', "was written by layout 2, postgres 18, kafka 4"),
        ("", "cannot be read"),
        (None, "holds servers' data but no version.json"),
    ],
)
async def test_a_folder_of_another_version_is_refused_untouched(
    tmp_path: Path, written_by: str | None, sentence: str
) -> None:
    (tmp_path / "postgres").mkdir()
    if written_by is not None:
        (tmp_path / "version.json").write_text(written_by)
    with pytest.raises(EmbeddedError, match=rf"{sentence}.*--data"):
        await Servers(tmp_path, report=silent).start()
    assert list((tmp_path / "postgres").iterdir()) == []


async def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="could not start"):
        await Servers(tmp_path / "file" / "data", report=silent).start()


@dataclass
class Mirror:
    """A Maven mirror on this machine, and what it was asked for."""

    url: str
    asked: list[str]


@pytest.fixture(scope="module")
async def jars() -> list[Jar]:
    await ensure_jars(local_repository(), mirror=None, report=silent)
    return locked_jars()


@pytest.fixture
def mirror(jars: list[Jar]) -> Iterator[Mirror]:
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path.removeprefix("/"))

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(local_repository())))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Mirror(f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, jars: list[Jar]) -> Path:
    """A cache of its own, with every jar."""
    for jar in jars:
        (tmp_path / jar.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / jar.path).symlink_to(local_repository() / jar.path)
    return tmp_path


def damage(path: Path) -> None:
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: len(whole) // 2])


async def test_a_damaged_jar_is_noticed_and_fetched_again(cache: Path, jars: list[Jar], mirror: Mirror) -> None:
    damage(cache / jars[3].path)
    (cache / jars[5].path).unlink()
    reports: list[str] = []
    await ensure_jars(cache, mirror=mirror.url, report=reports.append)
    assert sorted(mirror.asked) == sorted([jars[3].path, jars[5].path])
    assert reports == ["Fetching Kafka: 1 of 2 files", "Fetching Kafka: 2 of 2 files"]
    for jar in jars:
        assert hashlib.sha256((cache / jar.path).read_bytes()).hexdigest() == jar.sha256


async def test_two_first_starts_at_once_fetch_each_jar_once(tmp_path: Path, jars: list[Jar], mirror: Mirror) -> None:
    await asyncio.gather(*(ensure_jars(tmp_path, mirror=mirror.url, report=silent) for _ in range(2)))
    assert sorted(mirror.asked) == sorted(jar.path for jar in jars)


async def test_a_jar_that_is_not_the_published_one_is_never_used(cache: Path, jars: list[Jar], mirror: Mirror) -> None:
    other, wanted = jars[3], jars[5]
    (cache / wanted.path).unlink()
    with pytest.raises(EmbeddedError, match="did not arrive as it was published"):
        await ensure_jars(cache, mirror=f"{mirror.url}/{other.path}?", report=silent)
    assert not (cache / wanted.path).exists()


async def test_without_jars_and_without_a_network_a_start_says_what_to_do(tmp_path: Path, jars: list[Jar]) -> None:
    with pytest.raises(EmbeddedError, match="The first start needs the network"):
        await ensure_jars(tmp_path, mirror="http://127.0.0.1:9", report=silent)
