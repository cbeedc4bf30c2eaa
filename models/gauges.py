"""Counts over the whole installation, for whoever watches it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from models.database import fetch


class Counts(NamedTuple):
    """Batches and rows by state, chunks by state, and the age of the oldest waiting chunk in seconds."""

    batches: dict[str, int]
    rows: dict[str, int]
    chunks: dict[str, int]
    oldest_waiting_seconds: float
    alive: dict[str, int]


def counts(connection: Connection, within_seconds: float) -> Counts:
    """What is there now; processes count as alive that were seen lately."""
    states = fetch(connection, "SELECT state, count(*), coalesce(sum(row_count), 0) FROM batches GROUP BY state", {})
    chunks = fetch(
        connection,
        "SELECT state, count(*) FROM chunks WHERE state IN ('waiting', 'leased', 'parked') GROUP BY state",
        {},
    )
    oldest = fetch(
        connection,
        "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(available_at)), 0)::float FROM chunks"
        " WHERE state = 'waiting' AND available_at <= clock_timestamp()",
        {},
    )
    alive = fetch(
        connection,
        "SELECT role, count(*) FROM workers WHERE seen_at > clock_timestamp() - make_interval(secs => %(within)s)"
        " GROUP BY role",
        {"within": within_seconds},
    )
    return Counts(
        {row[0]: row[1] for row in states},
        {row[0]: int(row[2]) for row in states},
        {row[0]: row[1] for row in chunks},
        oldest[0][0],
        {row[0]: row[1] for row in alive},
    )
