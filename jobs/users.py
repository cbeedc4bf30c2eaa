"""The people of an account: added, let in by a password, remembered by a session, suspended; all of it audited."""

from __future__ import annotations

import re
import secrets
from typing import Any, NamedTuple

from config.wiring import App
from jobs import passwords
from jobs.control import find_account
from jobs.digests import digest
from jobs.refusals import Refused
from licensing.fields import Language
from licensing.permissions import Permission
from models import audit, users
from models.database import transaction
from models.users import User

SESSION_SECONDS = 12 * 3600
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class Entry(NamedTuple):
    """A user who signed in, and the token that the browser keeps for as long as the session lasts."""

    user: User
    token: str


def add(
    app: App,
    account_number: str,
    email: str,
    name: str,
    permission: Permission,
    *,
    actor: str,
    password: str | None = None,
    locale: Language | None = None,
) -> dict[str, Any]:
    """Add a user to an account. Raises :class:`Refused`."""
    email = email.strip()
    if _EMAIL.fullmatch(email) is None:
        raise Refused("bad_email", f"{email!r} is no e-mail address.", f"{email!r} non è un indirizzo e-mail.")
    password_hash = None if password is None else passwords.hashed(password)
    with transaction(app.engine) as connection:
        account = find_account(connection, account_number)
        user_id = users.add(connection, account.id, email, name, permission, locale=locale, password_hash=password_hash)
        if user_id is None:
            raise Refused(
                "user_exists",
                f"There is a user with the e-mail address {email} already.",
                f"Esiste già un utente con l'indirizzo e-mail {email}.",
            )
        audit.record(connection, actor, "user.added", f"user {user_id}", account=account.number, permission=permission)
    return {"user": user_id, "account": account.number, "email": email, "permission": permission}


def listed(app: App, account_number: str | None) -> list[dict[str, Any]]:
    """The users of one account or of all. Raises :class:`Refused` for an unknown account."""
    with transaction(app.engine) as connection:
        account = None if account_number is None else find_account(connection, account_number)
        return users.listed(connection, account.id if account else None)


def set_password(app: App, email: str, password: str, *, actor: str) -> None:
    """Give a user another password and end every session of theirs. Raises :class:`Refused`."""
    password_hash = passwords.hashed(password)
    with transaction(app.engine) as connection:
        user = _find(users.by_email(connection, email), email)
        users.set_password(connection, user.id, password_hash)
        users.end_sessions_of(connection, user.id)
        audit.record(connection, actor, "user.password_set", f"user {user.id}")


