"""The live intake: a questionnaire that colleagues fill in while they talk, in any order."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.intake.domain import calls
from services.intake.domain.drafts import CONSENT, HOW, Draft, Entry, NotKept, begin, later, merge
from services.intake.domain.duplicates import Known
from services.intake.domain.submission import MAX_TEXT, ConsentForm
from services.intake.handlers.prospects import accept, known_of
from services.intake.store import calls as stored
from services.intake.store import cases, drafts
from services.intake.web.console.staff import Sales, database_of, page, see
from services.intake.web.questionnaire.draft import not_this_form, posted
from services.intake.web.questionnaire.steps import MAX_SEQ, SEQ, seq_of
from services.intake.web.questionnaire.wording import answered, asked_back, headcounts, industries
from shared.access import Principal
from shared.contracts.assessment import Assessment
from shared.language import gettext_noop
from shared.pages import language_of
from shared.postgres import Connection
from shared.questionnaire import load
from shared.service import Problem, read_json
from shared.service.preview import NoPreview, preview

router = APIRouter(prefix="/calls")

PAGE = 50
GO, SEND, CONSENT_FIELD, SEEN = "go", "send", "consent", "seen"
AGREED = gettext_noop("Ask whether we may keep their answers, and tick the box when they have said yes.")
LOOK_FIRST = gettext_noop("Look at what is there of this company already, then send once more if this is a new case.")

SCRIPT = (files("services.intake.web") / "static" / "calls.js").read_bytes()
SCRIPT_ADDRESS = f"/console/calls/script.js?v={hashlib.sha256(SCRIPT).hexdigest()[:10]}"


class GivenEntry(BaseModel):
    """What the page's script saves of one field, with a seq one above the last it has seen."""

    model_config = ConfigDict(extra="forbid", strict=True)

    value: str
    seq: int = Field(ge=1, le=MAX_SEQ)


class GivenEntries(BaseModel):
    """All that has changed on the page since the last reply, by field."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entries: dict[str, GivenEntry]


@dataclass(frozen=True)
class Attempt:
    """A form that did not go through: what was typed, what is asked, what a colleague has written instead."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    theirs: Mapping[str, str] = field(default_factory=dict)
    is_agreed: bool = False
    found: Collection[Known] = ()


@router.get("/")
async def overview(request: Request, staff: Sales, whose: str = "mine", before: datetime | None = None) -> HTMLResponse:
    """The calls that were not sent in yet, latest first: one's own, or everybody's."""
    if whose not in ("mine", "all"):
        raise Problem(404, gettext_noop("There is no such list"), gettext_noop("Go back to the calls and choose one."))
    questions = [question.id for question in load().questions]
    async with database_of(request).connection() as connection:
        rows = await stored.open_calls(
            connection,
            questions,
            made_by=staff.id if whose == "mine" else None,
            before=before,
            limit=PAGE,
            now=datetime.now(UTC),
        )
    return page(
        request,
        "calls.html",
        staff=staff,
        rows=rows,
        whose=whose,
        total=len(questions),
        earlier=rows[-1].begun_at if len(rows) == PAGE else None,
        max_text=MAX_TEXT,
    )


@router.post("/")
async def start(request: Request, staff: Sales) -> Response:
    """Begin a call, with the company's name where it is known."""
    form = await posted(request)
    if not form.keys() <= {"company_name"}:
        raise not_this_form()
    draft = replace(begin(uuid7(), datetime.now(UTC), language_of(request).tag), channel="console", made_by=staff.id)
    try:
        name = calls.kept("company_name", form.get("company_name", ""), draft.questionnaire)
    except NotKept as refusal:
        raise Problem(422, gettext_noop("That could not be kept"), str(refusal)) from refusal
    async with database_of(request).transaction() as connection:
        await drafts.add(connection, replace(draft, entries={"company_name": Entry(name, 1)} if name else {}))
    return see(f"calls/{draft.id}")


@router.get("/script.js")
async def script(staff: Sales) -> Response:
    """The script of a call's page, under an address that changes with it."""
    lasting = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(SCRIPT, media_type="text/javascript", headers=lasting)


@router.get("/{call_id:uuid}")
async def call(request: Request, call_id: UUID, staff: Sales) -> Response:
    """One call: everything that can be asked, and what the answers so far come to."""
    async with database_of(request).connection() as connection:
        draft = await _open(connection, call_id)
    if draft.sent_at is not None:
        return see(f"{call_id}")
    return await _page(request, staff, draft, Attempt())


