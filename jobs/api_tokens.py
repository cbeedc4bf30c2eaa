"""API tokens: made and shown once, known again by their hash; with a prefix that scanners find and a checksum."""

from __future__ import annotations

import re
import secrets
import zlib
from collections.abc import Sequence
from typing import Any

from config.wiring import App
from jobs.control import find_account
from jobs.digests import digest
from jobs.kinds.registry import find
from jobs.refusals import Refused
from licensing.permissions import PERMISSIONS, Permission
from models import api_tokens, audit
from models.api_tokens import Bearer
from models.database import transaction

PREFIX = "km_"
USUAL_DAYS, MOST_DAYS = 90, 731
MOST_NAME = 100  # characters
_RANDOM, _CHECK = 36, 6  # symbols: 214 random bits
_SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(f"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")
_SHOWN = 10  # characters by which its owner knows it again


def create(
    app: App,
    account_number: str,
    name: str,
    permission: Permission,
    *,
    actor: str,
    kinds: Sequence[str] | None = None,
    days: int = USUAL_DAYS,
) -> dict[str, Any]:
    """Make a token for an account; ``secret`` is the token itself, which nobody can show again.

    ``kinds`` None: every kind that the account may send. Raises :class:`Refused`.
    """
    _check(name, permission, kinds, days)
    secret = _mint()
    with transaction(app.engine) as connection:
        account = find_account(connection, account_number)
        token_id = api_tokens.add(
            connection,
            account.id,
            name,
            secret[:_SHOWN],
            digest(secret),
            permission,
            kinds=kinds,
            days=days,
            created_by=actor,
        )
        audit.record(
            connection, actor, "token.created", f"token {token_id}", account=account.number, permission=permission
        )
        made = next(one for one in api_tokens.listed(connection, account.id) if one["token"] == token_id)
    return made | {"secret": secret}


def listed(app: App, account_number: str | None) -> list[dict[str, Any]]:
    """The tokens of one account or of all, newest first. Raises :class:`Refused` for an unknown account."""
    with transaction(app.engine) as connection:
        account = None if account_number is None else find_account(connection, account_number)
        return api_tokens.listed(connection, account.id if account else None)


def revoke(app: App, token_id: int, *, actor: str, account_number: str | None = None) -> None:
    """End a token, of one account or of any. Raises :class:`Refused`. Revoking twice is the same as once."""
    with transaction(app.engine) as connection:
        account = None if account_number is None else find_account(connection, account_number)
        if not api_tokens.revoke(connection, token_id, account.id if account else None):
            raise Refused(
                "unknown_token",
                f"There is no token {token_id}. See: keymill tokens list",
                f"Non esiste il token {token_id}. Vedere: keymill tokens list",
            )
        audit.record(connection, actor, "token.revoked", f"token {token_id}")


def bearer(app: App, secret: str, address: str) -> Bearer | None:
    """Who bears a token; None for one that is mistyped, unknown, expired or revoked."""
    if not is_well_formed(secret):
        return None  # without a look-up
    with transaction(app.engine) as connection:
        return api_tokens.bearer(connection, digest(secret), address)


def is_well_formed(secret: str) -> bool:
    """Whether a text looks like a token and its checksum is right."""
    return _FORM.fullmatch(secret) is not None and _checksum(secret[:-_CHECK]) == secret[-_CHECK:]


def _mint() -> str:
    body = PREFIX + "".join(secrets.choice(_SYMBOLS) for _ in range(_RANDOM))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    number, symbols = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, place = divmod(number, len(_SYMBOLS))
        symbols = _SYMBOLS[place] + symbols
    return symbols


def _check(name: str, permission: str, kinds: Sequence[str] | None, days: int) -> None:
    if not 0 < len(name.strip()) <= MOST_NAME:
        raise Refused(
            "bad_name",
            f"Name the token after what uses it, in at most {MOST_NAME} characters.",
            f"Dare al token il nome di chi lo usa, al massimo {MOST_NAME} caratteri.",
        )
    if permission not in PERMISSIONS:
        allowed = ", ".join(PERMISSIONS)
        raise Refused(
            "bad_permission", f"A token's permission is one of: {allowed}.", f"Il permesso è uno tra: {allowed}."
        )
    if not 1 <= days <= MOST_DAYS:
        raise Refused(
            "bad_days",
            f"A token is good for 1 to {MOST_DAYS} days.",
            f"Un token vale da 1 a {MOST_DAYS} giorni.",
        )
    for kind in kinds or ():
        find(kind)
