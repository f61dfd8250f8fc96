"""Steps that several edges share about prospects: what is known of them, invitations, and sending answers in."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.intake import handlers
from services.intake.domain.drafts import Draft, Entry, begin
from services.intake.domain.duplicates import Known, alike, email_key, firms_domain
from services.intake.domain.invitations import Invitation, UnknownInvitation, check_open
from services.intake.domain.submission import ConsentForm, ContactForm, submitted
from services.intake.store import accounts, drafts, intakes, invitations, mail
from services.intake.store import duplicates as stored
from shared.contracts.intake import Campaign
from shared.postgres import Connection


async def accept(
    connection: Connection,
    draft: Draft,
    consent: ConsentForm,
    author: UUID | None = None,
    *,
    sends_receipt: bool = True,
) -> None:
    """Send a draft in: it becomes the intake of the same id, and is kept as it was sent.

    Its contact, who may get a receipt, may be missing. `author` is the colleague who took the answers down, if one did.
    The case belongs to the colleague who began it, if one did, and not an API key.
    """
    now = datetime.now(UTC)
    fact = submitted(
        intake_id=draft.id,
        revision=1,
        version=1,
        questionnaire=draft.questionnaire,
        given=draft.given,
        company=draft.company,
        channel=draft.channel,
        language=draft.language,
        now=now,
        author=author,
        campaign=draft.campaign,
    )
    name, email = draft.entry("contact_name").value, draft.entry("contact_email").value
    await intakes.accept(
        connection,
        fact,
        given=draft.given,
        contact=ContactForm(name=name, email=email) if email else None,
        consent=consent,
        caller=draft.id,
        route="",
        key=None,
        body_hash=b"",
        response="",
    )
    await drafts.mark_sent(connection, draft.id, now)
    if draft.made_by and await accounts.find(connection, draft.made_by, "key") is None:
        await handlers.entrust(connection, draft.id, draft.made_by, by=draft.made_by)
    if email and sends_receipt:
        await mail.queue(connection, "receipt", draft.id, now)


async def known_of(connection: Connection, name: str, email: str, *, besides: Collection[UUID] = ()) -> list[Known]:
    """What there may be already of a company with this name and this address of a contact; either may be empty."""
    now = datetime.now(UTC)
    names = await stored.names(connection, now) if name else {}
    nearest = await asyncio.to_thread(alike, name, names)
    return await stored.known(connection, nearest, email_key(email), firms_domain(email), besides=besides, now=now)


async def invite(
    connection: Connection, values: Mapping[str, str], campaign: Campaign | None, made_by: UUID, *, by_mail: bool
) -> Draft:
    """Begin a questionnaire for a prospect with what is known in place; `by_mail` sends its link to the contact."""
    now = datetime.now(UTC)
    draft = replace(
        begin(uuid7(), now),
        channel="link",
        made_by=made_by,
        campaign=campaign,
        entries={field: Entry(value, 1) for field, value in values.items() if value},
    )
    await drafts.add(connection, draft)
    if by_mail:
        await _mail(connection, draft.id, now)
    return draft


async def remind(connection: Connection, draft_id: UUID) -> None:
    """Send the link once more, as a reminder where it was sent before. Raises UnknownInvitation or NotOpen."""
    now = datetime.now(UTC)
    found = await _open_invitation(connection, draft_id, now)
    if found.mailed_at is None:
        await _mail(connection, draft_id, now)
    else:
        await invitations.mark_reminded(connection, draft_id, now)
        await mail.queue(connection, "invitation_reminder", draft_id, now, {"at": now.isoformat()})


async def revoke(connection: Connection, draft_id: UUID) -> None:
    """Let a link open nothing any more. Raises UnknownInvitation or NotOpen."""
    now = datetime.now(UTC)
    await _open_invitation(connection, draft_id, now)
    await invitations.revoke(connection, draft_id, now)


async def _mail(connection: Connection, draft_id: UUID, now: datetime) -> None:
    await invitations.mark_mailed(connection, draft_id, now)
    await mail.queue(connection, "invitation", draft_id, now)


async def _open_invitation(connection: Connection, draft_id: UUID, now: datetime) -> Invitation:
    await drafts.lock(connection, draft_id)
    found = await invitations.find(connection, draft_id)
    if found is None:
        raise UnknownInvitation
    check_open(found.standing(now))
    return found
