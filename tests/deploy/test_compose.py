"""The compose file: by its published schema, by what it must never say, and by running what it says."""

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx2
import jsonschema_rs
import pytest
import yaml
from dotenv import dotenv_values

from services.running import GRACE_SECONDS
from shared.postgres import role_of
from shared.service import PREFIXES
from tests.chaos.systems import Child, eventually, free_port
from tests.conftest import TestServers, database_named
from tests.deploy.composed import FILE, ROOT, Missing, made_secrets, resolved

SECONDS_TO_PROPOSE = 30
SERVE_PORT, MANAGEMENT_PORT = 8000, 9000

SECRETS = made_secrets()
CONTAINERS: dict[str, dict[str, Any]] = resolved(SECRETS)["services"]

INTAKE = {
    "company": {"name": "Harbour Freight Ltd", "headcount": "51-250", "industry": "software", "country": "NL"},
    "contact": {"name": "Ada Osei", "email": "ada.osei@example.com"},
    "answers": {},
    "consent": True,
}


def holders(variable: str) -> set[str]:
    return {name for name, container in CONTAINERS.items() if variable in container.get("environment", {})}


def test_the_file_keeps_to_the_published_compose_schema() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec" / "schema.json").read_text())
    jsonschema_rs.validator_for(schema).validate(yaml.safe_load(FILE.read_text()))


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_nothing_starts_and_the_reason_says_how_to_make_it(name: str) -> None:
    with pytest.raises(Missing, match="make-secrets"):
        resolved({**SECRETS, name: ""})


def test_the_example_names_what_is_made_and_what_can_be_set_and_holds_no_value() -> None:
    named = ["ADVISOR_DOMAIN", "ADVISOR_SMTP_URL", "ADVISOR_MAIL_FROM", *SECRETS]
    assert dotenv_values(ROOT / "deploy" / "env.example") == dict.fromkeys(named, "")


def test_secrets_are_made_afresh_each_time() -> None:
    again = made_secrets()
    assert all(again[name] != value for name, value in SECRETS.items())


def test_one_image_serves_the_migration_and_each_service() -> None:
    ours = {name: container["image"] for name, container in CONTAINERS.items() if "build" in container}
    assert ours.keys() == {*PREFIXES, "migrate"}
    assert len(set(ours.values())) == 1


def test_only_the_gateway_can_be_reached_from_outside() -> None:
    assert {name for name, container in CONTAINERS.items() if "ports" in container} == {"gateway"}
    assert CONTAINERS["gateway"]["networks"] == ["front"]
    for name in ("migrate", "postgres", "kafka"):
        assert CONTAINERS[name]["networks"] == ["back"]


