"""Licenses that ended: what the revocation list tells of."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from models.database import run, stream


def ended(connection: Connection) -> Iterator[tuple[str, int, str]]:
    """The licenses that were revoked or replaced and would not have expired by now, some thousands at a time.

    State, how many, and JSON members ``"NUMBER":"DAY"`` (day in UTC): a million rows would take long to fetch.
    """
    yield from stream(
        connection,
        "SELECT state, count(*), string_agg(to_json(number)::text || ':\"'"
        " || (ended_at AT TIME ZONE 'UTC')::date || '\"', ',')"
        " FROM licenses WHERE state IN ('revoked', 'superseded', 'rehosted')"
        " AND (valid_until IS NULL OR valid_until >= current_date) GROUP BY state, hashtext(number) & 1023",
        {},
        at_once=50,
    )


def lock(connection: Connection) -> None:
    """Let one transaction at a time tell of ended licenses. Raises where this session was ended."""
    run(connection, "SELECT pg_advisory_xact_lock(hashtext('ended_licenses'))", {})
