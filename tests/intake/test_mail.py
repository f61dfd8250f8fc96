"""Outgoing mail: when it goes out, what it says, and what a mail server's answers make of it."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, get_args
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.intake.domain.drafts import Entry, begin
from services.intake.domain.mail import (
    MOST_ATTEMPTS,
    Addressee,
    Kind,
    Mail,
    mail_id,
    reminder_due,
    why_dropped,
)
from services.intake.handlers.messages import NOT_SHOWN, Refused, compose
from services.intake.jobs import send_mail
from services.intake.store import drafts, mail
from shared import access, erasure
from shared.postgres import Database
from shared.service import Settings
from tests.intake.smtp import CUT, Mailbox, mail_server, mailbox, posting_to

__all__ = ["mailbox"]

NOW = datetime.now(UTC)
LINK = str(UUID(int=5))
DETAIL = {
    "link_id": LINK,
    "expires_at": "2026-12-24T10:00:00+00:00",
    "starts_at": "2026-12-01T14:00:00+00:00",
    "zone": "Europe/Berlin",
    "minutes": 30,
    "call_id": str(UUID(int=9)),
    "ends_at": "2026-12-01T14:30:00+00:00",
    "sequence": 1,
}
INES = Addressee("Ines Albrecht", "ines@example.com", "Nordlicht Energie", "released", NOW, LINK)


def message(kind: Kind = "document", **changes: Any) -> Mail:
    about = UUID(int=7)
    known: dict[str, Any] = {
        "id": mail_id(kind, about, DETAIL),
        "kind": kind,
        "about": about,
        "detail": DETAIL,
        "state": "queued",
        "issue": 1,
        "attempts": 1,
        "reason": None,
        "queued_at": NOW,
        "due_at": NOW,
        "sent_at": None,
    }
    return Mail(**known | changes)


def said(composed: EmailMessage) -> str:
    """The words, whatever is attached."""
    body = composed.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    text: str = body.get_content()
    return text


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("document", {}, None),
        ("document", {"email": ""}, "There is no address"),
        ("document", {"email": "ines at example"}, "There is no address"),
        ("document", {"state": "withdrawn"}, "taken back"),
        ("call_cancelled", {"state": "withdrawn"}, None),
        ("document", {"link_id": str(uuid4())}, "newer link"),
        ("document", {"state": "accepted"}, None),
        ("document_reminder", {}, None),
        ("document_reminder", {"state": "accepted"}, "answered"),
        ("document_reminder", {"state": "expired"}, "answered"),
        ("document_reminder", {"is_link_closed": True}, "closed"),
        ("call_booked", {"is_link_closed": True}, None),
        ("resume", {}, "sent in meanwhile"),
        ("resume", {"state": None}, None),
        ("invitation_reminder", {"state": None}, None),
        ("invitation_reminder", {"state": "submitted"}, "sent in meanwhile"),
        ("receipt", {"state": "submitted"}, None),
    ],
)
def test_a_message_that_makes_no_sense_any_more_says_why(
    kind: Kind, changes: dict[str, Any], reason: str | None
) -> None:
    found = why_dropped(message(kind), Addressee(**vars(INES) | changes))
    assert found is None if reason is None else found is not None and reason in found


def test_mail_about_what_is_deleted_is_dropped() -> None:
    assert why_dropped(message(), None) == "What it is about is deleted."


@pytest.mark.parametrize(("days", "reminded_after"), [(30, 25), (14, 9), (10, 5), (6, 3), (1, 0.5)])
def test_a_reminder_comes_some_days_before_the_end_and_never_in_the_first_half(
    days: int, reminded_after: float
) -> None:
    assert reminder_due(NOW, NOW + timedelta(days=days)) == NOW + timedelta(days=reminded_after)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_its_words_and_a_way_on(settings: Settings, kind: Kind) -> None:
    composed = compose(message(kind), INES, settings)
    text = said(composed)
    assert composed["To"] == "Ines Albrecht <ines@example.com>"
    assert composed["Subject"].strip()
    assert text.startswith("Dear Ines Albrecht,\n\n")
    assert "http://testserver" in text
    assert "\n\n\n" not in text
    for unwanted in ("None", "{", "&#"):
        assert unwanted not in text
    nameless = compose(message(kind), Addressee(**vars(INES) | {"name": ""}), settings)
    assert said(nameless).startswith("Hello,\n\n")


def test_an_international_domain_is_written_as_every_mail_server_takes_it(settings: Settings) -> None:
    composed = compose(message(), Addressee(**vars(INES) | {"email": "ines@m\u00fcnchen.de"}), settings)
    assert composed["To"] == "Ines Albrecht <ines@xn--mnchen-3ya.de>"


@pytest.mark.parametrize("changes", [{"company": "Nord\u2028licht"}, {"email": "j\u00fcrgen@example.com"}])
def test_what_cannot_stand_in_a_mail_is_refused(settings: Settings, changes: dict[str, str]) -> None:
    with pytest.raises(Refused, match="cannot be written in a mail"):
        compose(message(), Addressee(**vars(INES) | changes), settings)


def test_links_are_the_very_ones_that_open_the_pages(settings: Settings) -> None:
    secret = settings.link_secret.get_secret_value()
    document = compose(message("document"), INES, settings).get_content()
    assert f"http://testserver/d/{access.link_token(secret, access.DOCUMENT_LINK, UUID(LINK))}\n" in document
    personal = access.link_token(secret, "draft", UUID(int=7))
    assert f"http://testserver/q/{personal}/status\n" in compose(message("receipt"), INES, settings).get_content()
    hidden = compose(message("resume"), INES, settings, shows_link=False).get_content()
    assert personal not in hidden
    assert NOT_SHOWN in hidden


def test_a_call_is_told_in_the_clients_own_time(settings: Settings) -> None:
    composed = compose(message("call_booked"), INES, settings)
    assert composed["Subject"] == "Our call on Tuesday, 1 December 2026, 15:00 (GMT+01:00)"


def test_whoever_took_the_request_back_is_offered_no_other_time(settings: Settings) -> None:
    assert "choose another time" in said(compose(message("call_cancelled"), INES, settings))
    withdrawn = Addressee(**vars(INES) | {"state": "withdrawn"})
    assert "Your request was taken back, so the call on" in said(
        compose(message("call_cancelled"), withdrawn, settings)
    )


@pytest.mark.parametrize(("kind", "asked"), [("call_booked", "REQUEST"), ("call_cancelled", "CANCEL")])
def test_a_call_comes_with_an_entry_for_the_clients_calendar(settings: Settings, kind: Kind, asked: str) -> None:
    sending = settings.model_copy(update={"mail_from": "Nordlicht <hello@firm.example>"})
    (attached,) = compose(message(kind), INES, sending).iter_attachments()
    assert (attached.get_content_type(), attached.get_param("method")) == ("text/calendar", asked)
    calendar = Calendar.from_ical(attached.get_content())
    event: Any = calendar.walk("VEVENT")[0]
    assert str(calendar["METHOD"]) == asked
    assert (str(event["UID"]), event["SEQUENCE"]) == (DETAIL["call_id"], 1)
    assert event.start == datetime(2026, 12, 1, 15, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (str(event["ORGANIZER"]), str(event["ATTENDEE"])) == ("mailto:hello@firm.example", "mailto:ines@example.com")


def test_names_are_taken_as_they_are(settings: Settings) -> None:
    odd = Addressee('Ægir & <Söhne>, "GmbH"', "ines@example.com", "Müller & Co", "released", NOW, LINK)
    composed = compose(message(), odd, settings)
    assert composed["Subject"] == "Our recommendation for Müller & Co"
    assert 'Dear Ægir & <Söhne>, "GmbH",' in composed.get_content()
    assert composed["To"].addresses[0].addr_spec == "ines@example.com"


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"smtp_url": "mail.example.com:25", "mail_from": "a@example.com"}, "smtps://USER:PASSWORD@HOST:465"),
        ({"smtp_url": "https://mail.example.com", "mail_from": "a@example.com"}, "smtps://USER:PASSWORD@HOST:465"),
        ({"smtp_url": "smtps://:secret@mail.example.com:mail", "mail_from": "a@example.com"}, "Port"),
        ({"smtp_url": "smtps://:secret@mail.example.com"}, "ADVISOR_MAIL_FROM"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_refused_at_the_start_without_its_password(
    settings: Settings, given: dict[str, str], advice: str
) -> None:
    with pytest.raises(ValidationError, match=advice) as refusal:
        Settings(**dict(settings) | given)
    assert "secret" not in str(refusal.value)


@pytest.fixture
async def database(connect: Any) -> Database:
    found: Database = await connect("intake")
    return found


async def begun(database: Database, email: str = "mara@nordwind.example", name: str = "Mara Lind") -> UUID:
    """A draft whose link was asked for."""
    draft = begin(uuid4(), NOW)
    async with database.connection() as connection:
        await drafts.add(connection, draft)
        entries = {"contact_name": Entry(name, 1), "contact_email": Entry(email, 1)}
        await drafts.keep(connection, draft.id, {field: entry for field, entry in entries.items() if entry.value})
        await mail.queue(connection, "resume", draft.id, NOW)
    return draft.id


async def only(database: Database) -> Mail:
    async with database.connection() as connection:
        ((found, _),) = await mail.outgoing(connection, None, None, 10)
    return found


async def make_due(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("update mail set due_at = now() where state = 'queued'")


async def test_mail_goes_to_the_address_of_now_once_and_says_so(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    about = await begun(database)
    async with database.connection() as connection:
        await mail.queue(connection, "resume", about, NOW)
        await drafts.keep(connection, about, {"contact_email": Entry("mara@elsewhere.example", 2)})
    with capture_logs() as logs:
        await send_mail(database, posting_to(mailbox, settings))
        await send_mail(database, posting_to(mailbox, settings))
    (taken,) = mailbox.taken
    assert mailbox.recipients == ["mara@elsewhere.example"]
    found = await only(database)
    assert (found.state, found.attempts, found.reason) == ("sent", 1, None)
    assert found.sent_at is not None
    assert taken["Message-ID"] == f"<{found.id}.1@testserver>"
    assert taken["From"] == "Advisor <advisor@example.com>"
    assert taken["Auto-Submitted"] == "auto-generated"
    token = access.link_token(settings.link_secret.get_secret_value(), "draft", about)
    assert f"http://testserver/q/{token}" in taken.get_content().splitlines()
    assert "mara" not in str(logs).lower()
    assert token not in str(logs)


async def test_a_message_that_cannot_be_written_is_given_up_and_holds_up_no_other(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database, name="Mara\nLind")
    await begun(database)
    await send_mail(database, posting_to(mailbox, settings))
    async with database.connection() as connection:
        states = await connection.fetch("select state from mail order by state")
    assert [row["state"] for row in states] == ["failed", "sent"]


async def test_a_message_that_is_put_off_is_tried_again_later_each_time_and_then_taken(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database)
    mailbox.next_rcpt, mailbox.next_data = ["450 mara@nordwind.example is busy"], ["451 try later", CUT]
    for attempt, reason in enumerate(("address yet (450)", "message yet (451)", "could not be reached"), 1):
        before = datetime.now(UTC)
        await send_mail(database, posting_to(mailbox, settings))
        found = await only(database)
        assert (found.state, found.attempts) == ("queued", attempt)
        assert found.reason is not None
        assert reason in found.reason
        assert "mara" not in found.reason
        assert timedelta(0) <= found.due_at - before - timedelta(minutes=2 ** (attempt - 1)) < timedelta(minutes=1)
        await send_mail(database, posting_to(mailbox, settings))
        assert (await only(database)).attempts == attempt
        await make_due(database)
    await send_mail(database, posting_to(mailbox, settings))
    assert (await only(database)).state == "sent"
    assert len(mailbox.taken) == 1


async def test_a_message_refused_for_good_is_given_up_at_once_and_goes_out_when_sent_again(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database)
    mailbox.next_rcpt = ["550 no such user mara@nordwind.example"]
    await send_mail(database, posting_to(mailbox, settings))
    found = await only(database)
    assert (found.state, found.reason) == ("failed", "The mail server refuses the address (550).")
    async with database.connection() as connection:
        assert await mail.send_again(connection, found.id, datetime.now(UTC))
        assert not await mail.send_again(connection, found.id, datetime.now(UTC))
    await send_mail(database, posting_to(mailbox, settings))
    assert mailbox.taken[0]["Message-ID"] == f"<{found.id}.2@testserver>"
    assert (await only(database)).state == "sent"


async def test_a_server_that_does_not_let_us_in_is_tried_again_until_the_password_is_right(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database)
    mailbox.password = b"p@ss/word"
    for password, state in (("wrong", "queued"), ("p%40ss%2Fword", "sent")):
        url = mailbox.url.replace("//", f"//advisor:{password}@")
        await send_mail(database, Settings(**dict(posting_to(mailbox, settings)) | {"smtp_url": url}))
        found = await only(database)
        assert found.state == state
        assert found.reason == (None if state == "sent" else "The mail server did not let us in (535).")
        await make_due(database)


async def test_a_server_that_is_away_loses_nothing(database: Database, settings: Settings) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox):
        pass
    for _ in range(2):
        await begun(database)
    await send_mail(database, posting_to(mailbox, settings))
    async with database.connection() as connection:
        found = [one for one, _ in await mail.outgoing(connection, "queued", None, 10)]
    assert sorted(one.attempts for one in found) == [0, 1]
    await make_due(database)
    async with mail_server(mailbox):
        await send_mail(database, posting_to(mailbox, settings))
    assert len(mailbox.taken) == 2


async def test_after_the_last_attempt_a_message_has_failed(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database)
    mailbox.next_data = ["451 try later"]
    async with database.connection() as connection:
        await connection.execute("update mail set attempts = $1", MOST_ATTEMPTS - 1)
    await send_mail(database, posting_to(mailbox, settings))
    assert (await only(database)).state == "failed"


async def test_a_process_that_ends_before_the_answer_leaves_the_message_to_be_sent_as_the_same(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database)
    async with database.connection() as connection:
        claimed = await mail.claim(connection, datetime.now(UTC))
        assert claimed is not None
        assert await mail.claim(connection, datetime.now(UTC)) is None
    await make_due(database)
    await send_mail(database, posting_to(mailbox, settings))
    assert [taken["Message-ID"] for taken in mailbox.taken] == [f"<{claimed.id}.1@testserver>"]


async def test_without_a_mail_server_what_is_due_is_kept(database: Database, settings: Settings) -> None:
    about = await begun(database)
    async with database.connection() as connection:
        await mail.queue(connection, "invitation_reminder", about, NOW + timedelta(days=1))
    await send_mail(database, settings)
    async with database.connection() as connection:
        found = {one.kind: one.state for one, _ in await mail.outgoing(connection, None, None, 10)}
    assert found == {"resume": "kept", "invitation_reminder": "queued"}


async def test_nothing_goes_out_without_an_address_or_about_what_was_erased(
    database: Database, mailbox: Mailbox, settings: Settings
) -> None:
    await begun(database, email="")
    erased = uuid4()
    async with database.transaction() as connection:
        await erasure.erase(connection, erased, NOW)
        await mail.queue(connection, "document", erased, NOW, DETAIL)
    await send_mail(database, posting_to(mailbox, settings))
    assert ((await only(database)).state, mailbox.taken) == ("dropped", [])