def test_each_container_holds_only_the_secrets_it_needs() -> None:
    assert holders("ADVISOR_SIGNING_KEY") == holders("ADVISOR_SMTP_URL") == {"intake"}
    assert holders("ADVISOR_ROLE_PASSWORDS") == {"migrate"}
    assert "migrate" not in holders("ADVISOR_LINK_SECRET") | holders("ADVISOR_VERIFICATION_KEYS")
    for name, password in SECRETS.items():
        if name.endswith("_PASSWORD"):
            service = name.removeprefix("ADVISOR_").removesuffix("_PASSWORD").lower()
            users = {user for user, container in CONTAINERS.items() if password in str(container)}
            assert users == {"migrate", "postgres" if service == "owner" else service}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_confined_and_has_the_time_to_stop_in_good_order(name: str) -> None:
    container = CONTAINERS[name]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["mem_limit"]
    assert container.get("read_only") or name == "kafka"
    assert int(container["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS
    assert container["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_kafka_creates_no_topic_by_itself() -> None:
    assert CONTAINERS["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


@dataclass
class Deployment:
    """The file's services as processes of this machine; `database_url` is the owner's."""

    database_url: str
    processes: dict[str, Child]
    ports: dict[str, int]
    management_ports: dict[str, int]

    def url(self, service: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def is_healthy(self, service: str) -> bool:
        """What the container's own health check says."""
        kind, program, *words = CONTAINERS[service]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        here = [word.replace(f":{MANAGEMENT_PORT}", f":{self.management_ports[service]}") for word in words]
        return subprocess.run([sys.executable, *here], capture_output=True, check=False).returncode == 0

    async def all_healthy(self) -> str | None:
        for service, process in self.processes.items():
            assert not process.is_down, process.last_words()
            if not await asyncio.to_thread(self.is_healthy, service):
                return f"{service} is not healthy; it wrote {process.last_words()}"
        return None


def environment_of(container: str, database_url: str, kafka: str) -> dict[str, str]:
    """What the file gives a container, its servers' names replaced by where they are here."""
    told: dict[str, str] = CONTAINERS[container]["environment"]
    url = urlsplit(told["ADVISOR_DATABASE_URL"])
    assert (url.hostname, url.port, url.path) == ("postgres", 5432, "/advisor")
    here = urlsplit(database_url)
    if container == "migrate":
        return told | {"ADVISOR_DATABASE_URL": database_url}
    assert told["ADVISOR_KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
    login = f"{url.username}:{url.password}@{here.netloc.rpartition('@')[2]}"
    return {
        **told,
        "ADVISOR_DATABASE_URL": urlunsplit(here._replace(netloc=login)),
        "ADVISOR_KAFKA_BOOTSTRAP_SERVERS": kafka,
    }


def command_of(container: str) -> list[str]:
    """The entry point and what the file adds to it, on this machine's own address."""
    local = ["127.0.0.1" if word == "0.0.0.0" else word for word in CONTAINERS[container]["command"]]
    return [sys.executable, "-m", "services", *local]


def run(command: Iterable[str], environment: dict[str, str]) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run([*command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
async def empty_database(servers: TestServers) -> AsyncIterator[str]:
    name = f"compose_{uuid4().hex[:12]}"
    owner = await asyncpg.connect(servers.database_url)
    await owner.execute(f"create database {name}")
    yield database_named(servers.database_url, name)
    await owner.execute(f"drop database {name} with (force)")
    for role in await owner.fetch("select rolname from pg_roles where rolname like 'advisor\\_%'"):
        await owner.execute(f"alter role {role['rolname']} nologin password null")
    await owner.close()


@pytest.fixture(scope="module")
async def deployment(
    servers: TestServers, empty_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    logs = tmp_path_factory.mktemp("deployment")
    kafka = servers.kafka_bootstrap_servers
    applied = run(command_of("migrate"), environment_of("migrate", empty_database, kafka))
    assert all(f"{service}: services.{service}/" in applied for service in PREFIXES)

    ports, management_ports = ({service: free_port() for service in PREFIXES} for _ in range(2))
    processes = {}
    for service in PREFIXES:
        words = [
            *command_of(service),
            *("--port", str(ports[service])),
            *("--management-port", str(management_ports[service])),
        ]
        processes[service] = Child(service, logs, words, environment_of(service, empty_database, kafka))
        processes[service].start()
    deployed = Deployment(empty_database, processes, ports, management_ports)
    await eventually(deployed.all_healthy, 60)
    yield deployed
    for process in processes.values():
        process.kill()


async def test_the_owner_migrates_and_each_service_logs_in_as_its_own_role(deployment: Deployment) -> None:
    told = {name: urlsplit(CONTAINERS[name]["environment"]["ADVISOR_DATABASE_URL"]).username for name in PREFIXES}
    assert told == {service: role_of(service) for service in PREFIXES}
    migrating = urlsplit(CONTAINERS["migrate"]["environment"]["ADVISOR_DATABASE_URL"])
    database = CONTAINERS["postgres"]["environment"]
    assert (migrating.username, migrating.password) == (database["POSTGRES_USER"], database["POSTGRES_PASSWORD"])

    owner = await asyncpg.connect(deployment.database_url)
    logins = await owner.fetch(
        "select distinct application_name, usename from pg_stat_activity "
        "where datname = current_database() and application_name like 'advisor %'"
    )
    await owner.close()
    assert {tuple(login) for login in logins} == {(f"advisor {service}", role_of(service)) for service in PREFIXES}


async def test_each_role_has_the_password_that_its_service_was_given(deployment: Deployment) -> None:
    owner = await asyncpg.connect(deployment.database_url)
    roles = await owner.fetch("select rolname, rolpassword from pg_authid where rolname like 'advisor\\_%'")
    stored = {role["rolname"]: role["rolpassword"] for role in roles}
    await owner.close()
    for service in PREFIXES:
        url = urlsplit(CONTAINERS[service]["environment"]["ADVISOR_DATABASE_URL"])
        assert fits(unquote(url.password or ""), stored[role_of(service)]), service


def fits(password: str, verifier: str) -> bool:
    """Whether Postgres would take the password: RFC 5803's verifier, RFC 5802's computation."""
    mechanism, iterations_and_salt, keys = verifier.split("$")
    assert mechanism == "SCRAM-SHA-256"
    iterations, salt = iterations_and_salt.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64encode(hashlib.sha256(client_key).digest()).decode() == keys.split(":")[0]


async def test_an_intake_posted_at_intake_ends_as_a_proposal_at_recommendation(
    deployment: Deployment, servers: TestServers
) -> None:
    environment = environment_of("intake", deployment.database_url, servers.kafka_bootstrap_servers)
    words = [sys.executable, "-m", "services", "key", "add", "a test", "--role", "sales"]
    key = (await asyncio.to_thread(run, words, environment)).strip()
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}) as client:
        accepted = await client.post(deployment.url("intake", "/api/intake/intakes"), json=INTAKE)
        assert accepted.status_code == httpx2.codes.ACCEPTED, accepted.text
        intake_id = accepted.json()["intake_id"]
        proposal_url = deployment.url("recommendation", f"/api/recommendation/intakes/{intake_id}")

        async def unproposed() -> str | None:
            answer = await client.get(proposal_url)
            return None if answer.status_code == httpx2.codes.OK else answer.text

        await eventually(unproposed, SECONDS_TO_PROPOSE)
        proposal = (await client.get(proposal_url)).json()
    assert (proposal["intake_id"], proposal["state"], proposal["model"]) == (intake_id, "proposed", "discovery_call")


@pytest.mark.parametrize("path", ["/health/ready", "/health/live", "/metrics"])
@pytest.mark.parametrize("service", PREFIXES)
async def test_health_and_figures_are_not_on_the_port_that_the_gateway_reaches(
    deployment: Deployment, service: str, path: str
) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.get(deployment.url(service, path))).status_code == httpx2.codes.NOT_FOUND


async def test_addresses_that_a_service_makes_are_https_because_the_gateway_said_so(deployment: Deployment) -> None:
    async with httpx2.AsyncClient(headers={"host": "advisor.example.com", "x-forwarded-proto": "https"}) as client:
        answer = await client.get(deployment.url("intake", "/api/intake/questionnaire/"))
    assert answer.headers["location"] == "https://advisor.example.com/api/intake/questionnaire"


async def test_sigterm_ends_each_service_with_success_and_its_health_check_with_failure(deployment: Deployment) -> None:
    for process in deployment.processes.values():
        process.signal(signal.SIGTERM)
    codes = [await asyncio.to_thread(process.wait) for process in deployment.processes.values()]
    assert codes == [0, 0, 0]
    assert not any(deployment.is_healthy(service) for service in PREFIXES)
