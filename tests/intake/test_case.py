"""What staff do about a case: owning it, notes, corrections, and its end."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from services.intake import handlers
from services.intake.domain.ownership import (
    MAX_REASON,
    Absence,
    OwnedMeanwhile,
    ReasonNeeded,
    ReasonTooLong,
    check_handover,
    present,
)
from services.intake.domain.submission import changes
from shared import access
from shared.access import Principal
from shared.contracts.intake import Answer
from shared.postgres import Database
from shared.service import Settings
from tests.clients import colleague, submission
from tests.intake.prospect import form_on, text_of

TODAY = date(2026, 11, 23)
ANNA, BEN, CARLA = (UUID(int=number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("owner", "to", "seen", "reason", "refusal"),
    [
        (None, ANNA, None, "", None),
        (None, BEN, None, "She knows them.", None),
        (None, BEN, None, "", ReasonNeeded),
        (BEN, ANNA, BEN, "He is ill.", None),
        (BEN, ANNA, BEN, "", ReasonNeeded),
        (BEN, ANNA, None, "Mine now.", OwnedMeanwhile),
        (None, ANNA, BEN, "Mine now.", OwnedMeanwhile),
        (ANNA, BEN, ANNA, "x" * MAX_REASON, None),
        (ANNA, BEN, ANNA, "x" * (MAX_REASON + 1), ReasonTooLong),
    ],
)
def test_anna_hands_a_case_over_in_sight_of_its_owner_and_with_a_reason(
    owner: UUID | None, to: UUID, seen: UUID | None, reason: str, refusal: type[Exception] | None
) -> None:
    with nullcontext() if refusal is None else pytest.raises(refusal):
        check_handover(owner, to=to, by=ANNA, seen=seen, reason=reason)


@pytest.mark.parametrize(
    ("absences", "taker"),
    [
        ({}, ANNA),
        ({ANNA: Absence(TODAY, BEN)}, BEN),
        ({ANNA: Absence(TODAY - timedelta(days=1), BEN)}, ANNA),
        ({ANNA: Absence(TODAY, BEN), BEN: Absence(TODAY, CARLA)}, CARLA),
        ({ANNA: Absence(TODAY, BEN), BEN: Absence(TODAY, ANNA)}, ANNA),
    ],
)
def test_the_first_who_is_not_away_takes_a_new_case(absences: dict[UUID, Absence], taker: UUID) -> None:
    assert present(ANNA, absences, TODAY) == taker


@given(st.dictionaries(st.sampled_from(range(6)), st.tuples(st.booleans(), st.sampled_from(range(6)))))
def test_a_case_never_goes_to_somebody_away_while_a_deputy_of_a_deputy_is_here(
    plans: dict[int, tuple[bool, int]],
) -> None:
    absences = {
        UUID(int=person): Absence(TODAY - timedelta(days=is_over), UUID(int=deputy))
        for person, (is_over, deputy) in plans.items()
    }
    reached, at = [], UUID(int=0)
    while at not in reached:
        reached.append(at)
        absence = absences.get(at)
        at = absence.deputy if absence and absence.until >= TODAY else at
    here = [one for one in reached if one not in absences or absences[one].until < TODAY]
    assert present(UUID(int=0), absences, TODAY) == (here[0] if here else UUID(int=0))


def test_a_change_is_a_level_or_how_it_is_known() -> None:
    said, inferred, other = Answer(level="a"), Answer(level="a", confidence="inferred"), Answer(level="b")
    before, after = {"x": said, "y": said, "z": said}, {"x": said, "y": inferred, "z": other}
    assert changes(before, after) == {"y": said, "z": said}


async def joins(app: FastAPI, settings: Settings, name: str) -> tuple[UUID, httpx2.AsyncClient]:
    """Somebody in sales with an account, and their browser."""
    assert settings.signing_key is not None
    now, email = datetime.now(UTC), f"{name.split(maxsplit=1)[0].lower()}@example.com"
    async with app.state.database.transaction() as connection:
        account = await handlers.add_person(connection, email=email, name=name, roles=["sales", "admin"], at=now)
    bearer = Principal(account.id, uuid4(), name, account.roles, account.version)
    token = access.sign(bearer, settings.signing_key, issued=now, expires=None)
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )
    return account.id, client


async def sent_in(client: httpx2.AsyncClient) -> str:
    return str((await client.post("/api/intake/intakes", json=submission())).json()["intake_id"])


async def test_a_case_is_taken_given_and_never_taken_over_unseen(app: FastAPI, settings: Settings) -> None:
    anna, hers = await joins(app, settings, "Anna Berg")
    ben, his = await joins(app, settings, "Ben Ortiz")
    carla, _ = await joins(app, settings, "Carla Meyer")
    case = await sent_in(hers)
    assert "Nobody owns it yet" in text_of(await hers.get(f"/console/{case}"))
    owner = f"/console/{case}/owner"
    assert (await hers.post(owner, data={"to": str(anna), "seen": ""})).status_code == 303
    late = await his.post(owner, data={"to": str(ben), "seen": "", "reason": "I know them."})
    assert (late.status_code, "It came into other hands" in late.text, "I know them." in late.text) == (409, True, True)
    silent = await hers.post(owner, data={"to": str(ben), "seen": str(anna), "reason": " "})
    assert (silent.status_code, "Write why" in silent.text) == (422, True)
    for nobody in ("", "x", str(uuid4())):
        refused = await hers.post(owner, data={"to": nobody, "seen": str(anna), "reason": "Why not."})
        assert (refused.status_code, "Choose a colleague from the list." in refused.text) == (422, True)
    away = {"until": datetime.now(UTC).date().isoformat(), "deputy": str(carla)}
    gone = await his.post("/console/away", data=away)
    assert "You are away until" in text_of(await his.get(gone.headers["location"]))
    await hers.post(owner, data={"to": str(ben), "seen": str(anna), "reason": "He speaks Spanish."})
    page = text_of(await hers.get(f"/console/{case}"))
    assert "Carla Meyer owns it" in page
    assert "Carla Meyer got the case, while Ben Ortiz is away He speaks Spanish." in page
    assert "Anna Berg took the case" in page
    back = await his.post("/console/away/back")
    assert "You take new cases again." in text_of(await his.get(back.headers["location"]))


async def test_what_else_there_is_of_the_company_is_shown_beside_a_case(app: FastAPI, settings: Settings) -> None:
    _, hers = await joins(app, settings, "Anna Berg")
    first = await sent_in(hers)
    place = f"/console/{first}/known"
    assert f'hx-get="{place}"' in (await hers.get(f"/console/{first}")).text
    assert "There is nothing else of this company." in text_of(await hers.get(place))
    second = await sent_in(hers)
    assert f'href="/console/{second}"' in (await hers.get(place)).text
    await hers.post(f"/console/{first}/erase")
    assert f'hx-get="{place}"' not in (await hers.get(f"/console/{first}")).text
    assert (await hers.get(place)).status_code == 409
    assert (await hers.get(f"/console/{uuid4()}/known")).status_code == 404


async def test_being_away_needs_a_day_and_a_deputy(app: FastAPI, settings: Settings) -> None:
    anna, hers = await joins(app, settings, "Anna Berg")
    assert "Nobody else can take a case yet" in text_of(await hers.get("/console/away"))
    ben, _ = await joins(app, settings, "Ben Ortiz")
    today = datetime.now(UTC).date()
    for until, deputy in (("", str(ben)), (str(today - timedelta(days=1)), str(ben)), (str(today), str(anna))):
        assert (await hers.post("/console/away", data={"until": until, "deputy": deputy})).status_code == 422


async def test_a_note_is_its_authors_and_goes_with_the_case(
    app: FastAPI, settings: Settings, database: Database
) -> None:
    anna, hers = await joins(app, settings, "Anna Berg")
    _, his = await joins(app, settings, "Ben Ortiz")
    case = await sent_in(hers)
    notes = f"/console/{case}/notes"
    for wrong in ("", " \r\n", "x" * 4001):
        assert (await hers.post(notes, data={"text": wrong})).status_code == 422
    await hers.post(notes, data={"text": "Call on Friday.\r\n<b>Not</b> before."})
    page = await his.get(f"/console/{case}")
    assert "Call on Friday.\n&lt;b&gt;Not&lt;/b&gt; before." in page.text
    async with database.connection() as connection:
        note = f"{notes}/{await connection.fetchval('select id from note')}"
    assert f'href="{note}"' not in page.text
    for refused in (await his.get(note), await his.post(note, data={"text": "x"}), await his.post(f"{note}/delete")):
        assert refused.status_code == 404
    await hers.post(note, data={"text": "Call on Monday."})
    changed = text_of(await his.get(f"/console/{case}"))
    assert ("Call on Monday." in changed, "Call on Friday." in changed, "changed" in changed) == (True, False, True)
    await hers.post(f"/console/{case}/owner", data={"to": str(anna), "seen": "", "reason": "Old friends."})
    await hers.post(f"/console/{case}/erase")
    erased = text_of(await hers.get(f"/console/{case}"))
    assert ("Anna Berg took the case" in erased, "Old friends" in erased, "Monday" in erased) == (True, False, False)
    assert (await hers.post(notes, data={"text": "Once more."})).status_code == 409
    assert (await hers.post(f"/console/{case}/owner", data={"to": str(anna)})).status_code == 409
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from note") == 0


async def test_a_note_is_deleted_by_its_author(app: FastAPI, settings: Settings) -> None:
    _, hers = await joins(app, settings, "Anna Berg")
    case = await sent_in(hers)
    await hers.post(f"/console/{case}/notes", data={"text": "A slip."})
    address = (await hers.get(f"/console/{case}")).text.split(f'href="/console/{case}/notes/')[1].split('"')[0]
    assert form_on(await hers.get(f"/console/{case}/notes/{address}"))["text"] == "A slip."
    await hers.post(f"/console/{case}/notes/{address}/delete")
    assert "A slip." not in text_of(await hers.get(f"/console/{case}"))


async def test_answers_are_corrected_in_sight_of_the_revision_before(app: FastAPI, settings: Settings) -> None:
    _, hers = await joins(app, settings, "Anna Berg")
    case = await sent_in(hers)
    place = f"/console/{case}/revise"
    form = form_on(await hers.get(place))
    shown = {"requirements": "written", "how-requirements": "said", "aim": "unknown", "seen": "1"}
    assert shown.items() <= form.items()
    unchanged = await hers.post(place, data=form)
    assert (unchanged.status_code, "Nothing is changed yet" in unchanged.text) == (422, True)
    assert (await hers.post(place, data=form | {"aim": "everything"})).status_code == 422
    corrected = form | {"requirements": "outline", "how-change_rate": "inferred"}
    assert (await hers.post(place, data=corrected)).status_code == 303
    late = await hers.post(place, data=form | {"aim": "steady_growth"})
    assert (late.status_code, form_on(late)["aim"], form_on(late)["seen"]) == (409, "steady_growth", "2")
    assert "Revision 2 says: A rough outline" in text_of(late)
    page = text_of(await hers.get(f"/console/{case}"))
    assert "The answers were changed once" in page
    assert "Revision 2: 2 answers changed" in page
    assert page.count("Changed:") == 2
    assert (await hers.get(f"/console/{case}/withdraw")).status_code == 200
    await hers.post(f"/console/{case}/withdraw")
    assert "Withdrawn" in text_of(await hers.get(f"/console/{case}"))
    assert (await hers.get(place)).status_code == 409
    assert (await hers.post(place, data=corrected)).status_code == 409
    assert "already" in text_of(await hers.get(f"/console/{case}/withdraw"))


async def test_whatever_was_heard_of_a_case_can_be_read(app: FastAPI, settings: Settings, database: Database) -> None:
    anna, hers = await joins(app, settings, "Anna Berg")
    case = await sent_in(hers)
    async with database.connection() as connection:
        for topic, detail in (
            ("recommendation.proposed.v1", {"model": "hybrid", "revision": 1}),
            ("recommendation.reviewed.v1", {"decision": "return", "by": str(anna), "model": None, "revision": 1}),
            ("recommendation.answered.v1", {"answer": "asked"}),
            ("recommendation.call-booked.v1", {"status": "booked", "starts_at": "2026-12-01T09:00:00+00:00"}),
            ("recommendation.moon-landing.v3", {"revision": 2, "flag": "planted"}),
            ("odd", {}),
        ):
            await connection.execute(
                "insert into timeline values ($1, $2, $3, now(), $4)", uuid4(), UUID(case), topic, detail
            )
        await connection.execute("update intake set state = 'returned'")
    page = text_of(await hers.get(f"/console/{case}"))
    for told in (
        "Proposal made: team and project together",
        "Reviewed: returned with a question Anna Berg",
        "Answer from the client: a question",
        "Call with the client: booked",
        "1 December 2026",
        "Moon landing",
        "odd",
    ):
        assert told in page
    assert "The review came back with a question" in page


async def test_only_an_admin_erases_and_sees_no_more_than_tells_the_right_case(
    app: FastAPI, settings: Settings
) -> None:
    _, hers = await joins(app, settings, "Anna Berg")
    case = await sent_in(hers)
    assert "Erase the case of Nordlicht Energie for good?" in text_of(await hers.get(f"/console/{case}/erase"))
    admin = colleague(app, settings, "admin")
    page = await admin.get(f"/console/{case}/erase")
    for shown in ("Erase the case of Nordlicht Energie for good?", "Submitted", f"{datetime.now(UTC):%-d %B %Y}"):
        assert shown in text_of(page)
    assert "Ines Albrecht" not in page.text
    assert 'href="/console/erase">No, go back<' in page.text
    assert (await colleague(app, settings, "sales").post(f"/console/{case}/erase")).status_code == 403
    done = await admin.post(f"/console/{case}/erase")
    assert "This case is erased" in text_of(await admin.get(done.headers["location"]))
    assert (await admin.post(f"/console/{uuid4()}/erase")).status_code == 404


async def test_an_admin_finds_the_case_to_erase_by_its_address_or_number(app: FastAPI, settings: Settings) -> None:
    admin = colleague(app, settings, "admin")
    assert 'href="/console/erase"' in (await admin.get("/console/erase")).text
    case = str(uuid4())
    for named in (case, f" {case.upper()} ", f"http://testserver/reviews/{case}?done=note"):
        led = await admin.get("/console/erase", params={"case": named})
        assert (led.status_code, led.headers["location"].lower()) == (303, f"/console/{case}/erase")
    asked = await admin.get("/console/erase", params={"case": "Nordlicht"})
    assert (asked.status_code, "There is no case's number in this" in text_of(asked)) == (422, True)
    assert (await colleague(app, settings, "sales").get("/console/erase")).status_code == 403
