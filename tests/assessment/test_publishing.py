"""Publishing and going back on a real database, by the commands and beneath them."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.assessment import handlers, store
from services.assessment.domain.activations import (
    BegunAlready,
    NothingBefore,
    Person,
    Signed,
    Step,
    VersionTaken,
    in_force,
)
from services.assessment.domain.rubric import Rubric, parse
from services.laptop import PACKAGES
from shared import postgres
from shared.postgres import Database
from shared.service import Settings
from tests.assessment.commands import Operator, draft
from tests.assessment.published import QUESTIONNAIRE
from tests.assessment.test_edges import hear, submitted

OWNERS = Signed(
    Person(uuid4(), "Anna Berg", ("rubric_owner",), active=True),
    Person(uuid4(), "Ida Ott", ("rubric_owner",), active=True),
    "Shorter work counts more.",
)
VERSION = QUESTIONNAIRE.version


async def publish(rubrics: Database, text: str, active_from: datetime | None = None) -> tuple[Step, bool]:
    rubric: Rubric = parse(text, QUESTIONNAIRE)
    return await handlers.publish(rubrics, rubric, text, OWNERS, active_from)


async def version_at(rubrics: Database, at: datetime) -> str:
    async with rubrics.connection() as connection:
        found = await store.rubric_in_force(connection, VERSION, at)
        assert found is not None
        return (await handlers.rubric(connection, found)).version


async def test_a_rubric_comes_into_force_at_its_time_and_not_before(rubrics: Database) -> None:
    now = datetime.now(UTC)
    await publish(rubrics, draft("next"), now + timedelta(days=2))
    await publish(rubrics, draft("sooner"), now + timedelta(days=1))
    found = [await version_at(rubrics, now + timedelta(hours=hours)) for hours in (0, 23, 25, 47, 49)]
    assert found == [VERSION, VERSION, "sooner", "sooner", "next"]


async def test_the_database_and_the_history_agree_on_what_is_in_force(rubrics: Database) -> None:
    now = datetime.now(UTC)
    await publish(rubrics, draft("second"))
    await publish(rubrics, draft("third"), now + timedelta(days=1))
    await publish(rubrics, draft("fourth"), now + timedelta(days=2))
    await publish(rubrics, draft("fifth"), now + timedelta(days=1))
    await handlers.roll_back(rubrics, VERSION, "fourth", OWNERS)
    await handlers.roll_back(rubrics, VERSION, None, OWNERS)
    async with rubrics.connection() as connection:
        history = await store.history(connection, VERSION)
        for moment in (step.active_from + timedelta(seconds=late) for step in history for late in (-1, 0, 1)):
            found = in_force(history, moment)
            assert await store.rubric_in_force(connection, VERSION, moment) == (found and found.hash)


async def test_a_new_rubric_scores_what_comes_and_leaves_what_was(rubrics: Database) -> None:
    before, after, later = submitted(uuid4()), submitted(uuid4()), submitted(uuid4())
    await hear(rubrics, before)
    await publish(rubrics, draft("next"))
    await hear(rubrics, after)
    await handlers.roll_back(rubrics, VERSION, None, OWNERS)
    await hear(rubrics, later)
    async with rubrics.connection() as connection:
        rows = await connection.fetch(
            "select intake_id, rubric, assessment -> 'rubric' ->> 'version' said from assessment"
        )
    versions: dict[UUID, tuple[str, str]] = {row["intake_id"]: (row["rubric"], row["said"]) for row in rows}
    assert [versions[fact.intake_id] for fact in (before, after, later)] == [
        (VERSION, VERSION),
        ("next", "next"),
        (VERSION, VERSION),
    ]


async def test_a_rubric_that_was_hashed_differently_once_scores_all_the_same(rubrics: Database) -> None:
    rubric = parse(draft("earlier"), QUESTIONNAIRE)
    rubric.__dict__["hash"] = "as it was hashed then"
    await handlers.publish(rubrics, rubric, draft("earlier"), OWNERS, None)
    async with asyncio.timeout(20):
        await hear(rubrics, first := submitted(uuid4()))
        await hear(rubrics, second := submitted(uuid4()))
    async with rubrics.connection() as connection:
        for event in (first, second):
            stored = await store.current_assessment(connection, event.intake_id)
            assert stored is not None
            assert stored["rubric"]["version"] == "earlier"


async def test_the_same_content_again_changes_nothing_and_other_content_is_refused(rubrics: Database) -> None:
    first, was_new = await publish(rubrics, draft("next"))
    assert (await publish(rubrics, draft("next")), was_new) == ((first, False), True)
    with pytest.raises(VersionTaken):
        await publish(rubrics, draft("next", clear=26))
    async with rubrics.connection() as connection:
        assert len(await store.history(connection, VERSION)) == 2


async def test_what_was_taken_back_can_be_published_again(rubrics: Database) -> None:
    await publish(rubrics, draft("next"))
    await handlers.roll_back(rubrics, VERSION, None, OWNERS)
    assert await version_at(rubrics, datetime.now(UTC)) == VERSION
    assert (await publish(rubrics, draft("next")))[1]
    assert await version_at(rubrics, datetime.now(UTC)) == "next"


async def test_nothing_is_put_in_force_from_a_time_that_has_passed(rubrics: Database) -> None:
    with pytest.raises(BegunAlready):
        await publish(rubrics, draft("next"), datetime.now(UTC) - timedelta(minutes=1))


async def test_the_first_rubric_has_none_before_it(rubrics: Database) -> None:
    with pytest.raises(NothingBefore):
        await handlers.roll_back(rubrics, VERSION, None, OWNERS)


@pytest.mark.parametrize("statement", ["update rubric set content = ''", "delete from activation"])
async def test_the_database_refuses_to_change_what_was_published(rubrics: Database, statement: str) -> None:
    async with rubrics.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_of_two_who_publish_one_version_at_once_one_is_refused(rubrics: Database) -> None:
    answers = await asyncio.gather(
        *(publish(rubrics, draft("next", clear)) for clear in (25, 26)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["VersionTaken", "tuple"]


async def test_of_many_who_publish_the_same_at_once_one_takes_the_step(rubrics: Database) -> None:
    answers = await asyncio.gather(*(publish(rubrics, draft("next")) for _ in range(5)))
    assert sorted(is_new for _, is_new in answers) == [False] * 4 + [True]
    assert len({step for step, _ in answers}) == 1


async def test_of_two_who_go_back_at_once_each_goes_one_step(rubrics: Database) -> None:
    for version in ("second", "third"):
        await publish(rubrics, draft(version))
    await asyncio.gather(*(handlers.roll_back(rubrics, VERSION, None, OWNERS) for _ in range(2)))
    assert await version_at(rubrics, datetime.now(UTC)) == VERSION


async def test_an_operator_publishes_goes_back_and_sees_who_did_what(operator: Operator) -> None:
    people = ("--author", "anna berg", "--signer", "IDA@example.com")
    published = await operator("publish", operator.file(draft("next")), *people, "--reason", "Firmer words.")
    assert (published.returncode, published.stderr) == (0, "")
    assert published.stdout.startswith("Rubric next is in force from ")
    assert published.stdout.endswith(f" for questionnaire {VERSION}. Written by Anna Berg, signed by Ida Ott.\n")
    again = await operator("publish", operator.file(draft("next")), *people)
    assert (again.returncode, again.stdout[:38]) == (0, "Nothing to do: rubric next is in force")
    later = await operator("publish", operator.file(draft("later", 30)), *people, "--from", "2999-01-01T00:00:00Z")
    assert later.stdout.startswith(
        f"Rubric later comes into force from 2999-01-01 00:00:00 UTC for questionnaire {VERSION}."
    )
    back = await operator("rollback", *people, "--reason", "Too many calls.")
    assert back.stdout == (
        f"Rubric next is taken back. Rubric {VERSION} is in force for {VERSION}.\n"
        "Rubric later still comes into force from 2999-01-01 00:00:00 UTC.\n"
    )
    listed = json.loads((await operator("list", "--json")).stdout)
    assert [
        (row["version"], row["step"], row["state"], row["author"], row["signer"], row["reason"]) for row in listed
    ] == [
        ("next", "rolled_back", None, "Anna Berg", "Ida Ott", "Too many calls."),
        ("later", "published", "due", "Anna Berg", "Ida Ott", None),
        ("next", "published", "taken back", "Anna Berg", "Ida Ott", "Firmer words."),
        (VERSION, "packaged", "in force", None, None, None),
        ("2026-11", "packaged", "in force", None, None, None),
    ]
    in_words = (await operator("list")).stdout.splitlines()
    assert [line.split()[0] for line in in_words] == ["rollback", "due", "taken", "in", "in"]


@pytest.mark.parametrize(
    ("author", "signer", "sentence"),
    [
        ("anna@example.com", "anna berg", "Anna Berg cannot sign their own work. Name somebody else as signer."),
        (
            "anna@example.com",
            "Ida Ott",
            "2 people are called Ida Ott. Use an e-mail address: ida@example.com or ida.ott@example.com.",
        ),
        (
            "anna@example.com",
            "ida.ott@example.com",
            "Ida Ott has no active account with the role rubric_owner. Name somebody who has, or give the role.",
        ),
        (
            "anna@example.com",
            "ole@example.com",
            "Nobody with an account is called ole@example.com. Check the name, or use the e-mail address.",
        ),
    ],
)
async def test_a_publication_that_is_refused_says_what_to_do(
    operator: Operator, author: str, signer: str, sentence: str
) -> None:
    ended = await operator("publish", operator.file(draft("next")), "--author", author, "--signer", signer)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"advisor: {sentence}\n")


async def test_a_login_that_may_not_see_accounts_is_told_which_one_to_use(
    operator: Operator, settings: Settings
) -> None:
    url = settings.database_url.get_secret_value()
    await postgres.migrate(url, PACKAGES, {"assessment": "a password for tests"})
    address = urlsplit(url)
    login = f"advisor_assessment:a%20password%20for%20tests@{address.hostname or ''}"
    own = address._replace(netloc=f"{login}:{address.port}" if address.port else login).geturl()
    limited = replace(operator, environment=operator.environment | {"ADVISOR_DATABASE_URL": own})
    people = ("--author", "anna berg", "--signer", "ida@example.com")
    ended = await limited("rollback", *people, "--reason", "Too many calls.")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Use the owner's, as `advisor migrate` does." in ended.stderr
    assert "in force" in (await limited("list")).stdout


async def test_a_rubric_that_does_not_pass_is_not_published(operator: Operator, rubrics: Database) -> None:
    text = draft("next").replace("weight_bp: 597", "weight_bp: 596")
    ended = await operator("publish", operator.file(text), "--author", "anna berg", "--signer", "ida@example.com")
    assert ended.returncode == 1
    assert "the weights add up to 9999, not to 10000" in ended.stdout
    async with rubrics.connection() as connection:
        assert await connection.fetchval("select count(*) from rubric where questionnaire = $1", VERSION) == 1
