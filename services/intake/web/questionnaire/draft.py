"""From the address of a prospect's page to the draft behind it, and from a posted form to its fields."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.intake.domain.drafts import KEPT, LINK, Draft
from services.intake.store import drafts, intakes, invitations
from shared import access
from shared.language import gettext_noop, language, preferred
from shared.pages import language_of
from shared.postgres import Connection, Database
from shared.service import Problem, Settings
from shared.service.http import read_body

MAX_FIELDS = 200
LOAD_AGAIN = gettext_noop("Load the page again and send it from there.")
START_AGAIN = {"label": gettext_noop("Start again"), "href": "/"}


async def speak(request: Request) -> None:
    """Answer in the language that suits the browser; a draft keeps to the one it began with."""
    request.state.language = preferred(request.headers.get("accept-language", ""))


def token_of(request: Request, draft_id: UUID) -> str:
    """What opens a draft: the changing part of its address."""
    return access.link_token(_secret(request), LINK, draft_id)


async def opened(request: Request, token: str) -> Draft:
    """The draft that an address opens; raises Problem where it opens none, or none any more."""
    draft_id = _draft_id(request, token)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        return await _still_there(request, connection, draft_id, await drafts.find(connection, draft_id))


async def locked(request: Request, connection: Connection, token: str) -> Draft:
    """The same, held until the transaction ends; whoever writes has opened it."""
    draft_id = _draft_id(request, token)
    draft = await _still_there(request, connection, draft_id, await drafts.lock(connection, draft_id))
    if draft.channel == "link" and draft.opened_at is None:
        await invitations.mark_opened(connection, draft_id, datetime.now(UTC))
    return draft


def refuse_if_sent(draft: Draft) -> None:
    """Raise Problem where the answers can no longer be changed here."""
    if draft.sent_at:
        raise Problem(
            409,
            gettext_noop("Your answers were sent already"),
            gettext_noop(
                "This change was not taken. Tell it to the account manager who writes to you, and it will be put right."
            ),
        )


async def posted(request: Request) -> dict[str, str]:
    """The fields of a posted form, to be read before anything is locked; raises Problem where it is not readable."""
    try:
        text = (await read_body(request)).decode()
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise Problem(400, gettext_noop("That could not be read"), LOAD_AGAIN) from error


def not_this_form() -> Problem:
    """The refusal of a form that no page of ours sends."""
    return Problem(422, gettext_noop("That is not this page's form"), LOAD_AGAIN)


def to(token: str, place: str) -> Response:
    """Go on at another page of the same draft."""
    return RedirectResponse(f"/q/{token}/{place}", 303)


def _draft_id(request: Request, token: str) -> UUID:
    draft_id = access.link_id(_secret(request), LINK, token)
    if draft_id is None:
        raise Problem(
            404,
            gettext_noop("This address opens no questionnaire"),
            gettext_noop("Part of it may be missing. Copy the whole address, or start again from the front page."),
            action=START_AGAIN,
        )
    return draft_id


async def _still_there(request: Request, connection: Connection, draft_id: UUID, draft: Draft | None) -> Draft:
    if draft is None and await intakes.status(connection, draft_id) is not None:
        raise Problem(
            410,
            gettext_noop("Everything you had sent is erased"),
            gettext_noop("It was deleted on request, and nothing of it is left here. You can start again at any time."),
            action=START_AGAIN,
        )
    if draft is None or (draft.sent_at is None and draft.expires_at < datetime.now(UTC)):
        raise Problem(
            410,
            gettext_noop("This address has run out"),
            language_of(request).gettext(
                "Answers that are not sent within %(days)s days are deleted, and so is what somebody has had erased. "
                "You can start again at any time.",
                days=KEPT.days,
            ),
            action=START_AGAIN,
        )
    if draft.revoked_at is not None:
        raise Problem(
            410,
            gettext_noop("This link was taken back"),
            gettext_noop("Ask whoever sent it to you for a new one, or start by yourself from the front page."),
            action=START_AGAIN,
        )
    request.state.language = language(draft.language)
    return draft


def _secret(request: Request) -> str:
    settings: Settings = request.app.state.settings
    return settings.link_secret.get_secret_value()
