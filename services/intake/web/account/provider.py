"""The OpenID provider: its discovery, where it signs people in, and what it says about them once that is verified."""

import time
from collections.abc import Mapping
from typing import Any, Self

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from services.intake.domain.identity import claimed
from shared.service import Settings

CALLBACK = "/account/oidc/callback"
DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid profile email"
# Only signatures that a public key verifies: with any other the client's secret, or nothing, would do.
ALGORITHMS = tuple(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
KEY_TYPES = ("RSA", "EC")
LEEWAY_SECONDS = 60
ANSWER_SECONDS = 5
DISCOVERED_FOR_SECONDS = 3600


class ProviderAway(Exception):
    """The provider does not answer, or not as one does."""


class AnswerRefused(Exception):
    """What the provider answered does not prove who somebody is."""


class Metadata(BaseModel):
    """What OpenID Connect Discovery 1.0 says about a provider, as far as it is needed."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    scopes_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    @model_validator(mode="after")
    def _stays_encrypted(self) -> Self:
        endpoints = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        if self.issuer.startswith("https://") and not all(
            one is None or one.startswith("https://") for one in endpoints
        ):
            raise ValueError("an endpoint is not reached by https")
        return self


class Provider:
    """The provider that the settings name. Discovery is kept for an hour, keys until a token names one that is new."""

    def __init__(self, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        assert settings.oidc_issuer is not None
        self.issuer = settings.oidc_issuer
        self._settings = settings
        self._transport = transport
        self._metadata: Metadata | None = None
        self._discovered_at = 0.0
        self._keys: KeySet | None = None

    async def authorization_url(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to sign in (code flow with PKCE, S256). Raises ProviderAway."""
        metadata = await self._discovered()
        async with self._client(metadata) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(url)

    async def claims(self, code: str, *, nonce: str, verifier: str) -> dict[str, Any]:
        """What the provider says about whoever got this code; raises ProviderAway or AnswerRefused.

        The ID token is verified; what it lacks of name, address and roles is asked for with its access token.
        """
        metadata = await self._discovered()
        try:
            async with self._client(metadata) as client:
                token = await client.fetch_token(metadata.token_endpoint, code=code, code_verifier=verifier)
                claims = await self._verified(metadata, token, nonce)
                wanted = ("name", "email", self._settings.oidc_roles_claim)
                if metadata.userinfo_endpoint and not all(claimed(claims, name) for name in wanted):
                    answer = await client.get(metadata.userinfo_endpoint)
                    answer.raise_for_status()
                    told = answer.json()
                    if told["sub"] != claims["sub"]:
                        raise AnswerRefused("sub")
                    claims = told | claims
        except OAuthError as error:
            raise AnswerRefused(error.error) from error
        except JoseError as error:
            raise AnswerRefused(str(error)) from error
        except (httpx2.HTTPError, ValueError, TypeError, KeyError) as error:
            raise ProviderAway(type(error).__name__) from error
        return claims

    async def end_session_url(self) -> str | None:
        """Where a browser ends its session at the provider; None where there is no such place at this moment."""
        try:
            metadata = await self._discovered()
        except ProviderAway:
            return None
        if metadata.end_session_endpoint is None:
            return None
        back = self._settings.public_url.rstrip("/") + "/account/sign-in"
        query = {"client_id": self._settings.oidc_client_id, "post_logout_redirect_uri": back}
        return str(httpx2.URL(metadata.end_session_endpoint).copy_merge_params(query))

    async def _verified(self, metadata: Metadata, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        try:
            decoded = jwt.decode(token["id_token"], self._keys or await self._fetch_keys(metadata), registry=registry)
        except InvalidKeyIdError:
            decoded = jwt.decode(token["id_token"], await self._fetch_keys(metadata), registry=registry)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {"iss": {"values": [self.issuer]}, "aud": {"values": [self._settings.oidc_client_id]}},
            {"nonce": nonce, "client_id": self._settings.oidc_client_id, "access_token": token["access_token"]},
        )
        claims.validate(leeway=LEEWAY_SECONDS)
        return dict(claims)

    async def _fetch_keys(self, metadata: Metadata) -> KeySet:
        found = (await self._get(metadata.jwks_uri))["keys"]
        keys = [key for key in found if key.get("kty") in KEY_TYPES and key.get("use", "sig") == "sig"]
        self._keys = KeySet.import_key_set({"keys": keys})
        return self._keys

    async def _discovered(self) -> Metadata:
        now = time.monotonic()
        if self._metadata is None or now - self._discovered_at > DISCOVERED_FOR_SECONDS:
            try:
                metadata = Metadata.model_validate(await self._get(self.issuer.rstrip("/") + DISCOVERY))
            except (httpx2.HTTPError, ValidationError, ValueError) as error:
                raise ProviderAway(type(error).__name__) from error
            if metadata.issuer != self.issuer:
                raise ProviderAway("issuer")
            self._metadata, self._discovered_at = metadata, now
        return self._metadata

    async def _get(self, address: str) -> Any:
        async with httpx2.AsyncClient(transport=self._transport, timeout=ANSWER_SECONDS) as client:
            answer = await client.get(address)
            answer.raise_for_status()
            return answer.json()

    def _client(self, metadata: Metadata) -> AsyncOAuth2Client:
        secret, methods = self._settings.oidc_client_secret, metadata.token_endpoint_auth_methods_supported
        how = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        claim = self._settings.oidc_roles_claim
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            token_endpoint_auth_method="none" if secret is None else how,
            redirect_uri=self._settings.public_url.rstrip("/") + CALLBACK,
            scope=f"{SCOPE} {claim}" if claim in metadata.scopes_supported else SCOPE,
            code_challenge_method="S256",
            transport=self._transport,
            timeout=ANSWER_SECONDS,
        )
