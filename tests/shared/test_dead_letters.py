import asyncio
from uuid import UUID, uuid4

from shared.kafka import Handlers, dead_letters
from shared.kafka.consumer import handle, replay
from shared.kafka.dead_letters import Arrival, DeadLetter
from shared.postgres import Connection, Database
from tests.shared.plumbing import NOW, Noted, arrival_of


class Said(Noted):
    topic = "test.said.v1"


def said(text: str = "said") -> Said:
    return Said(subject=uuid4(), version=1, time=NOW, text=text)


async def bury(database: Database, *arrivals: Arrival, detail: str = "ValueError") -> list[UUID]:
    async with database.transaction() as connection:
        for one in arrivals:
            await dead_letters.bury(connection, one, "handler", detail)
    return [letter.id for letter in await letters(database)]


async def letters(database: Database) -> list[DeadLetter]:
    async with database.connection() as connection:
        return await dead_letters.find(connection, state=None)


async def note(connection: Connection, event: Said) -> None:
    await connection.execute("insert into heard (text) values ($1)", event.text)


async def mistaken(connection: Connection, event: Said) -> None:
    await note(connection, event)
    raise KeyError(event.text)


async def heard(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [row["text"] for row in await connection.fetch("select text from heard order by seq")]


HANDLERS: Handlers = {Said: note}


async def test_a_record_is_kept_as_it_arrived(database: Database) -> None:
    one = Arrival("test.said.v1", 3, 2**40, b"\xff\0", {"note": "\\xff", "ce_id": ""}, b"\0\xfe")
    await bury(database, one)
    (letter,) = await letters(database)
    assert letter.arrival == one
    assert (letter.reason, letter.detail, letter.state, letter.attempts) == ("handler", "ValueError", "open", 1)


async def test_an_event_that_comes_again_counts_as_another_attempt(database: Database) -> None:
    event = said()
    await bury(database, arrival_of(event, offset=7), arrival_of(event, offset=8), arrival_of(said()))
    assert [letter.attempts for letter in await letters(database)] == [2, 1]


async def test_without_an_event_id_the_bytes_tell_records_apart(database: Database) -> None:
    event = said()
    nameless = arrival_of(event, ce_id=b"seven")
    other_value = Arrival(nameless.topic, 0, 9, nameless.key, nameless.headers, b"other")
    other_key = Arrival(nameless.topic, 0, 9, b"other", nameless.headers, nameless.value)
    await bury(database, nameless, arrival_of(event, offset=9, ce_id=b"seven"), other_value, other_key)
    assert [letter.attempts for letter in await letters(database)] == [2, 1, 1]


async def test_one_fingerprint_is_one_kind_of_failure(database: Database) -> None:
    await bury(database, arrival_of(said()), arrival_of(said()), detail="ValueError")
    await bury(database, arrival_of(said()), detail="KeyError")
    first, second, other = await letters(database)
    assert first.fingerprint == second.fingerprint != other.fingerprint
    async with database.connection() as connection:
        assert await dead_letters.find(connection, fingerprint=first.fingerprint) == [first, second]


async def test_the_reason_for_an_unreadable_record_quotes_nothing_of_it(database: Database) -> None:
    value = b'{"subject": "canary", "version": "canary", "time": 1}'
    one = arrival_of(said())
    async with database.transaction() as connection:
        await handle(connection, [Arrival(one.topic, 0, 7, one.key, one.headers, value)], HANDLERS)
    (letter,) = await letters(database)
    assert (letter.reason, letter.detail) == ("content", "version: int_parsing")


async def test_a_replayed_letter_is_handled_and_settled_in_one_transaction(database: Database) -> None:
    (one,) = await bury(database, arrival_of(said("at last")))
    assert await replay(database, one, HANDLERS, by="an admin") is None
    assert await heard(database) == ["at last"]
    (letter,) = await letters(database)
    assert letter.state == "replayed"


async def test_a_letter_is_replayed_once_whoever_asks(database: Database) -> None:
    (one,) = await bury(database, arrival_of(said("once")))
    answers = await asyncio.gather(*(replay(database, one, HANDLERS, by="an admin") for _ in range(5)))
    assert sorted(answers, key=str) == [None, *4 * ["it is not open any more"]]
    assert await heard(database) == ["once"]


async def test_a_replay_that_fails_again_stays_open_and_changes_nothing_else(database: Database) -> None:
    (one,) = await bury(database, arrival_of(said()), detail="ValueError")
    assert await replay(database, one, {Said: mistaken}, by="an admin") == "handler: KeyError"
    assert await heard(database) == []
    (letter,) = await letters(database)
    assert (letter.state, letter.attempts, letter.detail) == ("open", 2, "KeyError")
    assert await replay(database, one, HANDLERS, by="an admin") is None


async def test_a_replay_of_what_cannot_be_read_says_why(database: Database) -> None:
    (one,) = await bury(database, arrival_of(said(), ce_type=b"test.another.v1"))
    reason = await replay(database, one, HANDLERS, by="an admin")
    assert reason == "type: ce_type 'test.another.v1' is not read from topic test.said.v1"


async def test_a_discarded_letter_stays_aside_even_if_it_comes_again(database: Database) -> None:
    one = arrival_of(said())
    (letter_id,) = await bury(database, one)
    async with database.transaction() as connection:
        await dead_letters.settle(connection, letter_id, "discarded", "an admin")
    assert await replay(database, letter_id, HANDLERS, by="an admin") == "it is not open any more"
    await bury(database, one)
    (letter,) = await letters(database)
    assert (letter.state, letter.attempts) == ("discarded", 2)
    async with database.connection() as connection:
        assert await dead_letters.count_open(connection) == 0


async def test_a_replayed_letter_that_fails_anew_is_open_again(database: Database) -> None:
    one = arrival_of(said())
    (letter_id,) = await bury(database, one)
    assert await replay(database, letter_id, HANDLERS, by="an admin") is None
    await bury(database, one)
    async with database.connection() as connection:
        assert await dead_letters.count_open(connection) == 1