@router.post("/{call_id:uuid}")
async def keep(request: Request, call_id: UUID, staff: Sales) -> Response:
    """Keep what the page's form holds, and send it in where that was asked for."""
    form = await posted(request)
    async with database_of(request).transaction() as connection:
        draft = await _open(connection, call_id, for_update=True)
        if draft.sent_at is not None:
            return see(f"{call_id}")
        fields = calls.fields(draft.questionnaire)
        if not form.keys() <= {GO, CONSENT_FIELD, SEEN, *fields, *(SEQ + one for one in fields)}:
            raise not_this_form()
        draft, attempt = await _kept(connection, draft, fields, form)
        if form.get(GO) == SEND and not attempt.errors:
            attempt = await _why_not_yet(connection, draft, form)
            if not attempt.errors:
                await accept(
                    connection,
                    draft,
                    ConsentForm(given=True, obtained_by=staff.name),
                    author=staff.id if staff.is_person else None,
                )
                await _hand_over_notes(connection, draft, staff)
                return see(f"{call_id}")
    if attempt.errors:
        return await _page(request, staff, draft, attempt)
    return see(f"calls/{call_id}")


async def _hand_over_notes(connection: Connection, draft: Draft, staff: Principal) -> None:
    """The notes become the case's, where they can be changed and are erased with it."""
    taken = calls.notes(draft)
    for text in taken.values():
        await cases.add_note(connection, draft.id, staff.id, text, datetime.now(UTC))
    await drafts.drop(connection, draft.id, taken)


async def _kept(
    connection: Connection, draft: Draft, fields: Iterable[str], form: Mapping[str, str]
) -> tuple[Draft, Attempt]:
    given, errors = {}, {}
    for one in fields:
        if SEQ + one in form:
            try:
                given[one] = Entry(calls.kept(one, form.get(one, ""), draft.questionnaire), seq_of(form, one))
            except NotKept as refusal:
                errors[one] = str(refusal)
    merged = merge(draft.entries, given)
    await drafts.keep(connection, draft.id, merged.taken)
    theirs = {one: draft.entry(one).value for one in merged.disputed}
    errors |= {one: gettext_noop("Choose what stands: a colleague has changed it meanwhile.") for one in theirs}
    typed = {one: form.get(one, "") for one in errors}
    kept = replace(draft, entries={**draft.entries, **merged.taken})
    return kept, Attempt(typed, errors, theirs, is_agreed=form.get(CONSENT_FIELD) == "yes")


async def _why_not_yet(connection: Connection, draft: Draft, form: Mapping[str, str]) -> Attempt:
    """What stands against sending: answers that are needed, agreement, and cases that nobody has looked at."""
    is_agreed = form.get(CONSENT_FIELD) == "yes"
    errors = calls.missing(draft) | ({} if is_agreed else {CONSENT_FIELD: AGREED})
    found = await _known_of(connection, draft)
    if not errors and {str(one.id) for one in found} - set(form.get(SEEN, "").split()):
        errors = {"known": LOOK_FIRST}
    return Attempt(errors=errors, is_agreed=is_agreed, found=found)


@router.post("/{call_id:uuid}/answers")
async def save(request: Request, call_id: UUID, staff: Sales) -> Response:
    """Keep each field whose seq is higher than the stored one. The reply holds all that is stored, by whomever."""
    given, _ = await read_json(request, GivenEntries)
    async with database_of(request).transaction() as connection:
        draft = await _open(connection, call_id, for_update=True)
        if draft.sent_at is not None:
            raise Problem(
                409,
                gettext_noop("Sent already"),
                gettext_noop("A colleague has sent this call in. Open the case to go on."),
            )
        if not given.entries.keys() <= set(calls.fields(draft.questionnaire)):
            raise not_this_form()
        entries, refused = {}, {}
        for one, entry in given.entries.items():
            try:
                entries[one] = Entry(calls.kept(one, entry.value, draft.questionnaire), entry.seq)
            except NotKept as refusal:
                refused[one] = language_of(request).gettext(str(refusal))
        taken = later(draft.entries, entries)
        await drafts.keep(connection, draft.id, taken)
    held = {**draft.entries, **taken}
    return JSONResponse(
        {
            "stored": {
                one: {
                    "value": entry.value,
                    "seq": entry.seq,
                    "words": _words(request, draft, one, entry.value),
                }
                for one, entry in held.items()
            },
            "refused": refused,
        }
    )


