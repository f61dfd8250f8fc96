"""What is held about a prospect: shown, handed out, taken back and erased, by the personal link alone."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from services.intake import handlers
from services.intake.domain.drafts import CONSENT_TEXTS, Draft
from services.intake.handlers import rights
from services.intake.web.questionnaire.draft import locked, opened, to
from services.intake.web.questionnaire.wording import answered, asked
from shared.language import gettext_noop
from shared.pages import Pages, language_of
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Problem

router = APIRouter()

MESSAGES = {
    "resume": gettext_noop("The link to go on later"),
    "invitation": gettext_noop("The invitation to the questionnaire"),
    "invitation_reminder": gettext_noop("A reminder of the questionnaire"),
    "receipt": gettext_noop("That your answers have arrived"),
    "document": gettext_noop("Our recommendation"),
    "document_reminder": gettext_noop("A reminder of our recommendation"),
    "reply": gettext_noop("The answer to your question"),
    "call_booked": gettext_noop("The call that you booked"),
    "call_cancelled": gettext_noop("That the call is cancelled"),
}


@dataclass(frozen=True)
class Step:
    """What a prospect confirms before it is done."""

    heading: str
    text: str
    action: str


ERASE = Step(
    gettext_noop("Erase everything about you?"),
    gettext_noop(
        "Your details, your answers, the result, and any recommendation made from them are deleted, here and wherever "
        "we have passed them on among ourselves; a log between our systems that nobody reads forgets them after eight "
        "days. Nobody can bring them back. That there was a request, and when, stays."
    ),
    gettext_noop("Erase everything"),
)
ERASE_DRAFT = Step(
    gettext_noop("Erase everything about you?"),
    gettext_noop("Your details and your answers are deleted. Nobody can bring them back."),
    gettext_noop("Erase everything"),
)
WITHDRAW = Step(
    gettext_noop("Withdraw your request?"),
    gettext_noop(
        "Nobody works on it any more, and we write to you about it no more. What you sent stays readable at this "
        "address until you have it erased. You can start a new request at any time."
    ),
    gettext_noop("Withdraw my request"),
)


@router.get("/q/{token}/data")
async def show(request: Request, token: str) -> Response:
    """What is held, what for, until when, and on which consent."""
    draft, held = await _held(request, token)
    language, questionnaire = language_of(request), load(held.questionnaire)
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        "questionnaire/data.html",
        token=token,
        is_invited=draft.channel == "link",
        held=held,
        details=[
            (asked(language, questionnaire, field), answered(language, questionnaire, field, value))
            for field, value in held.details.items()
        ],
        answers=[
            (question.text, question.level_text(held.answers[question.id].level))
            for question in questionnaire.questions
            if question.id in held.answers
        ],
        consent_text=CONSENT_TEXTS.get(held.consent.text_version) if held.consent else None,
        messages=[(MESSAGES[one.kind], one.sent_at) for one in held.messages if one.sent_at],
        is_open=_is_open(draft, held),
    )


@router.get("/q/{token}/data.json")
async def download(request: Request, token: str) -> Response:
    """The same as a file, with everything that was typed."""
    _, held = await _held(request, token)
    return Response(
        held.model_dump_json(by_alias=True, indent=2),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="what-we-hold-about-you.json"'},
    )


@router.get("/q/{token}/erase")
async def ask_to_erase(request: Request, token: str) -> Response:
    """What would be gone."""
    draft = await opened(request, token)
    return _confirm(request, token, "erase", ERASE if draft.sent_at else ERASE_DRAFT)


@router.post("/q/{token}/erase")
async def erase(request: Request, token: str) -> Response:
    """Erase it all; afterwards the address answers that it is gone."""
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        await rights.erase(connection, await locked(request, connection, token))
    pages: Pages = request.app.state.pages
    return pages.render(request, "questionnaire/erased.html")


@router.get("/q/{token}/withdraw")
async def ask_to_withdraw(request: Request, token: str) -> Response:
    """What withdrawing means."""
    _refuse_unless_open(*await _held(request, token))
    return _confirm(request, token, "withdraw", WITHDRAW)


@router.post("/q/{token}/withdraw")
async def withdraw(request: Request, token: str) -> Response:
    """Take the request back."""
    _refuse_unless_open(*await _held(request, token))
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        draft = await locked(request, connection, token)
        await handlers.withdraw(connection, draft.id)
    return to(token, "status")


async def _held(request: Request, token: str) -> tuple[Draft, rights.Held]:
    draft = await opened(request, token)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        return draft, await rights.held(connection, draft)


def _is_open(draft: Draft, held: rights.Held) -> bool:
    return draft.sent_at is not None and held.state not in ("withdrawn", "erased")


def _refuse_unless_open(draft: Draft, held: rights.Held) -> None:
    if not _is_open(draft, held):
        raise Problem(
            409,
            gettext_noop("There is no request to withdraw"),
            gettext_noop("It was not sent in, or is withdrawn already. What is held about you can still be erased."),
        )


def _confirm(request: Request, token: str, place: str, step: Step) -> Response:
    pages: Pages = request.app.state.pages
    return pages.render(request, "questionnaire/confirm.html", token=token, place=place, step=step)
