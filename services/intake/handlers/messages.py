"""Mail, from what is stored to the server that takes it."""

import asyncio
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache, partial
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import aiosmtplib
from babel import dates
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import SecretStr

from services.intake.domain.mail import OF_A_CALL, Addressee, Mail
from services.intake.domain.submission import mail_address
from services.intake.handlers import links
from shared.appointment import Appointment, calendar_file, method
from shared.language import Language, language
from shared.pages.formats import day
from shared.service import Settings

SEND_SECONDS = 45
PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
NOT_SHOWN = "(the personal link, which only the person who asked for it gets)"


class Refused(Exception):
    """This message will never go out; says why."""


class Postponed(Exception):
    """The server has not taken the message and may do so later; says why."""


def compose(mail: Mail, addressee: Addressee, settings: Settings, *, shows_link: bool = True) -> EmailMessage:
    """The message as it would go out now, with its links; without `shows_link` the personal one is left out.

    Raises Refused where a name or an address cannot stand in a mail.
    """
    try:
        return _composed(mail, addressee, settings, shows_link)
    except ValueError as error:
        raise Refused("The name, the company or the address cannot be written in a mail.") from error


def _composed(mail: Mail, addressee: Addressee, settings: Settings, shows_link: bool) -> EmailMessage:
    values = {
        "name": addressee.name,
        "company": addressee.company,
        "expires_at": addressee.expires_at,
        "is_withdrawn": addressee.state == "withdrawn",
        "front": settings.public_url,
        "personal": links.personal(settings, mail.about) if shows_link else NOT_SHOWN,
        **mail.detail,
    }
    if link_id := mail.detail.get("link_id", addressee.link_id):
        values["document"] = links.document(settings, UUID(link_id))
    templates = _environment(language(addressee.language))
    subject, text = templates.get_template(f"{mail.kind}.txt").render(values).split("\n", 1)
    message = EmailMessage()
    message["Message-ID"] = f"<{mail.id}.{mail.issue}@{urlsplit(settings.public_url).hostname}>"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Subject"] = subject
    message["To"] = Address(addressee.name, addr_spec=mail_address(addressee.email).ascii_email)
    if settings.mail_from is not None:
        name, address = parseaddr(settings.mail_from)
        message["From"] = Address(name, addr_spec=address)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.strip() + "\n")
    if mail.kind in OF_A_CALL:
        _attach_call(message, mail, addressee, values["document"])
    return message


def _attach_call(message: EmailMessage, mail: Mail, addressee: Addressee, document: str) -> None:
    """The call as an invitation that the client's calendar takes in, moves and cancels."""
    sender = message["From"].addresses[0] if message["From"] else None
    appointment = Appointment(
        id=UUID(mail.detail["call_id"]),
        sequence=mail.detail["sequence"],
        is_cancelled=mail.kind == "call_cancelled",
        starts_at=datetime.fromisoformat(mail.detail["starts_at"]),
        ends_at=datetime.fromisoformat(mail.detail["ends_at"]),
        zone=mail.detail["zone"],
        company=addressee.company,
        address=document,
        organizer=(sender.display_name, sender.addr_spec) if sender else None,
        attendee=(addressee.name, addressee.email) if sender else None,
    )
    file = calendar_file(appointment, mail.queued_at).decode()
    message.add_attachment(file, subtype="calendar", filename="call.ics", params={"method": method(appointment)})


async def deliver(message: EmailMessage, smtp_url: SecretStr) -> None:
    """Hand a message over; raises Refused or Postponed."""
    url = urlsplit(smtp_url.get_secret_value())
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await aiosmtplib.send(
                message,
                hostname=url.hostname,
                port=url.port or PORTS[url.scheme],
                username=unquote(url.username) if url.username else None,
                password=unquote(url.password) if url.password else None,
                use_tls=url.scheme == "smtps",
                start_tls=True if url.scheme == "smtp+starttls" else None,
            )
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal("the address", error.recipients[0].code) from error
    except aiosmtplib.SMTPDataError as error:
        raise _refusal("the message", error.code) from error
    except aiosmtplib.SMTPResponseException as error:
        raise Postponed(f"The mail server did not let us in ({error.code}).") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Postponed(f"The mail server could not be reached ({type(error).__name__}).") from error


def _refusal(what: str, code: int) -> Refused | Postponed:
    if code >= 500:
        return Refused(f"The mail server refuses {what} ({code}).")
    return Postponed(f"The mail server does not take {what} yet ({code}).")


def _local(moment: str, zone: str, language: Language) -> str:
    """An ISO time as people in a time zone say it: `Tuesday, 24 November 2026, 15:00 (GMT+01:00)`."""
    pattern = "EEEE, d MMMM y, HH:mm '('ZZZZ')'"
    return dates.format_datetime(datetime.fromisoformat(moment), pattern, ZoneInfo(zone), language.locale)


def _day(moment: datetime | str, language: Language) -> str:
    return day(datetime.fromisoformat(moment) if isinstance(moment, str) else moment, language)


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=False,  # noqa: S701 - plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    installed: Any = environment
    installed.install_gettext_translations(language.translations, newstyle=True)
    environment.filters |= {"day": partial(_day, language=language), "local": partial(_local, language=language)}
    return environment
