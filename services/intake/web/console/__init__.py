"""The sales console: the pipeline, cases, and calls."""

from fastapi import APIRouter

from services.intake.web.console import calls, case, mail, pipeline

router = APIRouter(prefix="/console")
for part in (pipeline, mail, calls, case):
    router.include_router(part.router)
