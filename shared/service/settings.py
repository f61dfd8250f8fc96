"""Every setting, from `ADVISOR_*` in the environment."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access import Jwk


class Settings(BaseSettings):
    """What a process needs to know about where it runs. The secrets have no default: they are made, never guessed."""

    model_config = SettingsConfigDict(env_prefix="ADVISOR_", frozen=True)

    database_url: SecretStr
    kafka_bootstrap_servers: str
    public_url: str = "http://127.0.0.1:8000"
    link_secret: SecretStr = Field(min_length=32)
    signing_key: Jwk | None = Field(default=None, repr=False)
    verification_keys: list[Jwk] = Field(min_length=1)
    role_passwords: dict[str, SecretStr] = Field(default_factory=dict)

    @property
    def is_secure(self) -> bool:
        """True when people reach the system by https, so that cookies may insist on it."""
        return self.public_url.startswith("https://")
