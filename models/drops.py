"""Drops: folders on other people's SFTP servers that are looked into, and what was found and taken there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, records, run

drops = Table(
    "drops",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("login", Text, nullable=False),
    Column("host_key", Text, nullable=False),
    Column("key_file", Text, nullable=False),
    Column("folders", JSONB, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("settle_seconds", Integer, nullable=False),
    Column("marker", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    # Part of the name of what it claimed, so that no other drop of the folder, here or elsewhere, goes on with it.
    Column("token", Text, nullable=False, server_default=text("left(md5(gen_random_uuid()::text), 8)")),
    Column("polled_at", DateTime(timezone=True)),
    Column("error", JSONB),
    CheckConstraint("state IN ('active', 'paused')", name="state"),
    CheckConstraint("settle_seconds >= 0", name="settle_seconds"),
)

# A file as the server showed it: its place, time and size are its identity, so the same file is the same row for good.
drop_files = Table(
    "drop_files",
    metadata,
    Column("drop_id", ForeignKey("drops.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False),
    Column("mtime", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="seen"),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("batch_id", ForeignKey("batches.id")),
    Column("reason", JSONB),
    PrimaryKeyConstraint("drop_id", "path", "mtime", "size"),
    CheckConstraint("state IN ('seen', 'taken', 'refused')", name="state"),
)


@dataclass(frozen=True, slots=True)
class Drop:
    """One drop. ``folders``: kind by remote folder. ``marker``: suffix of a file that says another one is whole."""

    name: str
    account: str
    host: str
    port: int
    login: str
    host_key: str
    key_file: str
    folders: dict[str, str]
    pattern: str
    settle_seconds: int
    marker: str
    id: int = 0
    token: str = ""
    state: str = "active"
    polled_at: datetime | None = None
    error: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells one dropped file from another: its path in the drop, its time (seconds since 1970) and its size."""

    path: str
    mtime: int
    size: int


_COLUMNS = ", ".join("a.number" if f.name == "account" else f"d.{f.name}" for f in fields(Drop))
_SELECT = f"SELECT {_COLUMNS} FROM drops d JOIN accounts a ON a.id = d.account_id"


def add(connection: Connection, account_id: int, drop: Drop) -> bool:
    """Record a drop; false when there is one of this name."""
    record = asdict(drop) | {"account_id": account_id, "folders": orjson.dumps(drop.folders).decode()}
    return (
        run(
            connection,
            "INSERT INTO drops (name, account_id, host, port, login, host_key, key_file, folders, pattern,"
            " settle_seconds, marker) VALUES (%(name)s, %(account_id)s, %(host)s, %(port)s, %(login)s, %(host_key)s,"
            " %(key_file)s, %(folders)s::jsonb, %(pattern)s, %(settle_seconds)s, %(marker)s)"
            " ON CONFLICT (name) DO NOTHING",
            record,
        )
        == 1
    )


def by_name(connection: Connection, name: str) -> Drop | None:
    """The drop of a name."""
    found = fetch(connection, f"{_SELECT} WHERE d.name = %(name)s", {"name": name})
    return Drop(*found[0]) if found else None


def every(connection: Connection) -> list[Drop]:
    """All drops by name."""
    return [Drop(*row) for row in fetch(connection, f"{_SELECT} ORDER BY d.name", {})]


def set_state(connection: Connection, name: str, state: str) -> None:
    """Pause a drop, or let it go on."""
    run(connection, "UPDATE drops SET state = %(state)s WHERE name = %(name)s", {"name": name, "state": state})


def remove(connection: Connection, name: str) -> None:
    """Forget a drop and what was seen there; batches stay."""
    run(connection, "DELETE FROM drops WHERE name = %(name)s", {"name": name})


def polled(connection: Connection, drop_id: int, error: dict[str, str] | None) -> None:
    """Note that a drop was looked into now, and what went wrong."""
    connection.execute(
        text("UPDATE drops SET polled_at = now(), error = cast(:error AS jsonb) WHERE id = :id"),
        {"id": drop_id, "error": None if error is None else orjson.dumps(error).decode()},
    )


