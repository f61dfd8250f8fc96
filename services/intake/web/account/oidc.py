"""Signing in at an OpenID provider: there, back again, and what becomes of the account here."""

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from services.intake import handlers
from services.intake.domain.accounts import (
    Account,
    EmailTaken,
    LastAdmin,
    Session,
    home,
    keep_an_admin,
    local_path,
)
from services.intake.domain.identity import Deactivated, Identity, NoAddress, NoRole, NotConnected, identity
from services.intake.store import accounts
from services.intake.web.account.forms import (
    SIGN_IN,
    cookie_name,
    database_of,
    drop_cookie,
    keep_cookie,
    page,
    see,
    settings_of,
    start_session,
)
from services.intake.web.account.provider import CALLBACK, AnswerRefused, Provider, ProviderAway
from shared.access import ALGORITHM, NotSignedIn, Staff, public_part, signed_in
from shared.postgres import Connection
from shared.service import Problem

FLOW_COOKIE = "advisor-sign-in"
FLOW_LASTS = timedelta(minutes=10)
AGAIN = {"label": "Sign in", "href": SIGN_IN}

router = APIRouter()
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Flow:
    """One way to the provider and back: kept signed in the browser that went. `connect` is the account it is for."""

    state: str
    nonce: str
    verifier: str
    going: str
    connect: str


def provider_of(request: Request) -> Provider:
    """The provider; raises Problem where none is configured."""
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise Problem(404, "There is nothing at this address", "Sign in with your password instead.", action=AGAIN)
    return provider


AtProvider = Annotated[Provider, Depends(provider_of)]


@router.get("/account/oidc")
async def go(request: Request, provider: AtProvider) -> Response:
    """Send the browser to the provider to sign in there."""
    flow = _begin(local_path(request.query_params.get("next", "")) or "")
    return _keep(request, flow, see(await _address(request, provider, flow)))


@router.post("/account/oidc/connect")
async def connect(request: Request, staff: Staff, provider: AtProvider) -> Response:
    """Offer the way to the provider that connects the account of whoever is signed in."""
    flow = _begin("/account/?done=connected", staff.id)
    # A link: browsers do not let a form's answer lead to another site.
    address = await _address(request, provider, flow)
    return _keep(request, flow, page(request, "connect.html", staff=staff, address=address))


@router.get(CALLBACK)
async def come_back(request: Request, provider: AtProvider) -> Response:
    """Take the provider's answer, and begin a session for whom it proves."""
    flow, label, answer = _flow(request), settings_of(request).oidc_label, request.query_params
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise _untrusted(label, "iss")
    if "code" not in answer:
        log.info("oidc.not_completed", error=answer.get("error", "")[:40])
        raise Problem(403, "You are not signed in", f"{label} did not complete the sign-in.", action=AGAIN)
    who = await _identity(request, provider, flow, answer["code"])
    try:
        account, session = await _enter(request, who, UUID(flow.connect) if flow.connect else None)
    except (NoRole, Deactivated) as refused:
        log.info("oidc.refused", reason=type(refused).__name__)
        advice = f"{label} knows you as {who.name}. Ask an admin here, or whoever looks after your groups there."
        raise Problem(403, str(refused), advice, action=AGAIN) from refused
    except NoAddress as refused:
        raise Problem(403, str(refused), f"Ask whoever looks after {label} to tell it.", action=AGAIN) from refused
    except EmailTaken as taken:
        advice = "Sign in with its password, and connect it on your account page. Without a password ask an admin."
        raise Problem(409, "There is an account with your e-mail address already", advice, action=AGAIN) from taken
    except (NotConnected, LastAdmin) as refused:
        back = {"label": "Back to your account", "href": "/account/"}
        raise Problem(409, "This could not be connected", str(refused), action=back) from refused
    log.info("sign_in", account=str(account.id))
    response = start_session(request, account, session, flow.going or home(account.roles))
    return drop_cookie(request, response, FLOW_COOKIE)


async def _identity(request: Request, provider: Provider, flow: Flow, code: str) -> Identity:
    settings = settings_of(request)
    try:
        claims = await provider.claims(code, nonce=flow.nonce, verifier=flow.verifier)
    except AnswerRefused as refused:
        raise _untrusted(settings.oidc_label, str(refused)) from refused
    except ProviderAway as away:
        raise _away(settings.oidc_label, away) from away
    return identity(claims, settings.oidc_roles_claim, settings.oidc_roles)


