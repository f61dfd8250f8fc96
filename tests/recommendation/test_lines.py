"""Editing the lines of a blueprint: beside what the rules say, until the document is out."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from services.recommendation.domain import document
from services.recommendation.domain.blueprint import Blueprint, Edit, Line, Section
from services.recommendation.domain.blueprint_rules import Point, Risk, Says
from services.recommendation.domain.lines import (
    EditRequest,
    NotEditable,
    NothingEdited,
    UnknownLine,
    edit,
    edited,
    of_section,
)
from services.recommendation.domain.review import Case, Reviewer, StaleVersion
from services.recommendation.store import documents
from shared.contracts.assessment import AssessmentCompleted, VersionHash
from shared.contracts.intake import IntakeErased
from shared.contracts.recommendation import ProposalState
from shared.postgres import Database
from shared.questionnaire import PUBLISHED
from tests.assessment.archetypes import SAAS_SCALE_UP
from tests.recommendation.conftest import SignIn
from tests.recommendation.situations import NOW, completed, hear
from tests.recommendation.test_reviews_pages import as_read, read

ANNA, BORIS = Reviewer(uuid7(), "Anna Berg"), Reviewer(uuid7(), "Boris Vidal")
ROADMAP = "lines/responsibilities/roadmap"
VERSION = VersionHash(version="1", hash="")


def risk(name: str, level: Any = "watch") -> Risk:
    return Risk(risk=name, sign="Late", owner="lead", response="Ask", level=level)


def line(line_id: str, says: Says, rule: str | None = None) -> Line:
    return Line(id=line_id, rule=rule or line_id, answers={}, company={}, says=says)


MACHINE = Blueprint(
    model="dedicated_team",
    structure="separate",
    sections=(
        Section(
            id="why",
            kind="point",
            title="Why",
            lines=(
                line("purpose", Point(title="Purpose", text="It grows.")),
                line("scope", Point(title="S", text="T")),
            ),
        ),
        Section(id="risks", kind="risk", title="Risks", lines=(line("churn", risk("Churn", "raised")),)),
    ),
    rules=VERSION,
    playbook=VERSION,
    questionnaire=VERSION,
)


class Desk:
    """A case whose blueprint is edited step by step."""

    def __init__(self, state: ProposalState = "proposed") -> None:
        self.case = Case(uuid7(), 1, 1, state, "dedicated_team", "monthly_team", PUBLISHED, {}, None, None)
        self.edits: list[Edit] = []

    @property
    def blueprint(self) -> Blueprint:
        return edited(MACHINE, self.edits, self.case.revision)

    def seen(self, line_id: str) -> int:
        return max((one.version for one in self.edits if one.line == line_id), default=0)

    def ask(self, action: Any, section: str, line_id: str | None, says: Says | None = None, **more: int) -> Edit:
        seen = self.case.version if line_id is None else self.seen(line_id)
        asked = EditRequest(action, section, line_id, more.get("seen", seen), says)
        made = edit(self.case, self.blueprint, self.edits, asked, by=ANNA, now=NOW)
        self.edits.append(made)
        self.case = replace(self.case, version=made.version)
        return made

    def lines(self, section: str) -> list[tuple[str, Says]]:
        return [(one.id, one.says) for one in of_section(self.blueprint, section).lines]


def test_a_changed_line_says_the_new_words_beside_those_of_its_rule() -> None:
    desk, words = Desk(), Point(title="Purpose", text="It shrinks.")
    made = desk.ask("change", "why", "purpose", words)
    assert (made.said, made.says, made.rule, made.by) == (MACHINE.sections[0].lines[0].says, words, "purpose", ANNA)
    changed = of_section(desk.blueprint, "why").lines[0]
    assert (changed.says, changed.rule_says, changed.edit) == (words, MACHINE.sections[0].lines[0].says, made)


def test_a_dropped_line_leaves_the_section_and_can_be_put_back_in_other_words() -> None:
    desk, words = Desk(), Point(title="S", text="Less of it.")
    desk.ask("drop", "why", "scope")
    assert [one.id for one in of_section(desk.blueprint, "why").dropped] == ["scope"]
    assert [one for one, _ in desk.lines("why")] == ["purpose"]
    with pytest.raises(NothingEdited):
        desk.ask("drop", "why", "scope")
    desk.ask("change", "why", "scope", words)
    assert desk.lines("why")[1] == ("scope", words)


def test_an_added_line_can_itself_be_changed_dropped_and_taken_back() -> None:
    desk = Desk()
    added = desk.ask("add", "risks", None, risk("Strikes", "high"))
    assert desk.lines("risks")[0] == (added.line, risk("Strikes", "high")), "the worst risk stands first"
    desk.ask("change", "risks", added.line, risk("Long strikes", "watch"))
    assert desk.lines("risks")[1] == (added.line, risk("Long strikes", "watch"))
    desk.ask("drop", "risks", added.line)
    assert [one.id for one in of_section(desk.blueprint, "risks").dropped] == [added.line]
    for expected in (risk("Long strikes", "watch"), risk("Strikes", "high")):
        desk.ask("undo", "risks", added.line)
        assert (added.line, expected) in desk.lines("risks")
    desk.ask("undo", "risks", added.line)
    assert desk.blueprint == MACHINE


steps = st.lists(
    st.tuples(
        st.sampled_from(["change", "drop", "undo"]),
        st.sampled_from(["purpose", "scope"]),
        st.sampled_from("abc").map(lambda text: Point(title="P", text=text)),
    ),
    max_size=12,
)


@given(steps)
def test_nothing_is_lost_and_all_of_it_can_be_taken_back_step_by_step(asked: list[tuple[Any, str, Point]]) -> None:
    desk = Desk()
    seen: dict[str, list[Blueprint]] = {"purpose": [], "scope": []}
    for action, line_id, words in asked:
        before = of_section(desk.blueprint, "why")
        try:
            desk.ask(action, "why", line_id, words if action == "change" else None)
        except NothingEdited:
            assert of_section(desk.blueprint, "why") == before
            continue
        seen[line_id].pop() if action == "undo" else seen[line_id].append(desk.blueprint)
    assert [one.version for one in desk.edits] == list(range(2, len(desk.edits) + 2))
    for line_id, left in seen.items():
        for _ in left:
            desk.ask("undo", "why", line_id)
        with pytest.raises(NothingEdited):
            desk.ask("undo", "why", line_id)
    assert desk.blueprint == MACHINE


def test_of_two_who_edit_a_line_the_second_is_refused_and_another_line_is_free() -> None:
    desk = Desk()
    desk.ask("change", "why", "purpose", Point(title="Purpose", text="Mine."))
    with pytest.raises(StaleVersion):
        desk.ask("change", "why", "purpose", Point(title="Purpose", text="No, mine."), seen=0)
    with pytest.raises(StaleVersion):
        desk.ask("add", "why", None, Point(title="One", text="More"), seen=1)
    desk.ask("change", "why", "scope", Point(title="S", text="Free."), seen=0)


@pytest.mark.parametrize("state", ["released", "accepted", "declined", "expired", "superseded", "withdrawn"])
def test_nothing_is_edited_once_the_document_is_out_or_the_request_closed(state: ProposalState) -> None:
    with pytest.raises(NotEditable, match=state):
        Desk(state).ask("drop", "why", "scope")


def test_whoever_took_the_answers_down_edits_until_somebody_else_has_decided() -> None:
    desk = Desk()
    desk.case = replace(desk.case, authors=frozenset({ANNA.id}))
    desk.ask("drop", "why", "scope")
    desk.case = replace(desk.case, state="approved")
    with pytest.raises(NotEditable, match="you took the answers down"):
        desk.ask("undo", "why", "scope")
    desk.case = replace(desk.case, authors=frozenset())
    desk.ask("undo", "why", "scope")


def test_a_line_or_section_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownLine):
        Desk().ask("drop", "why", "nothing")
    with pytest.raises(UnknownLine):
        Desk().ask("add", "nowhere", None, Point(title="One", text="More"))


def test_edits_of_an_earlier_revision_or_of_another_rule_are_set_aside() -> None:
    desk = Desk()
    dropped, changed = desk.ask("drop", "why", "scope"), desk.ask("change", "risks", "churn", risk("Calm"))
    assert edited(MACHINE, desk.edits, 2) == MACHINE.model_copy(update={"set_aside": (dropped, changed)})
    other = MACHINE.model_copy(
        update={
            "sections": (
                MACHINE.sections[0],
                MACHINE.sections[1].model_copy(update={"lines": (line("churn", risk("C"), "x"),)}),
            )
        }
    )
    found = edited(other, desk.edits, 1)
    assert found.set_aside == (changed,)
    assert [one.id for one in of_section(found, "why").dropped] == ["scope"]


def test_the_document_says_what_stands_and_a_risk_that_a_person_added_is_always_among_it() -> None:
    machine = MACHINE.model_copy(
        update={
            "sections": (
                MACHINE.sections[0].model_copy(update={"lines": MACHINE.sections[0].lines[:1]}),
                MACHINE.sections[1].model_copy(update={"lines": tuple(line(f"r{n}", risk(f"R{n}")) for n in range(8))}),
            )
        }
    )
    desk = Desk()
    made = [
        edit(desk.case, machine, [], EditRequest("drop", "why", "purpose", 0), by=ANNA, now=NOW),
        replace(
            edit(desk.case, machine, [], EditRequest("add", "risks", None, 1, risk("Mine")), by=ANNA, now=NOW),
            version=3,
        ),
    ]
    (risks,) = document._parts(edited(machine, made, 1))
    assert risks.table is not None
    assert [row[0] for row in risks.table.rows] == [*(f"R{n}" for n in range(document.RISKS)), "Mine"]


@pytest.fixture
async def event(database: Database) -> AssessmentCompleted:
    event = completed(SAAS_SCALE_UP)
    await hear(database, event)
    return event


RESPONSIBILITY = {
    "activity": "Keep the {roadmap}",
    "accountable": "managing director",
    "responsible": "product manager\n\n team lead ",
    "consulted": "",
    "informed": "sponsor",
}


async def stored(client: httpx2.AsyncClient, intake_id: UUID) -> Blueprint:
    answer = await client.get(f"/api/recommendation/intakes/{intake_id}/blueprint")
    return Blueprint.model_validate(answer.json())


async def test_an_account_manager_edits_lines_and_the_client_reads_what_stands(
    event: AssessmentCompleted, database: Database, sign_in: SignIn
) -> None:
    anna, boris = sign_in("account_manager"), sign_in("account_manager", name="Boris Vidal")
    case = f"/reviews/{event.intake_id}"
    page = await read(anna, f"{case}/{ROADMAP}")
    assert "Change this line" in page
    refused = await anna.post(f"{case}/{ROADMAP}", data={**RESPONSIBILITY, "responsible": " ", "seen": 0})
    assert refused.status_code == 422
    assert "Write something here." in as_read(refused)
    assert (await anna.post(f"{case}/{ROADMAP}", data={**RESPONSIBILITY, "seen": 0})).status_code == 303
    late = await boris.post(f"{case}/{ROADMAP}", data={**RESPONSIBILITY, "accountable": "sponsor", "seen": 0})
    assert late.status_code == 409
    assert "Somebody was faster" in as_read(late)
    assert "Anna Berg changed it" in as_read(late)
    assert ">sponsor</textarea>" in late.text
    stale = await boris.post(f"{case}/approve", data={"version": 1})
    assert stale.status_code == 409, "a decision is on the lines that its maker has read"
    risks = {"risk": "A strike", "sign": "Talks fail", "owner": "sponsor", "response": "Wait", "level": "high"}
    await boris.post(f"{case}/lines/risks", data={**risks, "seen": 2})
    await boris.post(f"{case}/lines/risks/scope_creep/drop", data={"seen": 0})
    blueprint = await stored(anna, event.intake_id)
    changed = next(one for one in of_section(blueprint, "responsibilities").lines if one.id == "roadmap")
    assert changed.edit is not None
    assert changed.edit.by.name == "Anna Berg"
    assert changed.rule_says == changed.edit.said
    page = await read(anna, case)
    for words in ("Keep the {roadmap}", "Changed by Anna Berg", "Added by Boris Vidal", "Dropped", "The rule says:"):
        assert words in page
    await anna.post(f"{case}/approve", data={"version": 4})
    assert "2 lines were changed or added by a person, and 1 was dropped" in await read(anna, f"{case}/draft")
    await boris.post(f"{case}/lines/risks/scope_creep/undo", data={"seen": 4})
    await anna.post(f"{case}/release", data={"version": 6})
    closed = await boris.post(f"{case}/lines/risks/scope_creep/drop", data={"seen": 6})
    assert closed.status_code == 409
    assert "Change or drop it" not in (await boris.get(case)).text
    async with database.connection() as connection:
        content = await connection.fetchval("select content from document_content")
        (shelf,) = await documents.shelf(connection, event.intake_id)
    assert document.sha256(content) == shelf.document.hash
    rows = [row for part in json.loads(content)["sections"] for row in (part["table"] or {"rows": []})["rows"]]
    assert ["Keep the {roadmap}", "Managing director", "Product manager, team lead", "Nobody", "Sponsor"] in rows
    assert any(row[0] == "A strike (high)" for row in rows)
    assert "Berg" not in json.dumps(rows)


async def test_edits_stay_when_the_case_moves_on_and_are_emptied_by_erasure(
    event: AssessmentCompleted, database: Database, sign_in: SignIn, connect_as_owner: asyncpg.Connection
) -> None:
    client = sign_in("account_manager")
    case = f"/reviews/{event.intake_id}"
    await client.post(f"{case}/{ROADMAP}", data={**RESPONSIBILITY, "seen": 0})
    await hear(database, completed(SAAS_SCALE_UP, intake_id=event.intake_id, revision=2))
    assert "Edits that were not carried over" in await read(client, case)
    blueprint = await stored(client, event.intake_id)
    assert [one.line for one in blueprint.set_aside] == ["roadmap"]
    assert not [one for part in blueprint.sections for one in part.lines if one.edit]
    table = await read(client, "/reviews/lines")
    assert "Roadmap" in table
    assert "1 1 0 0 0" in table
    for statement in ("update line_edit set editor_name = 'Nobody'", "delete from line_edit"):
        async with database.connection() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    await hear(database, IntakeErased(intake_id=event.intake_id, version=3, time=NOW))
    kept = await connect_as_owner.fetch("select said, says, editor_name from recommendation.line_edit")
    assert [tuple(row) for row in kept] == [(None, None, "Anna Berg")]
    await read(client, case)
    assert (await client.post(f"{case}/{ROADMAP}/undo", data={"seen": 2})).status_code == 404


async def test_sales_read_edits_and_make_none(event: AssessmentCompleted, sign_in: SignIn) -> None:
    client = sign_in("sales")
    assert (await client.post(f"/reviews/{event.intake_id}/{ROADMAP}/drop", data={"seen": 0})).status_code == 403
    assert "Change or drop it" not in (await client.get(f"/reviews/{event.intake_id}")).text
    assert "when somebody edits" in await read(client, "/reviews/lines")
