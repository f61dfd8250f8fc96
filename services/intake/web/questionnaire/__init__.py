"""The prospect's pages: the questionnaire from start to submit, then where it stands and what came out."""

from fastapi import APIRouter

from services.intake.web.questionnaire import sent, steps

router = APIRouter(include_in_schema=False)
router.include_router(sent.router)
router.include_router(steps.router)
