"""The whole addresses of links: worked out each time, stored nowhere."""

from uuid import UUID

from services.intake.domain import drafts
from shared import access
from shared.service import Settings


def personal(settings: Settings, draft_id: UUID) -> str:
    """Where a prospect answers, and afterwards sees where it stands."""
    return _address(settings, "q", drafts.LINK, draft_id)


def document(settings: Settings, link_id: UUID) -> str:
    """Where a client reads what was released."""
    return _address(settings, "d", access.DOCUMENT_LINK, link_id)


def _address(settings: Settings, place: str, purpose: str, link_id: UUID) -> str:
    token = access.link_token(settings.link_secret.get_secret_value(), purpose, link_id)
    return f"{settings.public_url.rstrip('/')}/{place}/{token}"
