from collections.abc import AsyncIterator

import pytest

from tests.chaos.systems import Trio, started


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="decides which faults come when, and what the load sends")
    parser.addoption("--seconds", type=float, default=60, help="about how long the fault schedules may take")


@pytest.fixture(scope="session")
async def trio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trio]:
    async with started(Trio, tmp_path_factory.mktemp("trio")) as system:
        yield system
