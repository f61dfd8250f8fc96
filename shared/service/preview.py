"""What answers would score: the one question that one service asks another, and never on the way of what is kept."""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache

import httpx2
from fastapi import Request
from pydantic import ValidationError

from shared.access import token_of
from shared.contracts.assessment import Assessment
from shared.contracts.intake import Answer
from shared.service.settings import Settings

LIMIT_SECONDS = 0.5


class NoPreview(Exception):
    """Assessment has not answered in time, or not with an assessment."""


async def preview(request: Request, answers: Mapping[str, Answer]) -> Assessment:
    """The assessment of these answers under the rubric in force, asked for with the token of whoever is asking here.

    Raises NoPreview after half a second at the latest.
    """
    settings: Settings = request.app.state.settings
    address = (settings.assessment_url or settings.public_url).rstrip("/")
    body = {"answers": {question: answer.model_dump() for question, answer in answers.items()}}
    try:
        async with (
            asyncio.timeout(LIMIT_SECONDS),
            httpx2.AsyncClient(verify=_trusted(), trust_env=False) as client,
        ):
            answer = await client.post(
                f"{address}/api/assessment/preview",
                json=body,
                headers={"Authorization": f"Bearer {token_of(request)}"},
            )
        return Assessment.model_validate_json(answer.raise_for_status().content)
    except (httpx2.HTTPError, TimeoutError, ValidationError) as error:
        raise NoPreview from error


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