def see(connection: Connection, drop_id: int, found: Sequence[FileIdentity]) -> dict[FileIdentity, float]:
    """Note files that are there now; for how many seconds each has been as it is. Forgets those that changed."""
    parameters: dict[str, Any] = {
        "drop": drop_id,
        "paths": [one.path for one in found],
        "mtimes": [one.mtime for one in found],
        "sizes": [one.size for one in found],
    }
    here = "unnest(%(paths)s::text[], %(mtimes)s::bigint[], %(sizes)s::bigint[]) AS now_there (path, mtime, size)"
    run(
        connection,
        f"DELETE FROM drop_files f WHERE drop_id = %(drop)s AND state = 'seen' AND NOT EXISTS"
        f" (SELECT FROM {here} WHERE (now_there.path, now_there.mtime, now_there.size) = (f.path, f.mtime, f.size))",
        parameters,
    )
    run(
        connection,
        f"INSERT INTO drop_files (drop_id, path, mtime, size) SELECT %(drop)s, path, mtime, size FROM {here}"
        " ON CONFLICT DO NOTHING",
        parameters,
    )
    rows = fetch(
        connection,
        f"SELECT path, mtime, size, extract(epoch FROM now() - seen_at)::float8 FROM drop_files JOIN {here}"
        " USING (path, mtime, size) WHERE drop_id = %(drop)s",
        parameters,
    )
    return {FileIdentity(*row[:3]): row[3] for row in rows}


def settle(
    connection: Connection,
    drop_id: int,
    file: FileIdentity,
    state: str,
    *,
    batch_id: int | None = None,
    reason: dict[str, str] | None = None,
) -> None:
    """Note what became of a file: ``taken`` as a batch, or ``refused`` for a reason."""
    run(
        connection,
        "INSERT INTO drop_files (drop_id, path, mtime, size, state, batch_id, reason) VALUES (%(drop)s, %(path)s,"
        " %(mtime)s, %(size)s, %(state)s, %(batch)s, %(reason)s::jsonb) ON CONFLICT (drop_id, path, mtime, size)"
        " DO UPDATE SET state = excluded.state, batch_id = excluded.batch_id, reason = excluded.reason",
        asdict(file)
        | {
            "drop": drop_id,
            "state": state,
            "batch": batch_id,
            "reason": None if reason is None else orjson.dumps(reason).decode(),
        },
    )


def batch_of(connection: Connection, drop_id: int, file: FileIdentity) -> int | None:
    """The batch that a file was taken as."""
    found = fetch(
        connection,
        "SELECT batch_id FROM drop_files WHERE (drop_id, path, mtime, size)"
        " = (%(drop)s, %(path)s, %(mtime)s, %(size)s)",
        asdict(file) | {"drop": drop_id},
    )
    return found[0][0] if found else None


def latest_files(connection: Connection, drop_id: int, limit: int) -> list[dict[str, Any]]:
    """The files seen last in a drop, newest first."""
    return records(
        connection,
        "SELECT path, size, state, seen_at, batch_id, reason FROM drop_files WHERE drop_id = %(drop)s"
        " ORDER BY seen_at DESC, path LIMIT %(limit)s",
        ("path", "size", "state", "seen", "batch", "reason"),
        {"drop": drop_id, "limit": limit},
    )


@contextmanager
def only_poller(engine: Engine, drop_id: int) -> Iterator[bool]:
    """Whether nobody else looks into a drop while the block lasts; ends with the connection, however that ends."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        place = {"id": drop_id}
        got = bool(connection.execute(text("SELECT pg_try_advisory_lock(hashtext('drops'), :id)"), place).scalar())
        try:
            yield got
        finally:
            if got:
                connection.execute(text("SELECT pg_advisory_unlock(hashtext('drops'), :id)"), place)
