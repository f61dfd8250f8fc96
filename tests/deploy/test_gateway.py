"""The gateway: its routes are the prefix table, and the real Caddy does what its file promises."""

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from shared.service import PREFIXES
from shared.service.prefixes import service_for
from tests.chaos.systems import eventually, free_port
from tests.deploy.composed import ROOT, made_secrets, resolved

CADDYFILE = ROOT / "deploy" / "Caddyfile"
MAX_BODY_BYTES = 1_000_000
LINK = "a-token-that-opens-a-page"

PATHS = [
    path
    for prefixes in PREFIXES.values()
    for prefix in prefixes
    for path in (prefix, prefix.rstrip("/") or "/", f"{prefix}a/b%2Fc?d=%20e", f"{prefix.rstrip('/') or '/'}x/y")
]


def test_the_gateway_repeats_the_prefix_table() -> None:
    text = CADDYFILE.read_text()
    routes = {name: set(paths.split()) for name, paths in re.findall(r"@(\w+) path (.+)", text) if name in PREFIXES}
    everything_else = re.findall(r"handle \{\s+import to (\w+)", text)
    assert everything_else == [service_for("/")]
    assert routes == {
        service: {form for prefix in prefixes for form in (prefix.rstrip("/"), f"{prefix}*")}
        for service, prefixes in PREFIXES.items()
        if service not in everything_else
    }


@dataclass
class Upstream:
    """Stands where a service would: notes what arrives and answers with its name, but dies of the next `deaths`."""

    name: str
    arrived: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    deaths: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the gateway ends connections when it likes
            while True:
                request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                self.arrived.append((request.split(" ")[1], headers))
                if self.deaths:
                    writer.write(self.deaths.pop())
                    break
                await reader.readexactly(int(headers.get("content-length", 0)))
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.name)}\r\n\r\n{self.name}".encode())
        writer.close()