@router.get("/{call_id:uuid}/scores")
async def scores(request: Request, call_id: UUID, staff: Sales) -> HTMLResponse:
    """What the answers so far come to. Where assessment does not answer, only that is said, and the figures stay."""
    async with database_of(request).connection() as connection:
        draft = await _open(connection, call_id)
    shown = await _scores(request, draft)
    if shown["assessment"]:
        return page(request, "scores.html", call=draft, **shown)
    response = page(request, "no-scores.html", call=draft, is_behind=True)
    response.headers.update({"HX-Retarget": "#scores-state", "HX-Reswap": "outerHTML"})
    return response


@router.get("/{call_id:uuid}/known")
async def known(request: Request, call_id: UUID, staff: Sales) -> HTMLResponse:
    """What is there already of the company that was named."""
    async with database_of(request).connection() as connection:
        draft = await _open(connection, call_id)
        found = await _known_of(connection, draft)
    return page(request, "call-known.html", call=draft, known=found, is_update=True)


@router.post("/{call_id:uuid}/discard")
async def discard(request: Request, call_id: UUID, staff: Sales) -> Response:
    """Delete a call that was not sent in, with all that was typed."""
    async with database_of(request).transaction() as connection:
        draft = await _open(connection, call_id, for_update=True)
        if draft.sent_at is None:
            await drafts.forget(connection, call_id)
    return see("calls/")


async def _open(connection: Connection, call_id: UUID, *, for_update: bool = False) -> Draft:
    draft = await (drafts.lock if for_update else drafts.find)(connection, call_id)
    if draft is None or draft.channel != "console":
        raise Problem(
            404,
            gettext_noop("There is no such call"),
            gettext_noop("It may have been discarded, or left for 30 days. Look for it in the list of calls."),
            action={"label": gettext_noop("See the calls"), "href": "/console/calls/?whose=all"},
        )
    return draft


async def _known_of(connection: Connection, draft: Draft) -> list[Known]:
    name, email = draft.entry("company_name").value, draft.entry("contact_email").value
    return await known_of(connection, name, email, besides=[draft.id])


async def _scores(request: Request, draft: Draft) -> dict[str, Any]:
    questionnaire = draft.questionnaire
    open_checks = questionnaire.open_contradictions(questionnaire.completed(draft.answers))
    assessment: Assessment | None
    try:
        assessment = await preview(request, draft.given)
    except NoPreview:
        assessment = None
    return {
        "assessment": assessment,
        "asked_back": asked_back(questionnaire, (rule.id for rule in open_checks)),
        "answered": len(draft.answers),
    }


def _words(request: Request, draft: Draft, one: str, value: str) -> str:
    language = language_of(request)
    if one.startswith(HOW):
        return language.gettext("Inferred") if value else language.gettext("Said")
    if one == calls.NOTES or one.startswith(calls.NOTE):
        return value
    return answered(language, draft.questionnaire, one, value)


async def _page(request: Request, staff: Principal, draft: Draft, attempt: Attempt) -> HTMLResponse:
    fields = calls.fields(draft.questionnaire)
    language = language_of(request)
    found = attempt.found
    if not attempt.errors:
        async with database_of(request).connection() as connection:
            found = await _known_of(connection, draft)
    return page(
        request,
        "call.html",
        status=409 if attempt.theirs else 422 if attempt.errors else 200,
        staff=staff,
        call=draft,
        questionnaire=draft.questionnaire,
        values={one: draft.entry(one).value for one in fields} | dict(attempt.typed),
        seqs={one: draft.entry(one).seq for one in fields},
        theirs={one: _words(request, draft, one, value) for one, value in attempt.theirs.items()},
        errors=attempt.errors,
        is_agreed=attempt.is_agreed,
        known=found,
        consent=CONSENT,
        headcounts=headcounts(language),
        industries=industries(language),
        max_text=MAX_TEXT,
        max_note=calls.MAX_NOTE,
        script=SCRIPT_ADDRESS,
        **await _scores(request, draft),
    )
