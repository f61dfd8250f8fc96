"""The JSON API of recommendation: proposals, the queue, reviews, and the document that is released."""

from fastapi import APIRouter

from services.recommendation.web.api import cases, decisions, documents

router = APIRouter(prefix="/api/recommendation")
for part in (cases, decisions, documents):
    router.include_router(part.router)
