"""Pages for staff: signing in, the own account, and for admins everybody's accounts and keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from services.intake.web.account import keys, oidc, own, people, sign_in
from services.intake.web.account.forms import only_known
from services.intake.web.account.passwords import Attempts
from services.intake.web.account.provider import Provider
from shared.service import Settings

MAX_FORM_BYTES = 65_536


@asynccontextmanager
async def _signing_in(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.attempts = Attempts()
    app.state.provider = Provider(settings) if settings.oidc_issuer else None
    yield


router = APIRouter(
    lifespan=_signing_in,
    max_body_size=MAX_FORM_BYTES,
    include_in_schema=False,
    dependencies=[Depends(only_known)],
)
for part in (sign_in, oidc, own, people, keys):
    router.include_router(part.router)
