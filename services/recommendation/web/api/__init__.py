"""The JSON API of recommendation: proposals, the queue, reviews, and the document that is released."""

from fastapi import APIRouter

from services.recommendation.web.api import cases, decisions, documents, report

router = APIRouter(prefix="/api/recommendation")
for part in (cases, decisions, documents, report):
    router.include_router(part.router)
