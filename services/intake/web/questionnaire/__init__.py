"""The prospect's pages: the questionnaire from start to submit, then where it stands and what came out."""

from fastapi import APIRouter, Depends

from services.intake.web.questionnaire import sent, steps
from services.intake.web.questionnaire.draft import speak

router = APIRouter(include_in_schema=False, dependencies=[Depends(speak)])
router.include_router(sent.router)
router.include_router(steps.router)
