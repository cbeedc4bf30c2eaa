"""Accounts for people to look at, and the rules that each sets for itself."""

from __future__ import annotations

import secrets
from typing import Any

from config.wiring import App
from jobs import users
from jobs.control import find_account
from jobs.refusals import Refused
from licensing.fields import Language
from licensing.permissions import PERMISSIONS, Permission
from models import account_lists, audit
from models.accounts import Account
from models.database import transaction
from models.users import set_state

MOST_KEYS = 2_147_483_647
_GROUPS = 5  # of four symbols in a first password: 99 random bits
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def listed(app: App, *, text: str, type_: str, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Accounts by number; with a text somewhere in number, name or e-mail address, of a type."""
    like = f"%{text.replace('%', '')}%" if text else None
    with transaction(app.engine) as connection:
        return account_lists.listed(connection, text=like, type_=type_ or None, after=after, limit=limit)


def find(app: App, number: str) -> Account:
    """An account by its number. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        return find_account(connection, number)


def exists(app: App, number: str) -> bool:
    """Whether there is an account of a number."""
    try:
        find(app, number)
    except Refused:
        return False
    return True


def set_approval(app: App, number: str, above: str, revoking: bool, *, actor: str) -> None:
    """Say which batches need a second person; ``above`` "": none by its number of keys. Raises :class:`Refused`."""
    if above and not (above.isascii() and above.isdigit() and int(above) <= MOST_KEYS):
        raise Refused(
            "bad_number",
            f"{above!r} is no number of keys. Write digits only, or leave it empty.",
            f"{above!r} non è un numero di chiavi. Scrivere solo cifre, o lasciare vuoto.",
        )
    keys = int(above) if above else None
    with transaction(app.engine) as connection:
        account = find_account(connection, number)
        account_lists.set_approval(connection, account.id, keys, revoking)
        audit.record(
            connection, actor, "account.approval_set", f"account {account.number}", above=keys, revoking=revoking
        )


def first_password() -> str:
    """A password to begin with, which its owner then changes."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))


def add_user(app: App, number: str, email: str, name: str, permission: str, *, actor: str, locale: Language) -> str:
    """Add a user to an account; the first password, which nobody can show again. Raises :class:`Refused`."""
    password = first_password()
    users.add(app, number, email, name or email, _permission(permission), actor=actor, password=password, locale=locale)
    return password


def _permission(text: str) -> Permission:
    found = next((one for one in PERMISSIONS if one == text), None)
    if found is None:
        raise Refused("bad_permission", f"There is no permission {text}.", f"Non esiste il permesso {text}.")
    return found


def user_of(app: App, number: str, user_id: int) -> dict[str, Any]:
    """A user of an account, as :func:`jobs.users.listed` shows it. Raises :class:`Refused` for one of another."""
    for one in users.listed(app, number):
        if one["user"] == user_id:
            return one
    raise Refused("unknown_user", "There is no such user in this account.", "In questo account non c'è questo utente.")


def readmit(app: App, number: str, user_id: int, *, actor: str) -> None:
    """Let a suspended user back in. Raises :class:`Refused`."""
    user_of(app, number, user_id)
    with transaction(app.engine) as connection:
        set_state(connection, user_id, "active")
        audit.record(connection, actor, "user.readmitted", f"user {user_id}")
