"""Marking as expired what is past its date, for those who search and count: the rules go by the date itself."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from models.database import fetch, run
from models.licenses import lock_chains


def mark_vouchers(connection: Connection, day: date, after: str, most: int) -> tuple[int, str]:
    """Mark vouchers whose last day to be redeemed lies before a day, in key order after a key, at most so many.

    Says how many, and the key of the last one.
    """
    found = fetch(
        connection,
        "WITH found AS MATERIALIZED (SELECT id, key FROM vouchers WHERE key > %(after)s AND state = 'minted'"
        "  AND expires < %(day)s ORDER BY key LIMIT %(most)s FOR NO KEY UPDATE),"
        " marked AS (UPDATE vouchers v SET state = 'expired' FROM found WHERE v.id = found.id)"
        " SELECT count(*), coalesce(max(key), %(after)s) FROM found",
        {"after": after, "day": day, "most": most},
    )
    return found[0][0], found[0][1]


def mark_licenses(connection: Connection, day: date, after: str, most: int) -> tuple[int, str]:
    """Mark active licenses that were valid until before a day, in number order after a number, at most so many.

    Says how many, and the number of the last one that was looked at.
    """
    rows = fetch(
        connection,
        "SELECT number FROM licenses WHERE number > %(after)s AND state = 'active' AND valid_until < %(day)s"
        " ORDER BY number LIMIT %(most)s",
        {"after": after, "day": day, "most": most},
    )
    numbers = [row[0] for row in rows]
    if not numbers:
        return 0, after
    lock_chains(connection, numbers)
    marked = run(
        connection,
        "UPDATE licenses SET state = 'expired' WHERE number = ANY(%(numbers)s) AND state = 'active'"
        " AND valid_until < %(day)s",
        {"numbers": numbers, "day": day},
    )
    return marked, numbers[-1]
