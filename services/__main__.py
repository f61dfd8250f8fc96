"""The command line: `advisor up`, `serve`, `migrate`, `account`, `key`, `dead-letters`, `resay`, `demo`."""

PACKAGES = {
    "intake": "services.intake",
    "assessment": "services.assessment",
    "recommendation": "services.recommendation",
}
