"""Steps that several edges share about prospects: what is known of them, invitations, and sending answers in."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from services.intake.domain.drafts import Draft
from services.intake.domain.duplicates import Known, alike, email_key, firms_domain
from services.intake.domain.submission import ConsentForm, ContactForm, submitted
from services.intake.store import drafts, intakes, mail
from services.intake.store import duplicates as stored
from shared.postgres import Connection


async def accept(connection: Connection, draft: Draft, consent: ConsentForm, author: UUID | None = None) -> None:
    """Send a draft in: it becomes the intake of the same id, and is kept as it was sent.

    Its contact, who gets a receipt, may be missing. `author` is the colleague who took the answers down, if one did.
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
    if email:
        await mail.queue(connection, "receipt", draft.id, now)


async def known_of(connection: Connection, name: str, email: str, *, besides: Collection[UUID] = ()) -> list[Known]:
    """What there may be already of a company with this name and this address of a contact; either may be empty."""
    now = datetime.now(UTC)
    names = await stored.names(connection, now) if name else {}
    nearest = await asyncio.to_thread(alike, name, names)
    return await stored.known(connection, nearest, email_key(email), firms_domain(email), besides=besides, now=now)
