"""Every setting, from `ADVISOR_*` in the environment."""

from email.utils import parseaddr
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access import Jwk

MAIL_SCHEMES = ("smtp", "smtps", "smtp+starttls")


class Settings(BaseSettings):
    """What a process needs to know about where it runs. The secrets have no default: they are made, never guessed."""

    model_config = SettingsConfigDict(
        env_prefix="ADVISOR_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr
    kafka_bootstrap_servers: str
    public_url: str = "http://127.0.0.1:8000"
    assessment_url: str | None = None
    link_secret: SecretStr = Field(min_length=32)
    signing_key: Jwk | None = Field(default=None, repr=False)
    verification_keys: list[Jwk] = Field(min_length=1)
    role_passwords: dict[str, SecretStr] = Field(default_factory=dict)
    smtp_url: SecretStr | None = None
    mail_from: str | None = None

    @field_validator("smtp_url")
    @classmethod
    def _names_a_server(cls, smtp_url: SecretStr | None) -> SecretStr | None:
        if smtp_url is not None:
            address = urlsplit(smtp_url.get_secret_value())
            if address.scheme not in MAIL_SCHEMES or not address.hostname:
                raise ValueError(f"Name a mail server: {', '.join(MAIL_SCHEMES)}, as in smtps://USER:PASSWORD@HOST:465")
        return smtp_url

    @model_validator(mode="after")
    def _can_send(self) -> Self:
        if self.smtp_url is not None and not parseaddr(self.mail_from or "")[1]:
            raise ValueError("Set ADVISOR_MAIL_FROM to the address that mail is sent from.")
        return self

    @property
    def is_secure(self) -> bool:
        """True when people reach the system by https, so that cookies may insist on it."""
        return self.public_url.startswith("https://")
