"""Uploads that come in pieces: what was announced, and how far it has come. The pieces lie in the object store."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, DateTime, ForeignKey, Index, Table, Text, func
from sqlalchemy.dialects.postgresql import ARRAY

from models.database import fetch, metadata, run

uploads = Table(
    "uploads",
    metadata,
    # Long and random: it is part of the names of the pieces.
    Column("id", Text(collation="C"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    # Where each piece ends, in order: the last one says how far the upload has come.
    Column("ends", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    CheckConstraint("size > 0", name="size"),
)
Index("ix_uploads_account_id", uploads.c.account_id)


class Upload(NamedTuple):
    """One upload."""

    id: str
    account_id: int
    filename: str
    size: int
    sha256: str
    ends: list[int]
    expires_at: datetime

    @property
    def offset(self) -> int:
        """How many bytes are here."""
        return self.ends[-1] if self.ends else 0


_COLUMNS = ", ".join(Upload._fields)


def add(
    connection: Connection, upload_id: str, account_id: int, filename: str, size: int, sha256: str, seconds: int
) -> Upload:
    """Announce an upload."""
    rows = fetch(
        connection,
        "INSERT INTO uploads (id, account_id, filename, size, sha256, expires_at) VALUES (%(id)s, %(account)s,"
        f" %(name)s, %(size)s, %(sha256)s, now() + make_interval(secs => %(seconds)s)) RETURNING {_COLUMNS}",
        {
            "id": upload_id,
            "account": account_id,
            "name": filename,
            "size": size,
            "sha256": sha256,
            "seconds": seconds,
        },
    )
    return Upload(*rows[0])


def by_id(connection: Connection, upload_id: str) -> Upload | None:
    """An upload that has not expired."""
    query = f"SELECT {_COLUMNS} FROM uploads WHERE id = %(id)s AND expires_at > now()"
    return next((Upload(*row) for row in fetch(connection, query, {"id": upload_id})), None)


def extend(connection: Connection, upload_id: str, offset: int, end: int) -> bool:
    """Note a piece from an offset to an end; false when the upload does not stand at the offset (any more)."""
    return (
        run(
            connection,
            "UPDATE uploads SET ends = ends || %(end)s::bigint WHERE id = %(id)s"
            " AND coalesce(ends[array_upper(ends, 1)], 0) = %(offset)s",
            {"id": upload_id, "offset": offset, "end": end},
        )
        == 1
    )


def use(connection: Connection, upload_id: str, seconds: int) -> None:
    """Note that an upload became a batch; it is kept for so long yet, for whoever sends the request again."""
    run(
        connection,
        "UPDATE uploads SET used_at = now(), expires_at = least(expires_at, now() + make_interval(secs => %(s)s))"
        " WHERE id = %(id)s AND used_at IS NULL",
        {"id": upload_id, "s": seconds},
    )


def open_of(connection: Connection, account_id: int) -> int:
    """How many uploads of an account are neither used nor expired."""
    query = "SELECT count(*) FROM uploads WHERE account_id = %(account)s AND used_at IS NULL AND expires_at > now()"
    return int(fetch(connection, query, {"account": account_id})[0][0])


def expired(connection: Connection, limit: int) -> list[Upload]:
    """Uploads that were given up, some of them at once; locked, so that one caller at a time clears each away."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM uploads WHERE expires_at <= now() ORDER BY expires_at LIMIT %(limit)s"
        " FOR UPDATE SKIP LOCKED",
        {"limit": limit},
    )
    return [Upload(*row) for row in rows]


def drop(connection: Connection, upload_id: str) -> None:
    """Forget an upload."""
    run(connection, "DELETE FROM uploads WHERE id = %(id)s", {"id": upload_id})
