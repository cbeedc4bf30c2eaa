"""Signing keys at rest: the public half as a JWK, the private half wrapped. Nothing here can unwrap it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, DateTime, LargeBinary, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from models.database import metadata, scalar

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("jwk", JSONB, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)


class SigningKey(NamedTuple):
    """One key: the newest signs, all verify."""

    kid: str
    jwk: dict[str, Any]
    wrapped: bytes
    created_at: datetime


def newest_kid(connection: Connection) -> str | None:
    """The name of the key that signs; None when there is no key yet."""
    kid: str | None = scalar(connection, "SELECT kid FROM signing_keys ORDER BY created_at DESC, kid DESC LIMIT 1")
    return kid


def oldest_to_newest(connection: Connection) -> list[SigningKey]:
    """Every key; the last one signs."""
    rows = connection.execute(text("SELECT kid, jwk, wrapped, created_at FROM signing_keys ORDER BY created_at, kid"))
    return [SigningKey(row[0], row[1], bytes(row[2]), row[3]) for row in rows]


def add(connection: Connection, kid: str, jwk: dict[str, Any], wrapped: bytes) -> None:
    """Store a new key, which signs from now on: it is made younger than every other, whatever the clock says."""
    connection.execute(
        text(
            "INSERT INTO signing_keys (kid, jwk, wrapped, created_at) VALUES (:kid, cast(:jwk AS jsonb), :wrapped,"
            " greatest(clock_timestamp(), (SELECT max(created_at) + interval '1 microsecond' FROM signing_keys)))"
        ),
        {"kid": kid, "jwk": json.dumps(jwk), "wrapped": wrapped},
    )


def rewrap(connection: Connection, kid: str, wrapped: bytes) -> None:
    """Replace the wrapped private half of a key."""
    connection.execute(
        text("UPDATE signing_keys SET wrapped = :wrapped WHERE kid = :kid"), {"kid": kid, "wrapped": wrapped}
    )


def lock(connection: Connection) -> None:
    """Let one transaction at a time create or rewrap keys."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('signing_keys'))"))
