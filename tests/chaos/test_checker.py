"""The checker finds each kind of broken promise in a ledger that was made up to hold it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.chaos.checker import Intake, Proposal, State, findings
from tests.chaos.ledger import Answer, Ledger, Request, read, revisions

FIRST, SECOND = UUID(int=1), UUID(int=2)
STRANGER = UUID(int=9)


def asked() -> dict[str, Request]:
    """Two intakes: the first was sent twice and then revised, the second was postponed once."""
    return {
        "one": Request("one", None, 2, [Answer(202, FIRST, 1), Answer(202, FIRST, 1)]),
        "one again": Request("one again", FIRST, 1, [Answer(202, FIRST, 2)]),
        "two": Request("two", None, 2, [Answer(503), Answer(202, SECOND, 1)]),
    }


def kept() -> State:
    """What the services hold when every promise was kept."""
    return State(
        intakes=[
            Intake(FIRST, "one", 2, "proposed", awaits_answer=False, asked_again=0),
            Intake(SECOND, "two", 1, "proposed", awaits_answer=False, asked_again=0),
        ],
        assessments=[(FIRST, 1), (FIRST, 2), (SECOND, 1)],
        proposals=[
            Proposal(FIRST, 1, "superseded"),
            Proposal(FIRST, 2, "proposed"),
            Proposal(SECOND, 1, "proposed"),
        ],
        heard=[(FIRST, 1), (FIRST, 2), (SECOND, 1)],
        waiting={"intake": 0},
    )


def test_kept_promises_give_no_finding() -> None:
    assert findings(asked(), kept()) == []


def lose_the_intake(state: State) -> None:
    del state.intakes[1]


def lose_the_revision(state: State) -> None:
    state.intakes[0] = replace(state.intakes[0], revision=1)


def accept_twice(state: State) -> None:
    state.intakes.append(replace(state.intakes[1], id=uuid4()))


def lose_the_assessment(state: State) -> None:
    state.assessments.remove((SECOND, 1))


def lose_the_recommendation(state: State) -> None:
    del state.proposals[2]


def recommend_twice(state: State) -> None:
    state.proposals.append(state.proposals[2])


def assess_an_earlier_revision_twice(state: State) -> None:
    state.assessments.append((FIRST, 1))


def let_two_recommendations_stand(state: State) -> None:
    state.proposals[0] = replace(state.proposals[0], state="proposed")


def hear_nothing(state: State) -> None:
    state.heard.remove((SECOND, 1))


def hear_twice(state: State) -> None:
    state.heard.append((SECOND, 1))


def leave_it_waiting(state: State) -> None:
    state.intakes[1] = replace(state.intakes[1], awaits_answer=True, asked_again=3)


def disagree(state: State) -> None:
    state.intakes[1] = replace(state.intakes[1], state="assessed")


def recommend_without_a_cause(state: State) -> None:
    state.proposals.append(Proposal(STRANGER, 1, "proposed"))


def assess_a_revision_nobody_submitted(state: State) -> None:
    state.assessments.append((SECOND, 2))


def bury_a_good_record(state: State) -> None:
    state.dead_letters.append(("intake", "an event"))


def leave_a_fact_unsent(state: State) -> None:
    state.waiting["intake"] = 1


@pytest.mark.parametrize(
    ("plant", "sentence"),
    [
        (lose_the_intake, f"intake {SECOND} was acknowledged and is lost"),
        (lose_the_revision, f"revision 2 of intake {FIRST} was acknowledged and is lost"),
        (accept_twice, "two became 2 intakes"),
        (lose_the_assessment, f"revision 1 of intake {SECOND} has 0 assessments"),
        (lose_the_recommendation, f"revision 1 of intake {SECOND} has 0 recommendations"),
        (recommend_twice, f"revision 1 of intake {SECOND} has 2 recommendations"),
        (assess_an_earlier_revision_twice, f"revision 1 of intake {FIRST} was worked on 2 times"),
        (let_two_recommendations_stand, f"intake {FIRST} has 2 recommendations that stand"),
        (hear_nothing, f"revision 1 of intake {SECOND} has 0 recommendations on its timeline"),
        (hear_twice, f"revision 1 of intake {SECOND} has 2 recommendations on its timeline"),
        (leave_it_waiting, f"intake {SECOND} still waits for its answer, asked again 3 times"),
        (disagree, f"intake {SECOND} is assessed at intake and proposed at recommendation"),
        (
            recommend_without_a_cause,
            f"revision 1 of intake {STRANGER} was never submitted, and yet there is work on it",
        ),
        (
            assess_a_revision_nobody_submitted,
            f"revision 2 of intake {SECOND} was never submitted, and yet there is work on it",
        ),
        (bury_a_good_record, "intake has a dead letter that nobody asked for: an event"),
        (leave_a_fact_unsent, "intake still holds 1 facts to send"),
    ],
)
def test_a_planted_loss_or_duplicate_is_found(plant: Callable[[State], None], sentence: str) -> None:
    state = kept()
    plant(state)
    assert sentence in findings(asked(), state)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([Answer(202, SECOND, 1), Answer(202, FIRST, 1)], "two was acknowledged as more than one thing"),
        ([Answer(202, SECOND, 1), Answer(500)], "two was answered 500"),
        ([Answer(503)], "two was never acknowledged in 2 attempts"),
    ],
)
def test_an_answer_that_breaks_a_promise_is_found(answers: list[Answer], sentence: str) -> None:
    requests = asked()
    requests["two"].answers[:] = answers
    assert sentence in findings(requests, kept())


def test_a_poison_record_must_be_kept_as_a_dead_letter() -> None:
    state, poison = kept(), [("assessment", "a hash")]
    assert findings(asked(), state, poison) == ["assessment dropped a record that it could not use: a hash"]
    state.dead_letters.append(("assessment", "a hash"))
    assert findings(asked(), state, poison) == []


def test_a_ledger_gives_back_what_was_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for request in asked().values():
        for _ in range(request.attempts):
            ledger.sent(request.key, request.revises)
        for answer in request.answers:
            ledger.answered(request.key, answer)
    ledger.close()
    assert read(ledger.path) == asked()
    assert revisions(read(ledger.path)) == {FIRST: 2, SECOND: 1}
