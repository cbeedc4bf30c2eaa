"""Who calls: the account that a request acts for, what it may do, and the app as that account sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from config.wiring import App
from jobs import api_tokens, rates
from licensing.fields import Language
from licensing.permissions import Permission, allows
from models.tenancy import seen_by
from web.envelopes import HEADERS
from web.problems import NotAnswered, language_of

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="An API token: `km_...`")


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated caller. ``kinds`` None: every kind that the account may send.

    ``app`` sees everything; ``seen`` is the same app as the account sees it, for whatever is shown.
    """

    app: App
    account_id: int
    account: str
    account_type: str
    permission: Permission
    kinds: frozenset[str] | None
    actor: str
    address: str
    language: Language

    @property
    def seen(self) -> App:
        """The app as the account sees it: PostgreSQL leaves out what is none of its business."""
        return replace(self.app, engine=seen_by(self.app.engine, self.account_id))

    @property
    def is_vendor(self) -> bool:
        """Whether the account is the vendor's, who sees everything."""
        return self.account_type == "vendor"

    def require(self, needed: Permission) -> None:
        """Raises :class:`NotAnswered` for a caller who may not do what a permission is needed for."""
        if not allows(self.permission, needed):
            raise NotAnswered(
                "not_permitted",
                f"This needs the permission {needed}, and you have {self.permission}.",
                f"Serve il permesso {needed}, e il permesso attuale è {self.permission}.",
            )

    def require_kind(self, kind: str) -> None:
        """Raises :class:`NotAnswered` for a caller who may not send batches of a kind."""
        if self.kinds is not None and kind not in self.kinds:
            allowed = ", ".join(sorted(self.kinds))
            raise NotAnswered(
                "kind_not_allowed",
                f"This token is not for {kind}. It is for: {allowed}.",
                f"Questo token non vale per {kind}. Vale per: {allowed}.",
            )


def opened(request: Request) -> App:
    """The app that a request is answered from."""
    app: App = request.app.state.keymill
    return app


def address_of(request: Request) -> str:
    """Where a request comes from; behind a trusted proxy, what that says."""
    return request.client.host if request.client else ""


def caller(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    """The bearer of an API token. Raises :class:`NotAnswered`."""
    app = opened(request)
    found = api_tokens.bearer(app, credentials.credentials, address_of(request)) if credentials else None
    if found is None:
        raise NotAnswered(
            "not_signed_in",
            "A valid API token is needed: Authorization: Bearer km_...",
            "Serve un token API valido: Authorization: Bearer km_...",
            {"WWW-Authenticate": "Bearer"},
        )
    if found.account_state != "active":
        raise NotAnswered(
            "account_suspended",
            f"The account {found.account_number} is suspended. Ask the vendor.",
            f"L'account {found.account_number} è sospeso. Rivolgersi al fornitore.",
        )
    _count(request, app, found.token_id)
    return Caller(
        app=app,
        account_id=found.account_id,
        account=found.account_number,
        account_type=found.account_type,
        permission=found.permission,
        kinds=None if found.kinds is None else frozenset(found.kinds),
        actor=f"token:{found.token_id} {found.account_number}",
        address=address_of(request),
        language=language_of(request),
    )


def _count(request: Request, app: App, token_id: int) -> None:
    """Count the request, and say what is left in the headers of the IETF draft. Raises :class:`NotAnswered`."""
    quota = app.settings.requests_a_minute
    rate = rates.count(app.settings.redis_url, f"token:{token_id}", quota)
    headers = {
        "RateLimit-Policy": f'"token";q={quota};w={rates.WINDOW_SECONDS}',
        "RateLimit": f'"token";r={max(rate.left, 0)};t={rate.reset_seconds}',
    }
    setattr(request.state, HEADERS, headers)
    if rate.is_over:
        raise NotAnswered(
            "too_many_requests",
            f"This token may make {quota} requests a minute. Try again in {rate.reset_seconds} seconds.",
            f"Questo token può fare {quota} richieste al minuto. Riprovare tra {rate.reset_seconds} secondi.",
            {"Retry-After": str(rate.reset_seconds)},
        )


def who_may(needed: Permission) -> Callable[..., Caller]:
    """A dependency: the bearer of an API token that has a permission."""

    def permitted(found: Annotated[Caller, Depends(caller)]) -> Caller:
        found.require(needed)
        return found

    return permitted


def operator(found: Annotated[Caller, Depends(who_may("read"))]) -> Caller:
    """The bearer of a token of the vendor."""
    if not found.is_vendor:
        raise NotAnswered(
            "not_permitted", "This is for tokens of the vendor.", "Questo è riservato ai token del fornitore."
        )
    return found


Reader = Annotated[Caller, Depends(who_may("read"))]
Sender = Annotated[Caller, Depends(who_may("submit"))]
Keeper = Annotated[Caller, Depends(who_may("manage"))]
Operator = Annotated[Caller, Depends(operator)]
