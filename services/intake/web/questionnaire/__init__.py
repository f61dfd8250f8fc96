"""The prospect's pages: the questionnaire from start to submit, then where it stands and what came out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from services.intake.web.questionnaire import data, later, sent, steps
from services.intake.web.questionnaire.draft import speak


@asynccontextmanager
async def _counting_requests(app: FastAPI) -> AsyncIterator[None]:
    app.state.mail_requests = later.requests()
    yield


router = APIRouter(lifespan=_counting_requests, include_in_schema=False, dependencies=[Depends(speak)])
for part in (data, later, sent, steps):
    router.include_router(part.router)
