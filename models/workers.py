"""Workers: one row a process, kept fresh by its heartbeat. Liveness is this row, never a broker's opinion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Integer, Table, Text, func

from models.database import fetch, metadata, run

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("peak_rss_mb", Integer),
)


def peak_rss_mb() -> int:
    """The most memory that this process has held, in MB (``ru_maxrss`` would count its parent's before the start)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def beat(connection: Connection, name: str, role: str, host: str, pid: int, peak_rss_mb: int) -> None:
    """Say that a worker is alive, and how much memory it has used at most (MB)."""
    run(
        connection,
        "INSERT INTO workers (name, role, host, pid, peak_rss_mb)"
        " VALUES (%(name)s, %(role)s, %(host)s, %(pid)s, %(rss)s)"
        " ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp(), peak_rss_mb = %(rss)s",
        {"name": name, "role": role, "host": host, "pid": pid, "rss": peak_rss_mb},
    )


def leave(connection: Connection, name: str) -> None:
    """Take a worker that ends off the list."""
    run(connection, "DELETE FROM workers WHERE name = %(name)s", {"name": name})


def alive(connection: Connection, role: str, within_seconds: float) -> list[tuple[Any, ...]]:
    """(name, host, pid, started_at, seen_at, peak_rss_mb) of the workers of a role seen lately."""
    return fetch(
        connection,
        "SELECT name, host, pid, started_at, seen_at, peak_rss_mb FROM workers WHERE role = %(role)s"
        " AND seen_at > clock_timestamp() - make_interval(secs => %(within)s) ORDER BY name",
        {"role": role, "within": within_seconds},
    )


def forget(connection: Connection, older_than_seconds: float) -> None:
    """Drop rows of workers that have not been seen for long."""
    run(
        connection,
        "DELETE FROM workers WHERE seen_at < clock_timestamp() - make_interval(secs => %(s)s)",
        {"s": older_than_seconds},
    )
