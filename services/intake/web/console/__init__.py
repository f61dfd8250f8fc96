"""The sales console: the pipeline and its views, cases with all that staff do about them, mail, calls and links."""

from fastapi import APIRouter, Depends

from services.intake.web.console import (
    away,
    calls,
    case,
    closing,
    export,
    invitations,
    mail,
    notes,
    ownership,
    pipeline,
    revising,
    views,
)
from services.intake.web.console.staff import only_known

MAX_FORM_BYTES = 65_536

router = APIRouter(
    prefix="/console",
    max_body_size=MAX_FORM_BYTES,
    include_in_schema=False,
    dependencies=[Depends(only_known)],
)
for part in (pipeline, export, views, away, mail, calls, invitations, case, ownership, notes, revising, closing):
    router.include_router(part.router)
