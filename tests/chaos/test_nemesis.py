from itertools import islice

from tests.chaos.nemesis import schedule

NAMES = ["kill intake", "kill Kafka", "wipe Kafka's data"]


def test_a_seed_gives_the_same_schedule_whatever_order_the_faults_are_named_in() -> None:
    assert list(islice(schedule(7, NAMES), 10)) == list(islice(schedule(7, NAMES[::-1]), 10))


def test_another_seed_gives_another_schedule() -> None:
    assert len({tuple(islice(schedule(seed, NAMES), 10)) for seed in range(5)}) == 5


def test_every_fault_comes_before_any_comes_again() -> None:
    faults = [strike.fault for strike in islice(schedule(1, NAMES), 6)]
    assert sorted(faults[:3]) == sorted(faults[3:]) == sorted(NAMES)
