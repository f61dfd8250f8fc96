"""The sales console: the pipeline, cases, mail, calls and personal links."""

from fastapi import APIRouter

from services.intake.web.console import calls, case, invitations, mail, pipeline

router = APIRouter(prefix="/console")
for part in (pipeline, mail, calls, invitations, case):
    router.include_router(part.router)