async def _enter(request: Request, who: Identity, connecting: UUID | None) -> tuple[Account, Session]:
    """The account of an identity as the provider describes it now, and a new session.

    Raises NoRole, NoAddress, Deactivated, EmailTaken, NotConnected or LastAdmin. Roles that are gone end what is open.
    """
    now = datetime.now(UTC)
    async with database_of(request).transaction() as connection:
        account = await accounts.lock_identity(connection, who.issuer, who.subject)
        if connecting is not None:
            account = await _connect(request, connection, who, connecting, account)
        if account is None:
            account = await _add(connection, who, now)
        if not account.active:
            raise Deactivated
        if not who.roles:
            await accounts.end_sessions(connection, account.id, now)
        if await accounts.describe(connection, account.id, who):
            account = await handlers.announce(connection, account.id, now)
        opened = await accounts.open_session(connection, account.id, now) if who.roles else None
    if opened is None:
        raise NoRole
    return opened


async def _add(connection: Connection, who: Identity, now: datetime) -> Account:
    if not who.roles:
        raise NoRole
    if not who.email:
        raise NoAddress
    account = await handlers.add_person(connection, email=who.email, name=who.name, roles=who.roles, at=now)
    await accounts.connect(connection, account.id, who)
    return account


async def _connect(
    request: Request, connection: Connection, who: Identity, connecting: UUID, known: Account | None
) -> Account:
    """The account of whoever asked for it in this browser, without its password from now on."""
    if (await signed_in(request)).id != connecting:
        raise NotSignedIn("Somebody else has signed in meanwhile.")
    if known is not None and known.id != connecting:
        raise NotConnected("It is connected with another account here already. Sign in with it instead.")
    if not who.roles:
        raise NotConnected("It gives you no role here, so that you would be shut out. Ask an admin to look into it.")
    if "admin" not in who.roles:
        keep_an_admin(await accounts.lock_admins(connection), connecting)
    account = await accounts.lock(connection, connecting, "person")
    if account is None:
        raise NotSignedIn("The sign-in has ended. Sign in again.")
    await accounts.drop_link(connection, connecting)
    await accounts.connect(connection, connecting, who)
    return account


def _begin(going: str, connect: UUID | None = None) -> Flow:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Flow(state, nonce, verifier, going, "" if connect is None else str(connect))


async def _address(request: Request, provider: Provider, flow: Flow) -> str:
    try:
        return await provider.authorization_url(state=flow.state, nonce=flow.nonce, verifier=flow.verifier)
    except ProviderAway as away:
        raise _away(settings_of(request).oidc_label, away) from away


def _keep(request: Request, flow: Flow, response: Response) -> Response:
    key = handlers.signing_key(settings_of(request))
    ends = int((datetime.now(UTC) + FLOW_LASTS).timestamp())
    sealed = jwt.encode({"alg": ALGORITHM}, asdict(flow) | {"exp": ends}, OKPKey.import_key(key), [ALGORITHM])
    return keep_cookie(request, response, FLOW_COOKIE, sealed, FLOW_LASTS)


def _flow(request: Request) -> Flow:
    """What this browser was sent away with; raises Problem where it was not, or comes back with another state."""
    settings = settings_of(request)
    sealed = request.cookies.get(cookie_name(settings, FLOW_COOKIE), "")
    key = OKPKey.import_key(public_part(handlers.signing_key(settings)))
    try:
        claims = jwt.decode(sealed, key, [ALGORITHM]).claims
        jwt.JWTClaimsRegistry().validate(claims)
        flow = Flow(**{name: claims[name] for name in Flow.__dataclass_fields__})
    except (JoseError, ValueError, KeyError) as error:
        raise _not_begun() from error
    if not secrets.compare_digest(request.query_params.get("state", "").encode(), flow.state.encode()):
        raise _not_begun()
    return flow


def _not_begun() -> Problem:
    advice = "It was begun in another window or browser, or took longer than ten minutes. Sign in once more."
    return Problem(400, "This sign-in cannot be completed", advice, action=AGAIN)


def _untrusted(label: str, reason: str) -> Problem:
    log.warning("oidc.untrusted", reason=reason)
    advice = f"The answer of {label} does not prove who you are. Sign in once more; if it happens again, tell an admin."
    return Problem(401, "You are not signed in", advice, action=AGAIN)


def _away(label: str, away: ProviderAway) -> Problem:
    log.warning("oidc.away", reason=str(away))
    advice = f"{label} does not answer at this moment, so nobody can sign in with it. Try again in a minute."
    return Problem(503, "The sign-in service is away", advice, action=AGAIN)