@dataclass
class Gateway:
    """A Caddy at work with the product's file, on ports of its own."""

    port: int
    plain_port: int
    log: Path
    upstreams: dict[str, Upstream]

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=f"https://localhost:{self.port}", verify=False, timeout=20)

    def connections(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    async def unanswered(self) -> str | None:
        try:
            async with self.client() as client:
                await client.get("/")
        except httpx2.TransportError as error:
            return f"{error!r}; Caddy wrote {self.log.read_text()[-2000:]}"
        for upstream in self.upstreams.values():
            upstream.arrived.clear()
        return None


@pytest.fixture(scope="module")
def caddy() -> str:
    """The program, from the environment's packages or from the machine."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which("caddy", path=places)
    if found is None:
        pytest.skip("Caddy is not installed here: the gateway's file was read, not run.")
    return found


def adapted(caddy: str, environment: dict[str, str]) -> str:
    """The product's file as Caddy's own configuration in JSON."""
    done = subprocess.run(
        [caddy, "adapt", "--config", CADDYFILE], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
async def gateway(caddy: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    environment = {"HOME": str(folder), **resolved(made_secrets())["services"]["gateway"]["environment"]}
    configuration = adapted(caddy, environment)
    async with AsyncExitStack() as stack:
        upstreams = {name: Upstream(name) for name in PREFIXES}
        for name, upstream in upstreams.items():
            server = await stack.enter_async_context(await asyncio.start_server(upstream.serve, "127.0.0.1", 0))
            assert f'"{name}:8000"' in configuration
            here = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            configuration = configuration.replace(f'"{name}:8000"', f'"{here}"')
        running = Gateway(free_port(), free_port(), folder / "log", upstreams)
        (folder / "caddy.json").write_text(on_own_ports(configuration, running))
        with running.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(caddy, "run", "--config", folder / "caddy.json"), env=environment, stdout=log, stderr=log
            )
        try:
            await eventually(running.unanswered, 30)
            yield running
        finally:
            process.terminate()
            await process.wait()


def on_own_ports(configuration: str, running: Gateway) -> str:
    """The configuration on two free ports of this machine instead of 80 and 443."""
    content = json.loads(configuration)
    http = content["apps"]["http"]
    (edge,) = http["servers"].values()
    assert edge["listen"] == [":443"]
    edge["listen"] = [f"127.0.0.1:{running.port}"]
    http |= {"http_port": running.plain_port, "https_port": running.port}
    return json.dumps(content)


@pytest.mark.parametrize("path", [*PATHS, "/health/ready", "/metrics", "/api/", "/api/unknown"])
async def test_a_request_reaches_the_service_with_the_longest_prefix_and_nothing_is_stripped(
    gateway: Gateway, path: str
) -> None:
    async with gateway.client() as client:
        answer = await client.get(path)
    assert answer.text == service_for(path.partition("?")[0])
    assert gateway.upstreams[answer.text].arrived[-1][0] == path


async def test_a_service_learns_the_host_and_that_it_was_https_whatever_the_client_claims(gateway: Gateway) -> None:
    async with gateway.client() as client:
        await client.get("/", headers={"x-forwarded-proto": "http", "x-forwarded-for": "192.0.2.7"})
    headers = gateway.upstreams["intake"].arrived[-1][1]
    assert headers["host"] == f"localhost:{gateway.port}"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-for"] in ("127.0.0.1", "::1")


async def test_plain_http_is_sent_to_https(gateway: Gateway) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{gateway.plain_port}/q/", headers={"host": "localhost"})
    assert (answer.status_code, answer.headers["location"]) == (308, "https://localhost/q/")


async def test_a_body_over_one_megabyte_is_refused_in_words_and_one_below_is_passed_on(gateway: Gateway) -> None:
    async with gateway.client() as client:
        passed = await client.post("/q/", content=b"a" * MAX_BODY_BYTES)
        page = await client.post("/q/", content=b"a" * (MAX_BODY_BYTES + 1))
        call = await client.post("/api/intake/intakes", content=b"a" * (MAX_BODY_BYTES + 1))
    assert passed.text == "intake"
    assert (page.status_code, page.text) == (413, "Send at most 1 MB in one request.")
    assert call.headers["content-type"] == "application/problem+json"
    assert call.json() == {
        "type": "about:blank",
        "title": "Too large",
        "status": 413,
        "detail": "Send at most 1 MB in one request.",
    }


async def test_a_read_that_met_a_dying_service_is_asked_again(gateway: Gateway) -> None:
    upstream = gateway.upstreams["recommendation"]
    upstream.deaths = [b""]
    async with gateway.client() as client:
        answer = await client.get("/d/again")
    assert answer.text == "recommendation"
    assert [path for path, _ in upstream.arrived if path == "/d/again"] == ["/d/again"] * 2


async def test_a_write_is_never_sent_twice_and_its_failure_is_told_in_words(gateway: Gateway) -> None:
    upstream = gateway.upstreams["recommendation"]
    upstream.deaths = [b""]
    async with gateway.client() as client:
        answer = await client.post("/d/once")
    assert answer.status_code == httpx2.codes.BAD_GATEWAY
    assert answer.text == "This cannot be answered right now. Please try again in a minute."
    assert answer.headers["retry-after"]
    assert [path for path, _ in upstream.arrived if path == "/d/once"] == ["/d/once"]


async def test_the_log_tells_of_a_broken_answer_without_the_link_that_was_asked_for(gateway: Gateway) -> None:
    gateway.upstreams["recommendation"].deaths = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nThe begin"]
    async with gateway.client() as client:
        with pytest.raises(httpx2.TransportError):
            await client.get(f"/d/{LINK}", headers={"referer": f"https://localhost/d/{LINK}"})
    log = gateway.log.read_text()
    assert "aborting with incomplete response" in log
    assert LINK not in log


async def test_a_client_that_never_ends_its_headers_is_cut_off(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=gateway.connections(), server_hostname="localhost"
    )
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    assert b"200 OK" not in await reader.read()
    writer.close()
