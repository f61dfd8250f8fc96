"""Sending: the review, the submission, and afterwards where it stands and what came out."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from services.intake.domain.drafts import CONSENT, Draft
from services.intake.domain.submission import CONSENT_TEXT, ConsentForm
from services.intake.handlers import links
from services.intake.handlers.prospects import accept
from services.intake.store import cases, intakes, timeline
from services.intake.web.account.passwords import Attempts, TooManyAttempts, network
from services.intake.web.questionnaire.draft import locked, not_this_form, opened, posted, to
from services.intake.web.questionnaire.steps import REVIEW, fields_of, slugs_of
from services.intake.web.questionnaire.wording import asked_back, line
from shared.language import gettext_noop
from shared.pages import Pages, language_of
from shared.postgres import Database
from shared.promise import answer_day
from shared.service import Settings

router = APIRouter()

WITH_DOCUMENT = ("released", "accepted", "declined", "expired")

AGREE = gettext_noop("Tick the box to let us keep your answers. Without it we cannot take them.")


@router.get("/q/{token}/review")
async def review(request: Request, token: str) -> Response:
    """Every answer, before it is sent and as it was sent."""
    return _review(request, token, await opened(request, token))


@router.post("/q/{token}/review")
async def submit(request: Request, token: str) -> Response:
    """Send the answers, once: the draft becomes the intake of the same id."""
    form = await posted(request)
    if not form.keys() <= {"consent"}:
        raise not_this_form()
    is_agreed = form.get("consent") == "yes"
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        draft = await locked(request, connection, token)
        errors = {} if draft.sent_at else draft.missing | ({} if is_agreed else {"consent": AGREE})
        if not draft.sent_at and not errors:
            sends_receipt = await _may_write(request, draft)
            await accept(connection, draft, ConsentForm(given=True), sends_receipt=sends_receipt)
    if errors:
        return _review(request, token, draft, is_agreed=is_agreed, errors=errors)
    return to(token, "status")


@router.get("/q/{token}/status")
async def status(request: Request, token: str, seen: str = "") -> Response:
    """Where it stands, and the result as soon as there is one; 204 where that is what the asking page shows already.

    `seen` is what that page was given: how it stood, and a digest of what has come of it.
    """
    draft = await opened(request, token)
    if not draft.sent_at:
        return to(token, REVIEW)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        intake = await intakes.status(connection, draft.id)
        assert intake is not None, "a draft that was sent is an intake"
        sent_at = (await intakes.current_revision(connection, draft.id)).submitted_at
        release = await timeline.last_release(connection, draft.id)
        owner = await cases.owner_of(connection, draft.id)
        names = await cases.names(connection, {owner} if owner else set())
    looked_after_by = intake.assignee_name or (names.get(owner) if owner else None)
    assessment = intake.assessment
    if intake.state == "withdrawn":
        standing = "withdrawn"
    elif assessment:
        standing = "result"
    else:
        standing = "stuck" if intake.is_stuck else "waiting"
    due = answer_day(sent_at)
    is_late = datetime.now(UTC).date() > due
    news = repr((intake.state, looked_after_by, intake.revision, is_late, release))
    here = f"{standing}-{hashlib.sha256(news.encode()).hexdigest()[:12]}"
    if here == seen:
        return Response(status_code=204)
    before = seen.partition("-")[0]
    if before == "result" != standing:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    settings: Settings = request.app.state.settings
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        "questionnaire/status.html",
        token=token,
        intake=intake,
        standing=standing,
        here=here,
        looked_after_by=looked_after_by,
        before=before,
        due=due,
        is_late=is_late,
        document=release if release is not None and intake.state in WITH_DOCUMENT else None,
        document_address=None if release is None else links.document(settings, release.link_id),
        asked_back=asked_back(draft.questionnaire, (check.id for check in assessment.checks)) if assessment else [],
    )


async def _may_write(request: Request, draft: Draft) -> bool:
    """Whether a receipt may go out: anybody can have it carry a name of theirs to an address of theirs."""
    mail_requests: Attempts = request.app.state.mail_requests
    try:
        await mail_requests.count(draft.entry("contact_email").value.lower(), network(request))
    except TooManyAttempts:
        return False
    return True


def _review(
    request: Request,
    token: str,
    draft: Draft,
    *,
    is_agreed: bool = False,
    errors: Mapping[str, str] | None = None,
) -> Response:
    questionnaire, slugs, language = draft.questionnaire, slugs_of(draft.questionnaire), language_of(request)
    completed = questionnaire.completed(draft.answers)
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        "questionnaire/review.html",
        status=422 if errors else 200,
        token=token,
        sent_at=draft.sent_at,
        step=len(slugs),
        groups=[
            (slug, [line(language, draft, field) for field in fields_of(questionnaire, slug)])
            for slug in slugs
            if slug != REVIEW
        ],
        asked_back=asked_back(questionnaire, (rule.id for rule in questionnaire.open_contradictions(completed))),
        consent=CONSENT,
        consent_version=CONSENT_TEXT,
        is_agreed=is_agreed,
        errors=errors or {},
        kept_until=draft.expires_at,
    )
