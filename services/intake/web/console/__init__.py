"""The sales console: the pipeline, and one case."""

from fastapi import APIRouter

from services.intake.web.console import case, mail, pipeline

router = APIRouter(prefix="/console")
for part in (pipeline, mail, case):
    router.include_router(part.router)
