"""Which rubric a history puts in force, who may add to it, and what a step back undoes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.activations import (
    Kind,
    NotAnOwner,
    NothingBefore,
    NothingToTakeBack,
    Person,
    SamePerson,
    Signed,
    Step,
    agreed,
    already,
    in_force,
    standing,
    state,
    taken_back,
)

START = datetime(2026, 11, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def step(number: int, rubric: str, begins: int, kind: Kind = "published", undoes: int | None = None) -> Step:
    return Step(
        number,
        kind,
        rubric,
        "2026-11",
        rubric * 8,
        day(begins),
        day(begins),
        undoes,
        "Anna Berg",
        "Ida Ott",
        "Because.",
    )


def undoing(number: int, undone: Step, at: int) -> Step:
    return step(number, undone.rubric, at, "rolled_back", undone.id)


A = step(1, "a", 0, "packaged")
B = step(2, "b", 2)
C = step(3, "c", 4)


@pytest.mark.parametrize(
    ("history", "at", "expected"),
    [
        ([], 9, None),
        ([A], 0, "a"),
        ([A, B], 1, "a"),
        ([A, B], 2, "b"),
        ([A, B, C], 9, "c"),
        ([A, C, step(4, "d", 3)], 3, "d"),
        ([A, C, step(4, "d", 3)], 4, "c"),
        ([A, B, step(3, "c", 2)], 2, "c"),
        ([A, B, undoing(3, B, 3)], 3, "a"),
        ([A, B, C, undoing(4, C, 5)], 5, "b"),
        ([A, B, C, undoing(4, C, 5), undoing(5, B, 6)], 6, "a"),
        ([A, B, undoing(3, B, 3), step(4, "b", 5)], 5, "b"),
        ([A, C, undoing(4, C, 1)], 9, "a"),
    ],
)
def test_the_rubric_in_force_is_the_latest_begun_that_was_not_taken_back(
    history: list[Step], at: int, expected: str | None
) -> None:
    found = in_force(history, day(at))
    assert (found and found.rubric) == expected


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=6), st.integers(0, 6))
def test_a_step_back_changes_what_is_in_force_only_to_what_was_before(begun: list[tuple[str, int]], at: int) -> None:
    history = [A, *(step(number, rubric, begins) for number, (rubric, begins) in enumerate(begun, start=2))]
    present = in_force(history, day(at))
    assert present is not None
    others = [one for one in history if one != present]
    if in_force(others, day(at)) is None:
        with pytest.raises(NothingBefore):
            taken_back(history, None, day(at))
    else:
        undone = taken_back(history, None, day(at))
        assert undone == present
        assert in_force([*history, undoing(99, undone, at)], day(at)) == in_force(others, day(at))


def test_each_step_back_goes_one_further() -> None:
    history = [A, B, C]
    for expected in ("b", "a"):
        history.append(undoing(len(history) + 1, taken_back(history, None, day(9)), 9))
        found = in_force(history, day(9))
        assert found is not None
        assert found.rubric == expected
    with pytest.raises(NothingBefore):
        taken_back(history, None, day(9))


def test_a_version_that_is_due_can_be_taken_back_while_the_present_one_stays() -> None:
    history = [A, B, C]
    assert taken_back(history, "c", day(3)) == C
    assert in_force([*history, undoing(4, C, 3)], day(9)) == B
    assert taken_back(history, "b", day(3)) == B


@pytest.mark.parametrize("version", ["a", "d"])
def test_a_version_that_was_replaced_or_never_was_is_not_taken_back(version: str) -> None:
    with pytest.raises(NothingToTakeBack):
        taken_back([A, B], version, day(3))


def test_a_questionnaire_without_rubrics_has_nothing_to_take_back() -> None:
    with pytest.raises(NothingToTakeBack):
        taken_back([], None, day(0))


def test_a_version_is_already_there_only_while_it_is_in_force_or_due() -> None:
    history = [A, B, C]
    assert [already(history, version, day(3)) for version in "abc"] == [None, B, C]
    assert already([*history, undoing(4, B, 3)], "b", day(3)) is None


def test_the_list_says_of_each_step_how_it_stands() -> None:
    back = undoing(4, B, 3)
    history = [A, B, C, back, step(5, "d", 3)]
    assert [state(one, history, day(3)) for one in history] == ["replaced", "taken back", "due", None, "in force"]
    assert [one.rubric for one in standing(history)] == ["a", "d", "c"]


ANNA = Person(uuid4(), "Anna Berg", ("sales", "rubric_owner"), active=True)
IDA = Person(uuid4(), "Ida Ott", ("rubric_owner",), active=True)


def test_two_people_who_look_after_rubrics_can_take_a_step() -> None:
    agreed(Signed(ANNA, IDA, None))


@pytest.mark.parametrize(
    ("author", "signer", "refusal"),
    [
        (ANNA, ANNA, SamePerson),
        (ANNA, Person(IDA.id, IDA.name, ("admin", "sales", "account_manager"), active=True), NotAnOwner),
        (Person(ANNA.id, ANNA.name, (), active=True), IDA, NotAnOwner),
        (ANNA, Person(IDA.id, IDA.name, IDA.roles, active=False), NotAnOwner),
    ],
)
def test_nobody_signs_alone_or_without_looking_after_rubrics(
    author: Person, signer: Person, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        agreed(Signed(author, signer, None))
