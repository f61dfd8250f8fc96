"""Recommendation in its frame."""

from services.recommendation.events import HANDLERS
from services.recommendation.jobs import jobs
from services.recommendation.web import api, booking, documents, releases, reviews
from shared.contracts.recommendation import (
    RecommendationAnswered,
    RecommendationAssigned,
    RecommendationCallBooked,
    RecommendationExpired,
    RecommendationLinkClosed,
    RecommendationOpened,
    RecommendationOutcomeRecorded,
    RecommendationProposed,
    RecommendationReleased,
    RecommendationReplied,
    RecommendationReviewed,
)
from shared.pages import pages, static_app
from shared.service import Service

service = Service(
    name="recommendation",
    package="services.recommendation",
    routers=(api.router, reviews.router, releases.router, documents.router, booking.router),
    pages=pages("services.recommendation.web", "/reviews/static"),
    mounts={"/reviews/static": static_app()},
    publishes=(
        RecommendationProposed,
        RecommendationAssigned,
        RecommendationReviewed,
        RecommendationReleased,
        RecommendationOpened,
        RecommendationAnswered,
        RecommendationReplied,
        RecommendationCallBooked,
        RecommendationExpired,
        RecommendationLinkClosed,
        RecommendationOutcomeRecorded,
    ),
    handlers=HANDLERS,
    says_within_ms=100,
    jobs=jobs,
)
