"""The pages of account managers: the queue, one case and the decision on it, and who looks after it meanwhile."""

from fastapi import APIRouter

from services.recommendation.web.reviews import (
    audit,
    away,
    calls,
    case,
    client,
    decisions,
    due,
    lines,
    queue,
    report,
    what_if,
)

MAX_FORM_BYTES = 65_536

router = APIRouter(prefix="/reviews", max_body_size=MAX_FORM_BYTES, include_in_schema=False)
for part in (queue, report, away, case, decisions, lines, what_if, client, calls, due, audit):
    router.include_router(part.router)
