"""Signing in with an OpenID Connect provider: authorization code with PKCE, and the ID token checked. Home of joserfc.

The provider answers for who somebody is, by a subject of its own, and the first time by an e-mail address that it
verified; what they may do stays with us.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from config.settings import Settings
from config.wiring import App
from jobs import sealing
from jobs.refusals import Refused
from jobs.users import Known

log = structlog.get_logger("keymill.web")
AWAY_SECONDS = 600  # that somebody may stay at the provider
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # signatures of the provider's own keys only
_PATIENCE_SECONDS = 10
_PURPOSE = "sign-in with OpenID Connect"
_MOST_BYTES = 1_000_000
_LONGEST_SUBJECT = 255  # characters, as the standard says
_SKEW_SECONDS = 60  # that the provider's clock may be off


class Away(NamedTuple):
    """Where somebody is sent, and what their browser keeps meanwhile."""

    url: str
    sealed: str


def is_offered(settings: Settings) -> bool:
    """Whether this installation has a provider."""
    return bool(settings.openid_issuer and settings.openid_client_id)


def leave(app: App, back: str) -> Away:
    """The way to the provider; ``back``: where to go after signing in. Raises :class:`Refused`."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    query = {
        "response_type": "code",
        "client_id": app.settings.openid_client_id,
        "redirect_uri": _redirect_uri(app),
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": sealing.text_of(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    endpoint = _configuration(app)["authorization_endpoint"]
    url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
    kept = [state, nonce, verifier, back]
    return Away(url, sealing.sealed(app, _PURPOSE, kept, int(time.time()) + AWAY_SECONDS))


def come_back(app: App, sealed: str, *, code: str, state: str) -> tuple[Known, str]:
    """Who comes back, and where they wanted to go. Raises :class:`Refused`."""
    kept = sealing.opened(app, _PURPOSE, sealed)
    if kept is None or not code or not hmac.compare_digest(kept[0].encode(), state.encode()):
        raise _not_signed_in("the answer does not belong to a request of this browser")
    _state, nonce, verifier, back = kept
    configuration = _configuration(app)
    secret = app.settings.openid_client_secret
    answer = _fetch(
        configuration["token_endpoint"],
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": _redirect_uri(app),
            "client_id": app.settings.openid_client_id,
            "client_secret": secret.get_secret_value() if secret else "",
            "code_verifier": verifier,
        },
    )
    claims = _checked(app, configuration, str(answer.get("id_token", "")), nonce)
    email = claims.get("email")
    is_verified = isinstance(email, str) and claims.get("email_verified") is True
    return Known(claims["iss"], claims["sub"], email if is_verified else None), back


def _checked(app: App, configuration: Mapping[str, Any], token: str, nonce: str) -> Mapping[str, Any]:
    """The claims of an ID token that the provider signed for us just now. Raises :class:`Refused`."""
    keys = _fetch(configuration["jwks_uri"])
    registry = jwt.JWTClaimsRegistry(
        leeway=_SKEW_SECONDS,
        iss={"essential": True, "value": app.settings.openid_issuer},
        aud={"essential": True, "value": app.settings.openid_client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]
        registry.validate(claims)
    except (JoseError, ValueError, KeyError) as error:
        raise _not_signed_in(f"the ID token is not right ({type(error).__name__}: {error})") from error
    if not isinstance(claims["sub"], str) or len(claims["sub"]) > _LONGEST_SUBJECT:
        raise _not_signed_in("the ID token has no subject as the standard asks for")
    party = claims.get("azp", app.settings.openid_client_id)
    if party != app.settings.openid_client_id:
        raise _not_signed_in("the ID token is for another party")
    return claims


def _configuration(app: App) -> dict[str, Any]:
    """What the provider says of itself. Raises :class:`Refused`."""
    issuer = app.settings.openid_issuer
    found = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    missing = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if name not in found]
    if found.get("issuer") != issuer or missing:
        raise _not_signed_in(f"the configuration of {issuer} is of another issuer, or lacks {missing}")
    return found


def _fetch(url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A JSON object of the provider. Raises :class:`Refused`."""
    if not url.startswith(("https://", "http://")):
        raise _not_signed_in(f"{url} is no address")
    body = None if form is None else urlencode(form).encode()
    request = Request(url, body, {"Accept": "application/json"})  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310
            found = json.loads(answer.read(_MOST_BYTES))
    except (URLError, OSError, ValueError) as error:
        raise _not_signed_in(f"{url}: {error}") from error
    if not isinstance(found, dict):
        raise _not_signed_in(f"{url} is no JSON object")
    return found


def _redirect_uri(app: App) -> str:
    return f"{app.settings.public_url.rstrip('/')}/sign-in/openid/back"


def _not_signed_in(why: str) -> Refused:
    """The reason is for the log; whoever wants in gets one sentence."""
    log.warning("not signed in with OpenID Connect", reason=why[:500])
    return Refused(
        "openid_failed",
        "Signing in with your organization did not work. Try again, or use your password.",
        "L'accesso con la tua organizzazione non è riuscito. Riprovare, o usare la password.",
    )
