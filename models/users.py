"""Users: the people of an account, and their sessions. Passwords and session tokens are kept as hashes only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from licensing.permissions import Permission
from models.database import fetch, metadata, records, run

users = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("password_hash", Text),
    Column("locale", Text),
    Column("permission", Text, nullable=False, server_default="read"),
    Column("state", Text, nullable=False, server_default="active"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Who the OpenID Connect provider says it is, since the first sign-in there: an address may become another's.
    Column("openid_issuer", Text),
    Column("openid_subject", Text),
    CheckConstraint("(openid_issuer IS NULL) = (openid_subject IS NULL)", name="openid"),
    UniqueConstraint("openid_issuer", "openid_subject"),
    CheckConstraint("permission IN ('read', 'submit', 'manage')", name="permission"),
    CheckConstraint("state IN ('active', 'suspended')", name="state"),
)
Index("uq_users_email", func.lower(users.c.email), unique=True)
Index("ix_users_account_id", users.c.account_id)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("user_agent", Text, nullable=False),
    Column("address", Text, nullable=False),
)
Index("ix_sessions_user_id", sessions.c.user_id)


@dataclass(frozen=True, slots=True)
class User:
    """One person. ``password_hash`` None: nobody can sign in yet."""

    id: int
    account_id: int
    email: str
    name: str
    password_hash: str | None
    locale: str | None
    permission: Permission
    state: str
    created_at: datetime
    openid_issuer: str | None
    openid_subject: str | None

    @property
    def openid(self) -> tuple[str | None, str | None]:
        """Issuer and subject that an OpenID Connect provider knows this person by."""
        return self.openid_issuer, self.openid_subject


_COLUMNS = ", ".join(f"u.{field.name}" for field in fields(User))


def by_email(connection: Connection, email: str, *, lock: bool = False) -> User | None:
    """The user with an e-mail address, in any case; locked for a change when ``lock``."""
    query = f"SELECT {_COLUMNS} FROM users u WHERE lower(u.email) = lower(%(email)s)"
    query += " FOR NO KEY UPDATE" if lock else ""
    return next((User(*row) for row in fetch(connection, query, {"email": email})), None)


def by_openid(connection: Connection, issuer: str, subject: str) -> User | None:
    """The user whom a provider knows as a subject."""
    query = f"SELECT {_COLUMNS} FROM users u WHERE u.openid_issuer = %(issuer)s AND u.openid_subject = %(subject)s"
    return next((User(*row) for row in fetch(connection, query, {"issuer": issuer, "subject": subject})), None)


def set_openid(connection: Connection, user_id: int, issuer: str | None, subject: str | None) -> None:
    """Remember whom a provider knows a user as, or forget it (None)."""
    run(
        connection,
        "UPDATE users SET openid_issuer = %(issuer)s, openid_subject = %(subject)s WHERE id = %(id)s",
        {"id": user_id, "issuer": issuer, "subject": subject},
    )


def listed(connection: Connection, account_id: int | None) -> list[dict[str, Any]]:
    """The users of one account or of all, oldest first, without their passwords."""
    return records(
        connection,
        "SELECT u.id, a.number, u.email, u.name, u.locale, u.permission, u.state, u.created_at,"
        " (SELECT max(seen_at) FROM sessions s WHERE s.user_id = u.id)"
        " FROM users u JOIN accounts a ON a.id = u.account_id"
        " WHERE %(account)s::bigint IS NULL OR u.account_id = %(account)s ORDER BY u.id",
        ("user", "account", "email", "name", "locale", "permission", "state", "created", "last_seen"),
        {"account": account_id},
    )


def add(
    connection: Connection,
    account_id: int,
    email: str,
    name: str,
    permission: Permission,
    *,
    locale: str | None,
    password_hash: str | None,
) -> int | None:
    """Add a user; None if the e-mail address is taken."""
    rows = fetch(
        connection,
        "INSERT INTO users (account_id, email, name, permission, locale, password_hash)"
        " VALUES (%(account)s, %(email)s, %(name)s, %(permission)s, %(locale)s, %(password)s)"
        " ON CONFLICT (lower(email)) DO NOTHING RETURNING id",
        {
            "account": account_id,
            "email": email,
            "name": name,
            "permission": permission,
            "locale": locale,
            "password": password_hash,
        },
    )
    return rows[0][0] if rows else None


def set_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Give a user another password."""
    run(
        connection,
        "UPDATE users SET password_hash = %(hash)s WHERE id = %(id)s",
        {"id": user_id, "hash": password_hash},
    )


