"""Intake in its frame."""

from services.intake.events import HANDLERS
from services.intake.jobs import jobs
from services.intake.web import account, api, console, questionnaire
from shared.contracts.intake import IntakeErased, IntakeSubmitted, IntakeWithdrawn, StaffChanged
from shared.pages import pages, static_app
from shared.service import Service

service = Service(
    name="intake",
    package="services.intake",
    routers=(api.router, account.router, console.router, questionnaire.router),
    pages=pages("services.intake.web", "/static"),
    mounts={"/static": static_app()},
    publishes=(IntakeSubmitted, IntakeWithdrawn, IntakeErased, StaffChanged),
    handlers=HANDLERS,
    hears_within_ms=100,
    jobs=jobs,
)
