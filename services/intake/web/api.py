"""The JSON API of intake, for machines with a key."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from uuid_utils.compat import uuid7

from services.intake import handlers
from services.intake.domain.invitations import InvitationForm
from services.intake.domain.pipeline import Asked, Cursor, Filters
from services.intake.domain.submission import (
    RevisionClosed,
    RevisionForm,
    SubmissionForm,
    UnknownIntake,
    given_answers,
    submitted,
)
from services.intake.handlers import links, prospects
from services.intake.store import intakes, invitations, pipeline, timeline
from services.intake.web.records import summary
from shared.access import Principal, requires
from shared.contracts.intake import Company
from shared.postgres import Database
from shared.questionnaire import load
from shared.service import Problem, Settings, answer_once, read_json
from shared.service.http import body_hash, idempotency_key, stored_answer

router = APIRouter(prefix="/api/intake")

MOST_LISTED = 500

Sales = Annotated[Principal, Depends(requires("sales", "account_manager"))]
Reader = Annotated[Principal, Depends(requires("sales", "account_manager", "admin"))]
Admin = Annotated[Principal, Depends(requires("admin"))]


def _taking(model: type[SubmissionForm | RevisionForm | InvitationForm]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


@router.get("/questionnaire")
async def questionnaire() -> dict[str, Any]:
    """The published questionnaire."""
    published = load()
    return {**published.model_dump(mode="json"), "hash": published.hash}


@router.post("/intakes", status_code=202, openapi_extra=_taking(SubmissionForm))
async def submit(request: Request, caller: Sales) -> Response:
    """Accept a submission, for good. With an Idempotency-Key a repeat gets the first answer."""
    form, body = await read_json(request, SubmissionForm)
    database: Database = request.app.state.database
    intake_id, given, now = uuid7(), given_answers(form), datetime.now(UTC)
    fact = submitted(
        intake_id=intake_id,
        revision=1,
        version=1,
        questionnaire=load(),
        given=given,
        company=Company(**form.company.model_dump()),
        channel="api",
        language="en",
        now=now,
        author=_author(caller),
    )
    answer = json.dumps({"intake_id": str(intake_id), "revision": 1, "status_url": f"/api/intake/intakes/{intake_id}"})
    key, route = idempotency_key(request), request.url.path
    async with database.autocommit() as connection:
        accepted = await intakes.accept(
            connection,
            fact,
            given=given,
            contact=form.contact,
            consent=form.consent,
            caller=caller.id,
            route=route,
            key=key,
            body_hash=body_hash(body),
            response=answer,
        )
        if not accepted and key is not None:
            earlier = await stored_answer(connection, caller.id, route, key, body)
            if earlier is None:
                raise Problem(503, "Busy at this moment", "The first request with this key has not ended. Try again.")
            return earlier
    return Response(answer, 202, media_type="application/json")


@router.get("/intakes")
async def listed(
    request: Request,
    caller: Sales,
    filters: Annotated[Filters, Query()],
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> dict[str, Any]:
    """The cases asked for, a page at a time: `next` is the address of the following page, or null on the last."""
    asked = Asked(filters, caller.id, datetime.now(UTC))
    try:
        cursor = Cursor.read(after, filters.sort)
    except ValueError as error:
        raise Problem(422, "Some fields need another value", "after: Follow `next` of the page before.") from error
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await pipeline.page(connection, asked, cursor, limit)
    more = urlencode({"after": str(rows[-1].cursor(filters.sort)), "limit": limit}) if len(rows) == limit else None
    query = "&".join(part for part in (filters.address(), more) if part)
    return {"intakes": [summary(row) for row in rows], "next": more and f"/api/intake/intakes?{query}"}


@router.get("/intakes/{intake_id}")
async def read(request: Request, intake_id: UUID, caller: Reader) -> dict[str, Any]:
    """State and timeline, how it came in, and what was given; the last two are null once erased."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await intakes.status(connection, intake_id)
        if found is None:
            raise _unknown()
        revision = None if found.state == "erased" else await intakes.current_revision(connection, intake_id)
        return {
            "intake_id": str(intake_id),
            "revision": found.revision,
            "state": found.state,
            "stuck": found.is_stuck,
            "submitted_at": found.submitted_at.isoformat(),
            "channel": found.channel,
            "campaign": found.campaign and found.campaign.model_dump(),
            "company": revision and revision.company.model_dump(),
            "answers": revision and {question: answer.model_dump() for question, answer in revision.given.items()},
            "timeline": await timeline.of(connection, intake_id),
        }


