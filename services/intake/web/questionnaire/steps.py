"""Answering: the start, one page per step, and keeping what is given."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.intake.domain.drafts import (
    COMPANY_FIELDS,
    KEPT,
    Draft,
    Entry,
    NotKept,
    begin,
    first_open_dimension,
    kept,
    later,
    merge,
)
from services.intake.domain.submission import MAX_TEXT
from services.intake.store import drafts
from services.intake.web.questionnaire.draft import locked, not_this_form, opened, posted, refuse_if_sent, to, token_of
from services.intake.web.questionnaire.wording import answered, asked, headcounts, industries
from shared.language import gettext_noop
from shared.pages import Pages, language_of
from shared.postgres import Database
from shared.questionnaire import Questionnaire, load
from shared.service import Problem, read_json

router = APIRouter()

COMPANY, REVIEW = "company", "review"
NEXT, BACK, LATER = "next", "back", "later"
SEQ = "seq."
ON_THIS_PAGE = gettext_noop("On this page: %(answer)s")
IN_ANOTHER_WINDOW = gettext_noop("In another window: %(answer)s")
MAX_SEQ = 2**31 - 1

SCRIPT = (files("services.intake.web") / "static" / "drafts.js").read_bytes()
SCRIPT_ADDRESS = f"/q/static/drafts.js?v={hashlib.sha256(SCRIPT).hexdigest()[:10]}"


class GivenAnswer(BaseModel):
    """What the page's script saves: one field, with a seq one above the last it has seen."""

    model_config = ConfigDict(extra="forbid", strict=True)

    field: str
    value: str
    seq: int = Field(ge=1, le=MAX_SEQ)


@router.get("/")
async def front(request: Request) -> Response:
    """What this is, and where it begins."""
    pages: Pages = request.app.state.pages
    return pages.render(request, "questionnaire/start.html", questions=len(load().questions), days=KEPT.days)


@router.post("/q/")
async def start(request: Request) -> Response:
    """Begin a draft under an address of its own."""
    draft = begin(uuid7(), datetime.now(UTC), language_of(request).tag)
    database: Database = request.app.state.database
    async with database.connection() as connection:
        await drafts.add(connection, draft)
    return to(token_of(request, draft.id), COMPANY)


@router.get("/q/static/drafts.js")
async def script() -> Response:
    """The script that saves answers as they are given, under an address that changes with it."""
    lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(SCRIPT, media_type="text/javascript", headers=lasting)


@router.get("/q/{token}")
async def resume(request: Request, token: str) -> Response:
    """Go on where it was left."""
    draft = await opened(request, token)
    if draft.sent_at:
        return to(token, "status")
    if draft.missing:
        return to(token, COMPANY)
    return to(token, (first_open_dimension(draft) or REVIEW).lower())


@router.post("/q/{token}/answers")
async def save(request: Request, token: str) -> Response:
    """Keep one answer if its seq is higher than the stored one. The reply holds what is stored then."""
    given, _ = await read_json(request, GivenAnswer)
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        draft = await locked(request, connection, token)
        refuse_if_sent(draft)
        try:
            entry = Entry(kept(given.field, given.value, draft.questionnaire), given.seq)
        except NotKept as refusal:
            raise Problem(422, "That could not be kept", str(refusal)) from refusal
        taken = later(draft.entries, {given.field: entry})
        await drafts.keep(connection, draft.id, taken)
    held = taken.get(given.field, draft.entry(given.field))
    return JSONResponse({"value": held.value, "seq": held.seq, "taken": given.field in taken})


@router.post("/q/{token}/opened", status_code=204)
async def open_link(request: Request, token: str) -> None:
    """Note that the page was opened by somebody, and not by a program that looks at links in mail."""
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        await locked(request, connection, token)


@router.get("/q/{token}/{slug}")
async def show(request: Request, token: str, slug: str) -> Response:
    """One step of the questionnaire; `from=review` when it was opened to change one answer."""
    draft = await opened(request, token)
    if draft.sent_at:
        return to(token, REVIEW)
    return _page(request, token, draft, slug, returns=request.query_params.get("from") == REVIEW)


