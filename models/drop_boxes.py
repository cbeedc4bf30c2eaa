"""An account's side of our SFTP server: its habit, and which batches and results it sees there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import BigInteger, Boolean, Column, Connection, ForeignKey, Table, Text

from models.batches import Batch
from models.database import fetch, metadata, run

KEY_PREFIX = "sftp:"  # of the request keys of what came by SFTP

drop_boxes = Table(
    "drop_boxes",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("waits_for_marker", Boolean, nullable=False),
)

# Files that an account deleted from its outbox; the store keeps them.
hidden_results = Table(
    "hidden_results",
    metadata,
    Column("batch_id", BigInteger, ForeignKey("batches.id"), primary_key=True),
    Column("file", Text, primary_key=True),
)

_COLUMNS = ", ".join(field.name for field in fields(Batch))
_SENT = "account_id = %(account)s AND content = 'kept' AND request_key LIKE '" + KEY_PREFIX + "%%'"


def waits_for_marker(connection: Connection, account_id: int) -> bool:
    """Whether files of an account are taken only once their ``.done`` marker is there."""
    query = "SELECT waits_for_marker FROM drop_boxes WHERE account_id = %(account)s"
    found = fetch(connection, query, {"account": account_id})
    return bool(found and found[0][0])


def set_marker(connection: Connection, account_id: int, waits: bool) -> None:
    """Say whether an account uses ``.done`` markers."""
    run(
        connection,
        "INSERT INTO drop_boxes (account_id, waits_for_marker) VALUES (%(account)s, %(waits)s)"
        " ON CONFLICT (account_id) DO UPDATE SET waits_for_marker = %(waits)s",
        {"account": account_id, "waits": waits},
    )


def sent(connection: Connection, account_id: int, days: int, batch_id: int | None = None) -> list[Batch]:
    """The batches that an account sent by SFTP, unfinished or ended within so many days; or just one of them."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM batches WHERE {_SENT} AND (%(batch)s::bigint IS NULL OR id = %(batch)s)"
        " AND coalesce(finished_at, now()) > now() - make_interval(days => %(days)s) ORDER BY id",
        {"account": account_id, "batch": batch_id, "days": days},
    )
    return [Batch(*row) for row in rows]


def hidden(connection: Connection, batch_ids: Sequence[int]) -> set[tuple[int, str]]:
    """(batch, file) of the results that were deleted from the outbox."""
    query = "SELECT batch_id, file FROM hidden_results WHERE batch_id = ANY(%(ids)s)"
    return {(row[0], row[1]) for row in fetch(connection, query, {"ids": list(batch_ids)})}


def hide(connection: Connection, batch_id: int, files: Sequence[str]) -> None:
    """Delete results from an account's outbox. Hiding twice is the same as once."""
    run(
        connection,
        "INSERT INTO hidden_results (batch_id, file) SELECT %(batch)s, unnest(%(files)s::text[])"
        " ON CONFLICT DO NOTHING",
        {"batch": batch_id, "files": list(files)},
    )
