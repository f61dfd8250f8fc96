"""One short form of each fault, under load: every acknowledged intake ends with exactly one current recommendation."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.chaos.ledger import Ledger
from tests.chaos.load import sending
from tests.chaos.nemesis import delete_topics, kill, restart, settled, wipe_kafka
from tests.chaos.systems import Laptop, System, Trio

REQUESTS = 12
PER_SECOND = 20
SECONDS_TO_SETTLE = 90


async def keeps_every_promise(system: System, path: Path, fault: Callable[[], Awaitable[object]]) -> None:
    kept = Ledger(path)
    try:
        async with sending(system, kept, seed=1, per_second=PER_SECOND) as load:
            await load.more(REQUESTS)
            await fault()
            await load.more(REQUESTS)
        await settled(system, path, seconds=SECONDS_TO_SETTLE)
        assert [log.name for log in system.logs() if "request.failed" in log.read_text(errors="replace")] == []
    finally:
        kept.close()


async def test_services_that_are_killed_one_after_another_lose_nothing(trio: Trio, tmp_path: Path) -> None:
    async def kill_each() -> None:
        for service in trio.processes:
            await kill(trio, service, away=0.5)

    await keeps_every_promise(trio, tmp_path / "ledger", kill_each)


async def test_services_that_are_told_to_stop_end_well_and_lose_nothing(trio: Trio, tmp_path: Path) -> None:
    await keeps_every_promise(trio, tmp_path / "ledger", lambda: restart(trio, away=0))


async def test_topics_that_are_deleted_take_nothing_with_them(trio: Trio, tmp_path: Path) -> None:
    await keeps_every_promise(trio, tmp_path / "ledger", lambda: delete_topics(trio, away=0))


async def test_a_kafka_that_loses_all_it_has_takes_nothing_with_it(trio: Trio, tmp_path: Path) -> None:
    await keeps_every_promise(trio, tmp_path / "ledger", lambda: wipe_kafka(trio, away=0))


async def test_a_kafka_that_is_killed_comes_back_and_loses_nothing(laptop: Laptop, tmp_path: Path) -> None:
    await keeps_every_promise(laptop, tmp_path / "ledger", lambda: kill(laptop, "Kafka", away=0))


async def test_a_postgres_that_is_killed_comes_back_and_loses_nothing(laptop: Laptop, tmp_path: Path) -> None:
    await keeps_every_promise(laptop, tmp_path / "ledger", lambda: kill(laptop, "Postgres", away=0))


async def test_everything_that_is_killed_at_once_starts_again_and_has_lost_nothing(
    laptop: Laptop, tmp_path: Path
) -> None:
    await keeps_every_promise(laptop, tmp_path / "ledger", lambda: kill(laptop, "everything", away=0))