@router.post("/q/{token}/{slug}")
async def keep(request: Request, token: str, slug: str) -> Response:
    """Keep what a step's form holds and go on; where it cannot be kept as it is, ask."""
    form = await posted(request)
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        draft = await locked(request, connection, token)
        refuse_if_sent(draft)
        fields = fields_of(draft.questionnaire, slug)
        if not form.keys() <= {"go", *fields, *(SEQ + field for field in fields)}:
            raise not_this_form()
        given, refused = {}, {}
        for field in fields:
            if field in form:
                try:
                    given[field] = Entry(kept(field, form[field], draft.questionnaire), seq_of(form, field))
                except NotKept as refusal:
                    refused[field] = str(refusal)
        merged = merge(draft.entries, given)
        await drafts.keep(connection, draft.id, merged.taken)
    draft = replace(draft, entries={**draft.entries, **merged.taken})
    go = form.get("go", NEXT)
    missing = draft.missing if slug == COMPANY and go not in (BACK, LATER) else {}
    errors = {field: ask for field, ask in {**missing, **refused}.items() if field not in merged.disputed}
    if errors or merged.disputed:
        typed = {field: form[field] for field in refused}
        returns = go == REVIEW
        return _page(request, token, draft, slug, returns=returns, typed=typed, errors=errors, disputed=merged.disputed)
    if go in (REVIEW, LATER):
        return to(token, go)
    slugs = slugs_of(draft.questionnaire)
    return to(token, slugs[slugs.index(slug) + (-1 if go == BACK else 1)])


def slugs_of(questionnaire: Questionnaire) -> list[str]:
    """The steps in order, as addresses name them."""
    return [COMPANY, *(dimension.key.lower() for dimension in questionnaire.dimensions), REVIEW]


def fields_of(questionnaire: Questionnaire, slug: str) -> tuple[str, ...]:
    """The fields of a step; raises Problem where there is no such step."""
    if slug == COMPANY:
        return tuple(COMPANY_FIELDS)
    fields = tuple(question.id for question in questionnaire.questions if question.dimension.lower() == slug)
    if not fields:
        raise Problem(
            404,
            gettext_noop("There is nothing at this address"),
            gettext_noop("Check the address, or start again from the front page."),
        )
    return fields


def seq_of(form: Mapping[str, str], field: str) -> int:
    """The seq that a form's field was rendered with; raises Problem where the form has none."""
    seq = form.get(SEQ + field, "")
    if not (seq.isascii() and seq.isdigit() and len(seq) <= len(str(MAX_SEQ))):
        raise not_this_form()
    return int(seq)


def _page(
    request: Request,
    token: str,
    draft: Draft,
    slug: str,
    *,
    returns: bool,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    disputed: Mapping[str, str] | None = None,
) -> Response:
    """A step: what its fields hold or what was typed, what is asked about it, and both values where two differ."""
    questionnaire, language = draft.questionnaire, language_of(request)
    fields, slugs = fields_of(questionnaire, slug), slugs_of(questionnaire)
    stored = {field: draft.entry(field).value for field in fields}
    disputes = {
        field: [
            (value, language.gettext(place, answer=answered(language, questionnaire, field, value)))
            for place, value in ((ON_THIS_PAGE, here), (IN_ANOTHER_WINDOW, stored[field]))
        ]
        for field, here in (disputed or {}).items()
    }
    asks = {
        field: language.gettext(
            "Choose which answer stands: %(question)s", question=asked(language, questionnaire, field)
        )
        for field in disputes
    }
    asks |= errors or {}
    pages: Pages = request.app.state.pages
    return pages.render(
        request,
        "questionnaire/company.html" if slug == COMPANY else "questionnaire/dimension.html",
        status=409 if disputes else 422 if errors else 200,
        token=token,
        draft=draft,
        slug=slug,
        step=slugs.index(slug) + 1,
        steps=len(slugs),
        dimension=next((part for part in questionnaire.dimensions if part.key.lower() == slug), None),
        questions=[questionnaire.question(field) for field in fields if field not in COMPANY_FIELDS],
        asked={field: asked(language, questionnaire, field) for field in fields},
        values={**stored, **(typed or {})},
        seqs={field: draft.entry(field).seq for field in fields},
        disputes=disputes,
        errors={field: asks[field] for field in fields if field in asks},
        returns=returns,
        headcounts=headcounts(language),
        industries=industries(language),
        max_text=MAX_TEXT,
        kept_until=draft.expires_at,
        script=SCRIPT_ADDRESS,
    )
