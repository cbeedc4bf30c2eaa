"""Batches that wait for a second person: who asked for them to run, and who let them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, DateTime, ForeignKey, Table, Text, func

from models.database import fetch, metadata, run

approvals = Table(
    "approvals",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("approved_by", Text),
    Column("approved_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Approval:
    """What two people said about one batch. ``approved_by`` None: it waits."""

    batch_id: int
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    approved_at: datetime | None


def of_batches(connection: Connection, batch_ids: Sequence[int]) -> dict[int, Approval]:
    """The approvals of these batches, by batch; batches that nobody asked for are left out."""
    rows = fetch(
        connection,
        "SELECT batch_id, asked_by, asked_at, approved_by, approved_at FROM approvals WHERE batch_id = ANY(%(ids)s)",
        {"ids": list(batch_ids)},
    )
    return {row[0]: Approval(*row) for row in rows}


def ask(connection: Connection, batch_id: int, actor: str) -> None:
    """Write down who wants a batch to run; the first one stays."""
    run(
        connection,
        "INSERT INTO approvals (batch_id, asked_by) VALUES (%(batch)s, %(by)s) ON CONFLICT DO NOTHING",
        {"batch": batch_id, "by": actor},
    )


def approve(connection: Connection, batch_id: int, actor: str) -> None:
    """Write down who let it run."""
    run(
        connection,
        "UPDATE approvals SET approved_by = %(by)s, approved_at = now() WHERE batch_id = %(batch)s",
        {"batch": batch_id, "by": actor},
    )
