"""How long what a prospect has sent is kept."""

from datetime import datetime, timedelta

KEPT = timedelta(days=730)


def kept_until(state: str, last_happened: datetime) -> datetime | None:
    """When a request is erased by itself; None where the client accepted and the work may go on."""
    return None if state == "accepted" else last_happened + KEPT