@router.post("/intakes/{intake_id}/revisions", status_code=202, openapi_extra=_taking(RevisionForm))
async def revise(request: Request, intake_id: UUID, caller: Sales) -> Response:
    """Change answers until the client has answered; answers that are not named stay as they are."""
    form, body = await read_json(request, RevisionForm)
    database: Database = request.app.state.database

    async with database.transaction() as connection:

        async def work() -> tuple[int, dict[str, Any]]:
            try:
                revision = await handlers.revise(
                    connection, intake_id, given_answers(form), seen=None, author=_author(caller)
                )
            except UnknownIntake as unknown:
                raise _unknown() from unknown
            except RevisionClosed as refusal:
                raise Problem(409, "Too late for a change", str(refusal), state=refusal.state) from refusal
            status_url = f"/api/intake/intakes/{intake_id}"
            return 202, {"intake_id": str(intake_id), "revision": revision, "status_url": status_url}

        return await answer_once(request, connection, caller.id, body, work)


@router.post("/intakes/{intake_id}/withdrawal")
async def withdraw(request: Request, intake_id: UUID, caller: Sales) -> dict[str, Any]:
    """Take the request back. What is stored stays readable; asking twice changes nothing."""
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        try:
            state = await handlers.withdraw(connection, intake_id, by=caller.id)
        except UnknownIntake as unknown:
            raise _unknown() from unknown
    return {"intake_id": str(intake_id), "state": state}


@router.delete("/intakes/{intake_id}", status_code=204)
async def erase(request: Request, intake_id: UUID, caller: Admin) -> None:
    """Erase everything personal about an intake, everywhere; asking twice changes nothing."""
    database: Database = request.app.state.database
    async with database.transaction() as connection:
        try:
            await handlers.erase(connection, intake_id, by=caller.id)
        except UnknownIntake as unknown:
            raise _unknown() from unknown


@router.post("/invitations", status_code=201, openapi_extra=_taking(InvitationForm))
async def invite(request: Request, caller: Sales) -> Response:
    """Make a personal link with what is known in place. `duplicates` is a hint: the link is made all the same."""
    form, body = await read_json(request, InvitationForm)
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings

    async with database.transaction() as connection:

        async def work() -> tuple[int, dict[str, Any]]:
            found = await prospects.known_of(connection, form.company.name, form.contact.email)
            draft = await prospects.invite(connection, form.values, form.campaign, caller.id, by_mail=form.send)
            return 201, {
                "invitation_id": str(draft.id),
                "link": links.personal(settings, draft.id),
                "expires_at": draft.expires_at.isoformat(),
                "duplicates": [
                    {
                        "kind": one.kind,
                        "id": str(one.id),
                        "state": one.state,
                        "owner": one.owner,
                        "reasons": one.reasons,
                    }
                    for one in found
                ],
            }

        return await answer_once(request, connection, caller.id, body, work)


@router.get("/invitations/{invitation_id}")
async def invitation(request: Request, invitation_id: UUID, caller: Sales) -> dict[str, Any]:
    """Where a personal link stands."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await invitations.find(connection, invitation_id)
    if found is None:
        raise Problem(404, "There is no such invitation", "Check its id.")
    return {
        "invitation_id": str(invitation_id),
        "state": found.standing(datetime.now(UTC)),
        "answered": found.answered,
        "expires_at": found.expires_at.isoformat(),
    }


def _author(caller: Principal) -> UUID | None:
    """Who took the answers down, where that is a person: somebody else approves what comes of them."""
    return caller.id if caller.is_person else None


def _unknown() -> Problem:
    return Problem(404, "There is no such intake", "Check its id.")
