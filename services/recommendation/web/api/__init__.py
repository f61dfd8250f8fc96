"""The JSON API of recommendation: proposals, the queue, reviews, the released document, and outcomes."""

from fastapi import APIRouter

from services.recommendation.web.api import cases, decisions, documents, outcomes, report

router = APIRouter(prefix="/api/recommendation")
for part in (cases, decisions, documents, outcomes, report):
    router.include_router(part.router)
