"""`advisor up` as a person meets it at the terminal: one clear sentence where it cannot run, and a good end."""

import asyncio
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.chaos.systems import ADVISOR, SECONDS_TO_START, Laptop, eventually, free_port, ready, servers_of


def refused(*arguments: str) -> str:
    """What `advisor up` says when it does not start, which must be one line and a code other than 0."""
    ended = subprocess.run([ADVISOR, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    (sentence,) = ended.stderr.splitlines()
    return sentence


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused("up", "--data", str(tmp_path / "data"), "--port", str(port))
    assert sentence == (
        f"advisor: Port {port} on 127.0.0.1 cannot be used (Address already in use). Choose another with --port."
    )


@pytest.mark.parametrize("is_port_free", [True, False])
async def test_a_folder_in_use_is_said_in_one_sentence(laptop: Laptop, is_port_free: bool) -> None:
    port = free_port() if is_port_free else laptop.port
    sentence = await asyncio.to_thread(refused, "up", "--data", str(laptop.data), "--port", str(port))
    assert f"already in use by another running advisor (process {laptop.process.pid})" in sentence


async def test_a_command_without_a_system_says_how_to_start_one(tmp_path: Path) -> None:
    sentence = refused("key", "add", "a key", "--role", "sales", "--data", str(tmp_path))
    assert sentence.endswith(f"Start one with `advisor up --data {tmp_path}`.")


async def test_control_c_ends_it_well_and_it_starts_again_on_the_same_folder(laptop: Laptop) -> None:
    laptop.process.signal(signal.SIGINT)
    assert await asyncio.to_thread(laptop.process.wait) == 0
    assert "Traceback" not in laptop.process.last_words()
    await laptop.restore()
    await ready(laptop)
    assert laptop.process.said() == f"ready http://127.0.0.1:{laptop.port}\n"


async def test_control_c_while_it_starts_ends_it_well(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "data", tmp_path)
    laptop.process.start()

    async def too_early() -> str | None:
        return None if list(laptop.data.glob("kafka/server.properties")) else "Kafka is not being started yet"

    await eventually(too_early, SECONDS_TO_START)
    laptop.process.signal(signal.SIGINT)
    assert await asyncio.to_thread(laptop.process.wait) == 0
    assert laptop.process.said() == ""
    assert "Traceback" not in laptop.process.last_words()
    assert [servers_of(laptop.data, name) for name in ("Kafka", "Postgres")] == [[], []]
