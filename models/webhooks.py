"""Webhook endpoints: where an account wants its events, and the secrets that they are signed with, wrapped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from psycopg.errors import UniqueViolation
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, raw, records, run

endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("url", Text, nullable=False),
    # NULL: every type.
    Column("types", ARRAY(Text)),
    Column("state", Text, nullable=False, server_default="active"),
    # Why it is disabled, in English, as the version before reads and writes it.
    Column("reason", Text),
    # The same with its ``code`` and the sentence in ``en`` and ``it``; of this reason only if the English is the same.
    Column("cause", JSONB),
    # Since when nothing has arrived there any more.
    Column("failing_since", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("state IN ('active', 'paused', 'disabled', 'removed')", name="state"),
)
Index(
    "uq_webhook_endpoints_account_id_url",
    endpoints.c.account_id,
    endpoints.c.url,
    unique=True,
    postgresql_where=text("state <> 'removed'"),
)

secrets = Table(
    "webhook_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("endpoint_id", ForeignKey("webhook_endpoints.id"), nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("expires_at", DateTime(timezone=True)),
)


class Endpoint(NamedTuple):
    """One address that events are sent to. ``types`` None: all of them."""

    id: int
    account_id: int
    url: str
    types: list[str] | None
    state: str


class Secret(NamedTuple):
    """A signing secret at rest, and what it is called."""

    name: str
    wrapped: bytes


def add(connection: Connection, account_id: int, url: str, types: Sequence[str] | None) -> int | None:
    """Record an endpoint; None if the account has one with this address."""
    found = fetch(
        connection,
        "INSERT INTO webhook_endpoints (account_id, url, types) VALUES (%(account)s, %(url)s, %(types)s::text[])"
        " ON CONFLICT (account_id, url) WHERE state <> 'removed' DO NOTHING RETURNING id",
        {"account": account_id, "url": url, "types": None if types is None else list(types)},
    )
    return found[0][0] if found else None


def by_id(connection: Connection, endpoint_id: int, *, lock: bool = False) -> Endpoint | None:
    """An endpoint that was not removed; locked for a change when ``lock``."""
    found = fetch(
        connection,
        "SELECT id, account_id, url, types, state FROM webhook_endpoints WHERE id = %(id)s"
        " AND state <> 'removed'" + (" FOR NO KEY UPDATE" if lock else ""),
        {"id": endpoint_id},
    )
    return Endpoint(*found[0]) if found else None


def listed(connection: Connection, account_id: int | None) -> list[dict[str, Any]]:
    """The endpoints of one account or of all, with how many deliveries wait and how many failed."""
    return records(
        connection,
        "SELECT w.id, a.number, w.url, w.types, w.state, CASE WHEN w.cause ->> 'en' = w.reason THEN w.cause"
        "  WHEN w.reason IS NOT NULL THEN jsonb_build_object('code', 'other', 'en', w.reason, 'it', w.reason) END,"
        " w.failing_since, w.created_at,"
        " (SELECT count(*) FROM deliveries d WHERE d.endpoint_id = w.id AND d.state = 'waiting'),"
        " (SELECT count(*) FROM deliveries d WHERE d.endpoint_id = w.id AND d.state = 'failed')"
        " FROM webhook_endpoints w JOIN accounts a ON a.id = w.account_id WHERE w.state <> 'removed'"
        " AND (%(account)s::bigint IS NULL OR w.account_id = %(account)s) ORDER BY w.id",
        ("id", "account", "url", "types", "state", "reason", "failing_since", "created", "waiting", "failed"),
        {"account": account_id},
    )


def count(connection: Connection, account_id: int) -> int:
    """How many endpoints an account has."""
    query = "SELECT count(*) FROM webhook_endpoints WHERE account_id = %(account)s AND state <> 'removed'"
    return int(fetch(connection, query, {"account": account_id})[0][0])


def redirect(connection: Connection, endpoint_id: int, url: str, types: Sequence[str] | None) -> bool:
    """Let an endpoint have another address or other types; False if the account has another one with this address.

    What is known of failures is known of an address: a new one starts with a clean sheet.
    """
    try:
        with raw(connection).transaction():
            run(
                connection,
                "UPDATE webhook_endpoints SET url = %(url)s, types = %(types)s::text[],"
                " failing_since = CASE WHEN url = %(url)s THEN failing_since END WHERE id = %(id)s",
                {"id": endpoint_id, "url": url, "types": None if types is None else list(types)},
            )
    except UniqueViolation:
        return False
    return True


def change_state(connection: Connection, endpoint_id: int, state: str, reason: Mapping[str, str] | None = None) -> None:
    """Let an endpoint be active, paused, disabled or removed. An active one starts with a clean sheet."""
    run(
        connection,
        "UPDATE webhook_endpoints SET state = %(state)s, reason = %(reason)s, cause = %(cause)s::jsonb,"
        " failing_since = CASE WHEN %(state)s = 'active' THEN NULL ELSE failing_since END WHERE id = %(id)s",
        {
            "id": endpoint_id,
            "state": state,
            "reason": reason["en"] if reason else None,
            "cause": json.dumps(reason) if reason else None,
        },
    )


def succeeded(connection: Connection, endpoint_id: int) -> None:
    """Something arrived."""
    run(
        connection,
        "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = %(id)s AND failing_since IS NOT NULL",
        {"id": endpoint_id},
    )


def failed(connection: Connection, endpoint_id: int) -> float:
    """Something did not arrive: for how many seconds nothing has arrived by now."""
    found = fetch(
        connection,
        "UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, clock_timestamp()) WHERE id = %(id)s"
        " RETURNING extract(epoch FROM clock_timestamp() - failing_since)::float",
        {"id": endpoint_id},
    )
    return float(found[0][0])


def add_secret(connection: Connection, endpoint_id: int, secret: Secret) -> None:
    """Give an endpoint a new secret; the older ones stay valid for as long as they were to."""
    run(
        connection,
        "INSERT INTO webhook_secrets (name, endpoint_id, wrapped) VALUES (%(name)s, %(id)s, %(wrapped)s)",
        {"id": endpoint_id, "name": secret.name, "wrapped": secret.wrapped},
    )


def expire_secrets(connection: Connection, endpoint_id: int, after_seconds: float) -> None:
    """Let the present secrets of an endpoint end, those that end earlier as they would; drop those that have ended."""
    run(
        connection,
        "UPDATE webhook_secrets SET expires_at ="
        " least(expires_at, clock_timestamp() + make_interval(secs => %(after)s)) WHERE endpoint_id = %(id)s",
        {"id": endpoint_id, "after": after_seconds},
    )
    run(
        connection,
        "DELETE FROM webhook_secrets WHERE endpoint_id = %(id)s AND expires_at <= clock_timestamp()",
        {"id": endpoint_id},
    )


def secrets_of(connection: Connection, endpoint_id: int) -> list[Secret]:
    """The secrets that are valid now, newest first."""
    found = fetch(
        connection,
        "SELECT name, wrapped FROM webhook_secrets WHERE endpoint_id = %(id)s"
        " AND (expires_at IS NULL OR expires_at > clock_timestamp()) ORDER BY created_at DESC, name",
        {"id": endpoint_id},
    )
    return [Secret(name, bytes(wrapped)) for name, wrapped in found]


def all_secrets(connection: Connection) -> list[Secret]:
    """Every secret, locked: to be wrapped under another key-encryption key."""
    found = fetch(connection, "SELECT name, wrapped FROM webhook_secrets ORDER BY name FOR NO KEY UPDATE", {})
    return [Secret(name, bytes(wrapped)) for name, wrapped in found]


def rewrap(connection: Connection, secret: Secret) -> None:
    """Replace what is stored of a secret."""
    run(
        connection,
        "UPDATE webhook_secrets SET wrapped = %(wrapped)s WHERE name = %(name)s",
        {"name": secret.name, "wrapped": secret.wrapped},
    )
