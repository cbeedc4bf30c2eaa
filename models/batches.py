"""Batches: one submitted file (or scheduled run) of one kind, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy import (
    Sequence as DatabaseSequence,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, run

State = Literal["received", "reading", "previewed", "running", "exporting", "done", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("done", "failed", "cancelled")

confirm_order = DatabaseSequence("batch_confirm_order", metadata=metadata)

batches = Table(
    "batches",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="received"),
    Column("filename", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("request_key", Text, nullable=False),
    Column("request_digest", Text, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("reading", JSONB),
    Column("row_count", Integer),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("confirm_order", BigInteger, unique=True),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("last_served_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("reason", JSONB),
    Column("results", JSONB),
    # Whether rows and files are still there, or retention has deleted them.
    Column("content", Text, nullable=False, server_default="kept"),
    # The W3C trace context in which it was handed in, where traces are kept.
    Column("trace", Text),
    UniqueConstraint("account_id", "request_key"),
    CheckConstraint(
        "state IN ('received', 'reading', 'previewed', 'running', 'exporting', 'done', 'failed', 'cancelled')",
        name="state",
    ),
    CheckConstraint("content IN ('kept', 'deleting', 'deleted')", name="content"),
)
Index(
    "ix_batches_unfinished",
    batches.c.id,
    postgresql_where=text("state NOT IN ('done', 'failed', 'cancelled')"),
)
Index("ix_batches_account_id_sha256", batches.c.account_id, batches.c.sha256)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch. ``options``: confirm, on_error, exact, given, language, mapped (titles of the account's own), approval
    (a second person may be needed). ``reading``: what the reader found.
    """

    id: int
    account_id: int
    kind: str
    state: State
    filename: str
    sha256: str
    size: int
    request_key: str
    request_digest: str
    options: dict[str, Any]
    reading: dict[str, Any] | None
    row_count: int | None
    created_at: datetime
    confirmed_at: datetime | None
    confirm_order: int | None
    cancelled_at: datetime | None
    finished_at: datetime | None
    reason: dict[str, Any] | None
    results: dict[str, Any] | None
    content: str
    trace: str | None

    @property
    def is_atomic(self) -> bool:
        """Whether the batch is all or nothing."""
        return self.options.get("on_error") == "stop" or bool(self.options.get("exact"))

    @property
    def is_emptied(self) -> bool:
        """Whether retention has deleted its rows and files, or is just doing it."""
        return self.content != "kept"

    @property
    def is_auto(self) -> bool:
        """Whether the batch runs without a preview being confirmed."""
        return self.options.get("confirm") == "auto"

    @property
    def width(self) -> int:
        """How many columns the file's table has."""
        return int((self.reading or {})["width"])

    @property
    def was_previewed(self) -> bool:
        """Whether a preview pass is made before the run."""
        return not self.is_auto or bool(self.options.get("exact")) or bool(self.options.get("approval"))


_COLUMNS = ", ".join(field.name for field in fields(Batch))


def add(connection: Connection, record: dict[str, Any]) -> int | None:
    """Record a batch; None if the account used the request key before."""
    return connection.execute(
        text(
            "INSERT INTO batches (account_id, kind, filename, sha256, size, request_key, request_digest, options,"
            " trace) VALUES (:account_id, :kind, :filename, :sha256, :size, :request_key, :request_digest,"
            " cast(:options AS jsonb), :trace) ON CONFLICT (account_id, request_key) DO NOTHING RETURNING id"
        ),
        {"trace": None} | record | {"options": json.dumps(record["options"])},
    ).scalar()


def by_id(connection: Connection, batch_id: int, *, lock: bool = False) -> Batch | None:
    """A batch; locked for a change of state when ``lock``."""
    query = f"SELECT {_COLUMNS} FROM batches WHERE id = %(id)s" + (" FOR NO KEY UPDATE" if lock else "")
    found = fetch(connection, query, {"id": batch_id})
    return Batch(*found[0]) if found else None


def by_request_key(connection: Connection, account_id: int, request_key: str) -> Batch | None:
    """The batch that an account sent under a request key."""
    row = connection.execute(
        text(f"SELECT {_COLUMNS} FROM batches WHERE account_id = :account AND request_key = :key"),
        {"account": account_id, "key": request_key},
    ).first()
    return Batch(*row) if row else None


def with_same_bytes(connection: Connection, account_id: int, kind: str, sha256: str, except_id: int) -> int | None:
    """The latest other batch of an account and kind with the same bytes."""
    found: int | None = connection.execute(
        text(
            "SELECT max(id) FROM batches WHERE account_id = :account AND kind = :kind AND sha256 = :sha256 AND id < :id"
        ),
        {"account": account_id, "kind": kind, "sha256": sha256, "id": except_id},
    ).scalar()
    return found


def latest(
    connection: Connection,
    *,
    account_id: int | None,
    limit: int,
    before: int | None = None,
    kind: str | None = None,
    state: str | None = None,
) -> list[Batch]:
    """The newest batches, of one account or of all; older than one, of a kind, in a state."""
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM batches WHERE (cast(:account AS bigint) IS NULL OR account_id = :account)"
            " AND (cast(:before AS bigint) IS NULL OR id < :before) AND (cast(:kind AS text) IS NULL OR kind = :kind)"
            " AND (cast(:state AS text) IS NULL OR state = :state) ORDER BY id DESC LIMIT :limit"
        ),
        {"account": account_id, "limit": limit, "before": before, "kind": kind, "state": state},
    )
    return [Batch(*row) for row in rows]


