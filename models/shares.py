"""Shares: licenses that other accounts may read or manage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, DateTime, ForeignKey, Index, Table, Text, func

from models.database import fetch, metadata, run

shares = Table(
    "shares",
    metadata,
    Column("license_number", Text(collation="C"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("permission", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("permission IN ('read', 'manage')", name="permission"),
    CheckConstraint("state IN ('active', 'withdrawn')", name="state"),
)
Index("ix_shares_account_id", shares.c.account_id)


def of_licenses(connection: Connection, numbers: Sequence[str]) -> dict[tuple[str, int], str]:
    """The permissions that are shared now, by (license number, account id)."""
    rows = fetch(
        connection,
        "SELECT license_number, account_id, permission FROM shares"
        " WHERE license_number = ANY(%(numbers)s) AND state = 'active'",
        {"numbers": list(numbers)},
    )
    return {(row[0], row[1]): row[2] for row in rows}


def save(connection: Connection, permissions: Mapping[tuple[str, int], str | None], at: Any) -> None:
    """Share licenses, or withdraw shares (None), by (license number, account id)."""
    run(
        connection,
        "INSERT INTO shares (license_number, account_id, permission, state, since)"
        " SELECT license, account, coalesce(permission, 'read'),"
        " CASE WHEN permission IS NULL THEN 'withdrawn' ELSE 'active' END, %(at)s"
        " FROM unnest(%(licenses)s::text[], %(accounts)s::bigint[], %(permissions)s::text[])"
        " AS w (license, account, permission)"
        " ON CONFLICT (license_number, account_id) DO UPDATE SET permission = excluded.permission,"
        " state = excluded.state, since = excluded.since",
        {
            "at": at,
            "licenses": [license for license, _ in permissions],
            "accounts": [account for _, account in permissions],
            "permissions": list(permissions.values()),
        },
    )
