"""Pages for staff: signing in, the own account, and for admins everybody's accounts and keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from services.intake.web.account import keys, own, people, sign_in
from services.intake.web.account.forms import only_known
from services.intake.web.account.passwords import Attempts

MAX_FORM_BYTES = 65_536


@asynccontextmanager
async def _counting_attempts(app: FastAPI) -> AsyncIterator[None]:
    app.state.attempts = Attempts()
    yield


router = APIRouter(
    lifespan=_counting_attempts,
    max_body_size=MAX_FORM_BYTES,
    include_in_schema=False,
    dependencies=[Depends(only_known)],
)
for part in (sign_in, own, people, keys):
    router.include_router(part.router)
