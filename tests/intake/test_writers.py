"""The draft algorithm among several writers at once: windows that type, lines that lose, repeat and reorder."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.drafts import NOTHING, Entry, later

FIELD = "deadline"
VALUES = st.sampled_from(["none", "wished", "firm", "immovable"])
WINDOWS = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("type"), WINDOWS, VALUES),
        st.tuples(st.just("send"), WINDOWS, st.booleans()),
        st.tuples(st.just("arrive"), st.integers(0, 50), st.booleans()),
        st.tuples(st.just("answer"), st.integers(0, 50), st.just(None)),
    ),
    max_size=40,
)


@dataclass
class Window:
    """What a page's script keeps of one field: the entry it last heard of, what is typed, and what is on its way."""

    seen: Entry = NOTHING
    typed: str = ""
    unanswered: set[str] = field(default_factory=set)
    told: list[tuple[str, str]] = field(default_factory=list)

    def saving(self) -> Entry | None:
        if self.typed == self.seen.value:
            return None
        self.unanswered.add(self.typed)
        return Entry(self.typed, self.seen.seq + 1)

    def hear(self, held: Entry) -> None:
        if held.seq <= self.seen.seq:
            return
        is_mine = held.seq == self.seen.seq + 1 and held.value in self.unanswered
        self.seen, self.unanswered = held, set()
        if not is_mine and held.value != self.typed:
            self.told.append((held.value, self.typed))
            self.typed = held.value


@dataclass
class Server:
    held: Entry = NOTHING

    def save(self, given: Entry, seen: Entry) -> Entry:
        taken = later({FIELD: self.held}, {FIELD: given})
        if taken:
            assert seen == self.held, "only what the writer has seen is replaced"
            self.held = taken[FIELD]
        return self.held


@given(STEPS)
def test_no_answer_is_overwritten_unseen_and_no_window_keeps_a_wrong_one(
    steps: list[tuple[str, int, str | bool | None]],
) -> None:
    server, windows = Server(), [Window(), Window(), Window()]
    requests: list[tuple[Window, Entry, Entry]] = []
    answers: list[tuple[Window, Entry]] = []
    for step, number, more in steps:
        if step == "type":
            windows[number].typed = str(more)
        elif step == "send":
            window = windows[number]
            if (given := window.saving()) and more:
                requests.append((window, given, window.seen))
        elif step == "arrive" and requests:
            window, given, seen = requests[number % len(requests)]
            if more:
                requests.remove((window, given, seen))
            answers.append((window, server.save(given, seen)))
        elif step == "answer" and answers:
            window, held = answers[number % len(answers)]
            window.hear(held)
    for window in windows * 3:
        while given := window.saving():
            window.hear(server.save(given, window.seen))
    for window in windows:
        window.hear(server.held)
        assert (window.typed, window.seen) == (server.held.value, server.held)
