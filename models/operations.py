"""The work of the whole installation as operators look at it: what is under way, what stands still and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Table, Text, func

from models.database import fetch, metadata, records, run

paused_kinds = Table(
    "paused_kinds",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("paused_by", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def under_way(
    connection: Connection, *, account: str | None, state: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Unfinished batches, newest first, with the state of their chunks and what the latest failure said."""
    return records(
        connection,
        "SELECT b.id, a.number, b.kind, b.filename, b.state, b.row_count, b.created_at, b.confirmed_at,"
        " b.cancelled_at IS NOT NULL, w.waiting, w.leased, w.attempts, w.reason, p.kind IS NOT NULL, v.asked_by"
        " FROM batches b JOIN accounts a ON a.id = b.account_id LEFT JOIN paused_kinds p ON p.kind = b.kind"
        " LEFT JOIN approvals v ON v.batch_id = b.id,"
        " LATERAL (SELECT count(*) FILTER (WHERE c.state = 'waiting') AS waiting,"
        "  count(*) FILTER (WHERE c.state = 'leased') AS leased, coalesce(max(c.attempts), 0) AS attempts,"
        "  max(c.reason) AS reason FROM chunks c WHERE c.batch_id = b.id AND c.state IN ('waiting', 'leased')) w"
        " WHERE b.state NOT IN ('done', 'failed', 'cancelled') AND (%(state)s::text IS NULL OR b.state = %(state)s)"
        " AND (%(account)s::text IS NULL OR upper(a.number) = upper(%(account)s))"
        " AND (%(before)s::bigint IS NULL OR b.id < %(before)s) ORDER BY b.id DESC LIMIT %(limit)s",
        (
            "batch", "account", "kind", "file", "state", "rows", "received", "confirmed", "cancelling", "waiting",
            "leased", "attempts", "reason", "paused", "asked_by",
        ),
        {"account": account, "state": state, "before": before, "limit": limit},
    )  # fmt: skip


def parked(connection: Connection, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Chunks that were set aside, newest first, with their batch and the reason."""
    return records(
        connection,
        "SELECT c.id, b.id, a.number, b.kind, b.filename, b.state, c.stage, c.first, c.last, c.reason, c.finished_at"
        " FROM chunks c JOIN batches b ON b.id = c.batch_id JOIN accounts a ON a.id = b.account_id"
        " WHERE c.state = 'parked' AND (%(before)s::bigint IS NULL OR c.id < %(before)s)"
        " ORDER BY c.id DESC LIMIT %(limit)s",
        ("chunk", "batch", "account", "kind", "file", "state", "stage", "first", "last", "reason", "at"),
        {"before": before, "limit": limit},
    )


def reopen(connection: Connection, batch_id: int, stages: Sequence[str]) -> list[str]:
    """Let the parked chunks of these stages wait again, with all their attempts; the stages of those found."""
    rows = fetch(
        connection,
        "UPDATE chunks SET state = 'waiting', attempts = 0, finished_at = NULL, result = NULL, lease_until = NULL,"
        " session = NULL, available_at = clock_timestamp() WHERE batch_id = %(batch)s AND state = 'parked'"
        " AND stage = ANY(%(stages)s) RETURNING stage",
        {"batch": batch_id, "stages": list(stages)},
    )
    return [row[0] for row in rows]


def set_unfinished(connection: Connection, batch_id: int, state: str) -> None:
    """Take back that a batch failed."""
    run(
        connection,
        "UPDATE batches SET state = %(state)s, finished_at = NULL, reason = NULL WHERE id = %(id)s",
        {"id": batch_id, "state": state},
    )


def processes(connection: Connection) -> list[dict[str, Any]]:
    """Every process that has been seen lately, by role."""
    return records(
        connection,
        "SELECT name, role, host, pid, started_at, seen_at, peak_rss_mb,"
        " seen_at > clock_timestamp() - interval '30 seconds' FROM workers ORDER BY role, name",
        ("name", "role", "host", "pid", "started", "seen", "peak_rss_mb", "is_alive"),
        {},
    )


def audit_entries(
    connection: Connection,
    *,
    actor: str | None,
    action: str | None,
    subject: str | None,
    before: int | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Entries of the audit log, newest first; of an actor (part of the name), an action, a subject."""
    return records(
        connection,
        "SELECT id, at, actor, action, subject, detail FROM audit_log"
        " WHERE (%(actor)s::text IS NULL OR actor ILIKE %(actor)s)"
        " AND (%(action)s::text IS NULL OR action ILIKE %(action)s)"
        " AND (%(subject)s::text IS NULL OR subject ILIKE %(subject)s)"
        " AND (%(before)s::bigint IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s",
        ("id", "at", "actor", "action", "subject", "detail"),
        {"actor": actor, "action": action, "subject": subject, "before": before, "limit": limit},
    )


def pause(connection: Connection, kind: str, actor: str) -> None:
    """Let no chunk of a kind be leased from now on; what is at work ends."""
    run(
        connection,
        "INSERT INTO paused_kinds (kind, paused_by) VALUES (%(kind)s, %(by)s) ON CONFLICT DO NOTHING",
        {"kind": kind, "by": actor},
    )


def resume(connection: Connection, kind: str) -> None:
    """Let a kind go on."""
    run(connection, "DELETE FROM paused_kinds WHERE kind = %(kind)s", {"kind": kind})


def paused(connection: Connection) -> list[dict[str, Any]]:
    """The kinds that are paused, by whom and since when."""
    query = "SELECT kind, paused_by, since FROM paused_kinds ORDER BY kind"
    return records(connection, query, ("kind", "by", "since"), {})