def unfinished(connection: Connection) -> list[int]:
    """The ids of batches that are not yet done, failed or cancelled, oldest first."""
    rows = fetch(
        connection, "SELECT id FROM batches WHERE state NOT IN ('done', 'failed', 'cancelled') ORDER BY id", {}
    )
    return [row[0] for row in rows]


def unfinished_of(connection: Connection, account_id: int) -> list[int]:
    """The ids of an account's batches that are not yet finished, oldest first, locked in that order."""
    rows = fetch(
        connection,
        "SELECT id FROM batches WHERE account_id = %(account)s AND state NOT IN ('done', 'failed', 'cancelled')"
        " ORDER BY id FOR NO KEY UPDATE",
        {"account": account_id},
    )
    return [row[0] for row in rows]


def begin_reading(connection: Connection, batch_id: int) -> None:
    """Say that a batch that was received is being read; one that has come further stays as it is."""
    run(connection, "UPDATE batches SET state = 'reading' WHERE id = %(id)s AND state = 'received'", {"id": batch_id})


def change(connection: Connection, batch_id: int, **columns: Any) -> None:
    """Set columns of a batch. JSON columns take dictionaries."""
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in columns.items()}
    settings = ", ".join(
        f"{name} = cast(:{name} AS jsonb)"
        if name in ("reading", "reason", "results", "options")
        else f"{name} = :{name}"
        for name in values
    )
    connection.execute(text(f"UPDATE batches SET {settings} WHERE id = :id"), values | {"id": batch_id})


def end(connection: Connection, batch_id: int, state: State, **columns: Any) -> None:
    """Bring a batch to its final state."""
    change(connection, batch_id, state=state, **columns)
    run(connection, "UPDATE batches SET finished_at = clock_timestamp() WHERE id = %(id)s", {"id": batch_id})


def cancel(connection: Connection, batch_id: int) -> None:
    """Ask for a batch to be stopped: chunks that are done stay, the rest will be skipped."""
    run(
        connection,
        "UPDATE batches SET cancelled_at = clock_timestamp() WHERE id = %(id)s AND cancelled_at IS NULL",
        {"id": batch_id},
    )


def confirm(connection: Connection, batch_id: int) -> None:
    """Give a batch its place in the order of confirmation. One lock makes order and commit agree."""
    run(connection, "SELECT pg_advisory_xact_lock(hashtext('batch_confirm_order'))", {})
    run(
        connection,
        "UPDATE batches SET confirmed_at = now(), confirm_order = nextval('batch_confirm_order')"
        " WHERE id = %(id)s AND confirm_order IS NULL",
        {"id": batch_id},
    )


def earlier_rivals(connection: Connection, batch: Batch, kinds: Sequence[str]) -> list[int]:
    """Batches confirmed before this one that have not run to their end and name one of its subjects.

    One counts from its confirmation on, though its run may not be planned yet: messages come in any order. Only
    batches whose kind has the same subject, and whose account is the same or a vendor's, can compete.
    """
    rows = fetch(
        connection,
        "SELECT b.id FROM batches b JOIN accounts a ON a.id = b.account_id"
        " WHERE b.state IN ('reading', 'previewed', 'running') AND b.confirm_order < %(order)s"
        " AND b.kind = ANY(%(kinds)s)"
        " AND (b.account_id = %(account)s OR a.type = 'vendor'"
        "      OR EXISTS (SELECT FROM accounts own WHERE own.id = %(account)s AND own.type = 'vendor'))"
        " AND EXISTS (SELECT subject FROM rows WHERE batch_id = %(id)s AND subject IS NOT NULL"
        "             INTERSECT SELECT subject FROM rows WHERE batch_id = b.id)",
        {"order": batch.confirm_order, "kinds": list(kinds), "account": batch.account_id, "id": batch.id},
    )
    return [row[0] for row in rows]


def ended_before(connection: Connection, before: datetime, most: int) -> list[Batch]:
    """The oldest batches that ended before a time and still have rows or files, at most so many."""
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM batches WHERE finished_at < :before AND content <> 'deleted'"
            " ORDER BY id LIMIT :most"
        ),
        {"before": before, "most": most},
    )
    return [Batch(*row) for row in rows]


def lock_source(connection: Connection, sha256: str) -> None:
    """Take stored bytes for this transaction: none deletes them while another records a batch of them."""
    run(connection, "SELECT pg_advisory_xact_lock(hashtext('batch_source'), hashtext(%(sha)s))", {"sha": sha256})


def needs_source(connection: Connection, sha256: str) -> bool:
    """Whether a batch that still has its content was made of these bytes."""
    found = fetch(
        connection,
        "SELECT EXISTS (SELECT FROM batches WHERE sha256 = %(sha)s AND content = 'kept')",
        {"sha": sha256},
    )
    return bool(found[0][0])
