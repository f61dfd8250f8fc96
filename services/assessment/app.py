"""Assessment in its frame."""

from services.assessment.events import HANDLERS
from services.assessment.handlers import seed_rubrics
from services.assessment.web import api
from shared.contracts.assessment import AssessmentCompleted
from shared.service import Service

service = Service(
    name="assessment",
    package="services.assessment",
    routers=(api.router,),
    publishes=(AssessmentCompleted,),
    handlers=HANDLERS,
    prepare=seed_rubrics,
)
