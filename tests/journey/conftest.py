from collections.abc import AsyncIterator

import pytest

from tests.chaos.systems import Laptop, System, Trio, started
from tests.journey.caller import Caller, with_key


@pytest.fixture(scope="package")
async def laptop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Laptop]:
    async with started(Laptop, tmp_path_factory.mktemp("laptop")) as system:
        yield system


@pytest.fixture(scope="package")
async def trio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trio]:
    async with started(Trio, tmp_path_factory.mktemp("trio")) as system:
        yield system


@pytest.fixture(scope="package")
async def staff(laptop: Laptop) -> AsyncIterator[Caller]:
    """Everybody's API key on the system that runs in one process."""
    async with with_key(laptop, "sales", "account_manager", "rubric_owner", "admin") as caller:
        yield caller


@pytest.fixture(scope="package")
async def staff_of_three(trio: Trio) -> AsyncIterator[Caller]:
    """Everybody's API key on the system of three services."""
    async with with_key(trio, "sales", "account_manager", "rubric_owner", "admin") as caller:
        yield caller


@pytest.fixture(scope="package", params=["laptop", "trio"])
def everybody(request: pytest.FixtureRequest) -> Caller:
    """Everybody's API key, on the one system and then on the other."""
    found: Caller = request.getfixturevalue({"laptop": "staff", "trio": "staff_of_three"}[request.param])
    return found


@pytest.fixture(scope="package")
def system(laptop: Laptop) -> System:
    return laptop
