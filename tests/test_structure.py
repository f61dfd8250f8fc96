"""The rules of who may import whom hold, and each is shown to refuse a breach."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from services.laptop import PACKAGES

ROOT = Path(__file__).parent.parent
LINTER = Path(sys.executable).with_name("lint-imports")

INDEPENDENCE = "Services never import each other"
DIRECTION = "Services stand on shared, never the other way round"
ENTRANCE = "The command line stands on what runs the services"
ROOMS = "A service is app, then web, events and jobs, then handlers, then store, then domain"
SHARED = "Shared is contracts and plumbing, and nothing else lives there"
EMBEDDED = "Only the laptop knows of the embedded servers"
PURITY = "Domain, contracts and questionnaire do no input or output"

BREACHES = (
    (INDEPENDENCE, "services/assessment/handlers.py", "services.intake.handlers"),
    (DIRECTION, "shared/outbox.py", "services.running"),
    (ENTRANCE, "services/running.py", "services.laptop"),
    (ENTRANCE, "services/utils.py", "json"),
    (ROOMS, "services/intake/domain/submission.py", "services.intake.store.intakes"),
    (ROOMS, "services/assessment/web/api.py", "services.assessment.events"),
    (ROOMS, "services/recommendation/helpers.py", "json"),
    (SHARED, "shared/postgres.py", "shared.outbox"),
    (SHARED, "shared/kafka/topics.py", "shared.access"),
    (SHARED, "shared/common.py", "json"),
    (EMBEDDED, "services/running.py", "shared.embedded"),
    (PURITY, "services/recommendation/domain/review.py", "asyncpg"),
    (PURITY, "services/assessment/domain/scoring.py", "shared.outbox"),
    (PURITY, "shared/contracts/intake.py", "fastapi"),
    (PURITY, "shared/questionnaire/__init__.py", "structlog"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source."""
    copy = tmp_path_factory.mktemp("tree")
    for package in ("services", "shared"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture
def planted(tree: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with one import that is not there."""
    file, imported = request.param
    before = (tree / file).read_text() if (tree / file).exists() else None
    (tree / file).write_text(f"{before or ''}\nimport {imported}\n")
    yield tree
    if before is None:
        (tree / file).unlink()
    else:
        (tree / file).write_text(before)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINTER, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_source_keeps_every_rule(tree: Path) -> None:
    answer = lint(tree)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("planted", "rule"),
    [((file, imported), rule) for rule, file, imported in BREACHES],
    indirect=["planted"],
    ids=[f"{file} imports {imported}" for _, file, imported in BREACHES],
)
def test_a_breach_of_a_rule_is_refused_by_its_name(planted: Path, rule: str) -> None:
    answer = lint(planted)
    assert answer.returncode == 1
    assert f"{rule} BROKEN" in " ".join(answer.stdout.split())


def test_what_is_shared_is_used_by_at_least_two_services() -> None:
    graph = grimp.build_graph("services", "shared", cache_dir=None)
    used = [graph.find_upstream_modules(package, as_package=True) for package in PACKAGES.values()]
    maintainers = {"shared.pages.extraction", "shared.pages.vendor"}
    for_processes_and_maintainers = {"shared.embedded", "shared.service.logging", *maintainers}
    exempt = {"shared.contracts", *for_processes_and_maintainers}
    idle = {
        module
        for module in graph.find_descendants("shared")
        if sum(module in one for one in used) < 2
        and not any(module == apart or module.startswith(f"{apart}.") for apart in exempt)
    }
    assert idle == set()
