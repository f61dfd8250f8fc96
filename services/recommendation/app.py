"""Recommendation in its frame."""

from services.recommendation.events import HANDLERS
from services.recommendation.web import api
from shared.contracts.recommendation import RecommendationAssigned, RecommendationProposed, RecommendationReviewed
from shared.service import Service

service = Service(
    name="recommendation",
    package="services.recommendation",
    routers=(api.router,),
    publishes=(RecommendationProposed, RecommendationAssigned, RecommendationReviewed),
    handlers=HANDLERS,
)
