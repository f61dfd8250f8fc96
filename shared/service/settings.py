"""Every setting, from `ADVISOR_*` in the environment."""

from email.utils import parseaddr
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access import Jwk
from shared.contracts.intake import Role

MAIL_SCHEMES = ("smtp", "smtps", "smtp+starttls")


class DatabaseSettings(BaseSettings):
    """Where the data is: enough for what works on the database alone."""

    model_config = SettingsConfigDict(
        env_prefix="ADVISOR_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    database_url: SecretStr
    role_passwords: dict[str, SecretStr] = Field(default_factory=dict)


class Settings(DatabaseSettings):
    """What a service needs to know about where it runs. The secrets have no default: they are made, never guessed."""

    kafka_bootstrap_servers: str
    public_url: str = "http://127.0.0.1:8000"
    assessment_url: str | None = None
    link_secret: SecretStr = Field(min_length=32)
    signing_key: Jwk | None = Field(default=None, repr=False)
    verification_keys: list[Jwk] = Field(min_length=1)
    smtp_url: SecretStr | None = None
    mail_from: str | None = None

    oidc_issuer: str | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_roles_claim: str = "groups"
    oidc_roles: dict[str, Role] = Field(default_factory=dict)
    oidc_label: str = "your company account"
    local_sign_in: bool = False

    @field_validator("smtp_url")
    @classmethod
    def _names_a_server(cls, smtp_url: SecretStr | None) -> SecretStr | None:
        if smtp_url is not None:
            address = urlsplit(smtp_url.get_secret_value())
            if address.scheme not in MAIL_SCHEMES or not address.hostname or address.port == 0:
                raise ValueError(f"Name a mail server: {', '.join(MAIL_SCHEMES)}, as in smtps://USER:PASSWORD@HOST:465")
        return smtp_url

    @model_validator(mode="after")
    def _can_send(self) -> Self:
        if self.smtp_url is not None and not parseaddr(self.mail_from or "")[1]:
            raise ValueError("Set ADVISOR_MAIL_FROM to the address that mail is sent from.")
        return self

    @field_validator("oidc_issuer")
    @classmethod
    def _cannot_be_overheard(cls, issuer: str | None) -> str | None:
        if issuer is not None:
            address = urlsplit(issuer)
            if address.scheme != "https" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
                raise ValueError("Give the provider's issuer, beginning with https://")
        return issuer

    @model_validator(mode="after")
    def _maps_roles(self) -> Self:
        if self.oidc_issuer is not None and not (self.oidc_client_id and self.oidc_roles):
            raise ValueError("Set ADVISOR_OIDC_CLIENT_ID and ADVISOR_OIDC_ROLES beside ADVISOR_OIDC_ISSUER.")
        return self

    @property
    def has_passwords(self) -> bool:
        """True where people sign in with passwords kept here."""
        return self.oidc_issuer is None or self.local_sign_in

    @property
    def is_secure(self) -> bool:
        """True when people reach the system by https, so that cookies may insist on it."""
        return self.public_url.startswith("https://")
