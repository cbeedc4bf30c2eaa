"""The audit log: who did what, when. Append-only; a trigger refuses changes and deletions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Identity, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from models.database import metadata, run

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
)


def record(connection: Connection, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add an entry: actions are ``noun.verb``, subjects say which one (``batch 12``)."""
    connection.execute(
        text(
            "INSERT INTO audit_log (actor, action, subject, detail)"
            " VALUES (:actor, :action, :subject, cast(:detail AS jsonb))"
        ),
        {"actor": actor, "action": action, "subject": subject, "detail": json.dumps(detail)},
    )


def record_all(connection: Connection, actor: str, action: str, details: Mapping[str, Mapping[str, Any]]) -> None:
    """Add an entry for each of many subjects, with its detail."""
    run(
        connection,
        "INSERT INTO audit_log (actor, action, subject, detail)"
        " SELECT %(actor)s, %(action)s, subject, detail FROM unnest(%(subjects)s::text[], %(details)s::jsonb[])"
        " AS w (subject, detail)",
        {
            "actor": actor,
            "action": action,
            "subjects": list(details),
            "details": [json.dumps(detail) for detail in details.values()],
        },
    )


def latest(connection: Connection, limit: int) -> list[tuple[Any, ...]]:
    """(at, actor, action, subject, detail) of the newest entries."""
    return [
        tuple(row)
        for row in connection.execute(
            text("SELECT at, actor, action, subject, detail FROM audit_log ORDER BY id DESC LIMIT :limit"),
            {"limit": limit},
        )
    ]