def set_locale(connection: Connection, user_id: int, locale: str) -> None:
    """Remember a user's language."""
    run(connection, "UPDATE users SET locale = %(locale)s WHERE id = %(id)s", {"id": user_id, "locale": locale})


def set_state(connection: Connection, user_id: int, state: Literal["active", "suspended"]) -> None:
    """Suspend a user, or let one back in."""
    run(connection, "UPDATE users SET state = %(state)s WHERE id = %(id)s", {"id": user_id, "state": state})


def start_session(
    connection: Connection, user_id: int, token_hash: str, *, seconds: int, user_agent: str, address: str
) -> None:
    """Remember that a user signed in, for so many seconds."""
    run(
        connection,
        "INSERT INTO sessions (token_hash, user_id, expires_at, user_agent, address) VALUES (%(hash)s, %(user)s,"
        " now() + make_interval(secs => %(seconds)s), %(agent)s, %(address)s)",
        {"hash": token_hash, "user": user_id, "seconds": seconds, "agent": user_agent, "address": address},
    )


def of_session(connection: Connection, token_hash: str) -> User | None:
    """The active user of a session that goes on, of an active account; says that it was seen."""
    rows = fetch(
        connection,
        "UPDATE sessions s SET seen_at = now() FROM users u JOIN accounts a ON a.id = u.account_id"
        " WHERE s.token_hash = %(hash)s AND u.id = s.user_id AND s.ended_at IS NULL AND s.expires_at > now()"
        f" AND u.state = 'active' AND a.state = 'active' RETURNING {_COLUMNS}",
        {"hash": token_hash},
    )
    return User(*rows[0]) if rows else None


def sessions_of(connection: Connection, user_id: int) -> list[dict[str, Any]]:
    """The sessions of a user that go on, the one seen last first, each with the hash of its token."""
    return records(
        connection,
        "SELECT token_hash, created_at, seen_at, user_agent, address FROM sessions WHERE user_id = %(user)s"
        " AND ended_at IS NULL AND expires_at > now() ORDER BY seen_at DESC",
        ("token_hash", "created", "seen", "user_agent", "address"),
        {"user": user_id},
    )


def forget_sessions(connection: Connection, before: datetime, most: int) -> int:
    """Delete sessions that were over before a time, at most so many; says how many. A user's last one stays."""
    return run(
        connection,
        "DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions s"
        " WHERE least(ended_at, expires_at) < %(before)s"
        " AND EXISTS (SELECT FROM sessions o WHERE o.user_id = s.user_id AND o.seen_at > s.seen_at) LIMIT %(most)s)",
        {"before": before, "most": most},
    )


def end_session(connection: Connection, token_hash: str) -> None:
    """End a session."""
    run(
        connection,
        "UPDATE sessions SET ended_at = now() WHERE token_hash = %(hash)s AND ended_at IS NULL",
        {"hash": token_hash},
    )


def end_sessions_of(connection: Connection, user_id: int, *, but: str = "") -> None:
    """End every session of a user, but one (by the hash of its token)."""
    run(
        connection,
        "UPDATE sessions SET ended_at = now() WHERE user_id = %(user)s AND ended_at IS NULL AND token_hash <> %(but)s",
        {"user": user_id, "but": but},
    )