def suspend(app: App, email: str, *, actor: str) -> None:
    """Keep a user out from now on. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        user = _find(users.by_email(connection, email), email)
        users.set_state(connection, user.id, "suspended")
        users.end_sessions_of(connection, user.id)
        audit.record(connection, actor, "user.suspended", f"user {user.id}")


def _find(user: User | None, email: str) -> User:
    if user is None:
        raise Refused(
            "unknown_user",
            f"There is no user with the e-mail address {email}. See: keymill users list",
            f"Non esiste un utente con l'indirizzo e-mail {email}. Vedere: keymill users list",
        )
    return user


def sign_in(app: App, email: str, password: str, *, user_agent: str, address: str) -> Entry:
    """Start a session for who knows the password. Raises :class:`Refused`, which never tells what was wrong."""
    with transaction(app.engine) as connection:
        user = users.by_email(connection, email.strip())
    if not passwords.matches(user.password_hash if user else None, password) or user is None or user.state != "active":
        with transaction(app.engine) as connection:
            subject = "unknown user" if user is None else f"user {user.id}"
            audit.record(connection, "web", "session.refused", subject, address=address)
        raise Refused(
            "wrong_credentials",
            "E-mail address or password are not right.",
            "Indirizzo e-mail o password non corretti.",
        )
    if user.password_hash and passwords.is_outdated(user.password_hash):
        with transaction(app.engine) as connection:
            users.set_password(connection, user.id, passwords.hashed(password))
    return start_session(app, user, user_agent=user_agent, address=address)


class Known(NamedTuple):
    """Whom an OpenID Connect provider answers for. ``email`` None: it names no address that it has verified."""

    issuer: str
    subject: str
    email: str | None


def sign_in_known(app: App, known: Known, *, user_agent: str, address: str) -> Entry:
    """Start a session for somebody whom a provider answers for. Raises :class:`Refused`.

    Issuer and subject say who it is. An e-mail address only finds the user at the first sign-in: it may be given to
    another person later, who must not inherit the user.
    """
    who = (known.issuer, known.subject)
    with transaction(app.engine) as connection:
        user = users.by_openid(connection, *who)
        if user is None and known.email is not None:
            user = users.by_email(connection, known.email, lock=True)
        is_first = user is not None and user.openid_subject is None
        is_let_in = user is not None and user.state == "active" and (is_first or user.openid == who)
        if user is None or not is_let_in:
            subject = "unknown user" if user is None else f"user {user.id}"
            audit.record(connection, "web", "session.refused", subject, address=address, openid=list(who))
        elif is_first:
            users.set_openid(connection, user.id, *who)
            audit.record(connection, f"user:{user.email}", "user.linked", f"user {user.id}", openid=list(who))
    if user is None or not is_let_in:
        email = known.email or (user.email if user else known.subject)
        raise Refused(
            "no_such_user",
            f"{email} has no access here. Ask whoever manages your company's account.",
            f"{email} non ha accesso qui. Rivolgersi a chi gestisce l'account dell'azienda.",
        )
    return start_session(app, user, user_agent=user_agent, address=address)


def forget_openid(app: App, email: str, *, actor: str) -> None:
    """Let the next sign-in with OpenID Connect under a user's address say anew who that is. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        user = _find(users.by_email(connection, email, lock=True), email)
        users.set_openid(connection, user.id, None, None)
        users.end_sessions_of(connection, user.id)
        audit.record(connection, actor, "user.unlinked", f"user {user.id}", openid=list(user.openid))


def start_session(app: App, user: User, *, user_agent: str, address: str) -> Entry:
    """Let a user in whose identity is known."""
    token = secrets.token_urlsafe(32)
    with transaction(app.engine) as connection:
        users.start_session(
            connection,
            user.id,
            digest(token),
            seconds=SESSION_SECONDS,
            user_agent=user_agent[:300],
            address=address,
        )
        audit.record(connection, f"user:{user.email}", "session.started", f"user {user.id}", address=address)
    return Entry(user, token)


def signed_in(app: App, token: str) -> User | None:
    """Whose session a token stands for; None when it is over."""
    with transaction(app.engine) as connection:
        return users.of_session(connection, digest(token))


def sign_out(app: App, token: str) -> None:
    """End a session."""
    with transaction(app.engine) as connection:
        users.end_session(connection, digest(token))


def sessions_of(app: App, user: User, token: str) -> list[dict[str, Any]]:
    """The sessions of a user that go on; ``id`` names one, ``is_this`` marks the one of a token."""
    with transaction(app.engine) as connection:
        found = users.sessions_of(connection, user.id)
    mine = digest(token)
    return [one | {"id": one["token_hash"][:_SHOWN], "is_this": one["token_hash"] == mine} for one in found]


def end_session(app: App, user: User, session: str) -> None:
    """End one of a user's sessions, as :func:`sessions_of` names it."""
    with transaction(app.engine) as connection:
        for one in users.sessions_of(connection, user.id):
            if one["token_hash"][:_SHOWN] == session:
                users.end_session(connection, one["token_hash"])
                audit.record(connection, f"user:{user.email}", "session.ended", f"user {user.id}")


def change_password(app: App, user: User, old: str, new: str, token: str) -> None:
    """Let a user choose another password; every other session of theirs ends. Raises :class:`Refused`."""
    if not passwords.matches(user.password_hash, old):
        raise Refused("wrong_password", "The present password is not right.", "La password attuale non è corretta.")
    password_hash = passwords.hashed(new)
    with transaction(app.engine) as connection:
        users.set_password(connection, user.id, password_hash)
        users.end_sessions_of(connection, user.id, but=digest(token))
        audit.record(connection, f"user:{user.email}", "user.password_set", f"user {user.id}")


def speak(app: App, user: User, language: Language) -> None:
    """Remember a user's language."""
    with transaction(app.engine) as connection:
        users.set_locale(connection, user.id, language)


_SHOWN = 16  # characters of a hash that name a session
