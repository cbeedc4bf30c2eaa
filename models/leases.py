"""Leases: which worker may work on which chunk, and commit what came of it.

A lease is a fencing number and an end. Whoever holds the number may commit; a sweep gives expired leases back. The
number changes with every claim, so a worker that was frozen, or cut off, finds its number gone and commits nothing.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from models.chunks import Chunk, Stage
from models.database import fetch, run


class LeaseLost(Exception):
    """The chunk belongs to someone else by now, or its batch was stopped; nothing of this attempt may be committed."""


_FAIREST = """
WITH busy AS (
    SELECT b.account_id, b.id AS batch_id, count(*) AS leased
    FROM chunks c JOIN batches b ON b.id = c.batch_id WHERE c.state = 'leased' GROUP BY b.account_id, b.id
)
SELECT c.id, c.batch_id, c.session FROM chunks c JOIN batches b ON b.id = c.batch_id
WHERE c.state = 'waiting' AND c.available_at <= clock_timestamp() AND c.attempts < %(attempts)s
    AND b.kind NOT IN (SELECT kind FROM paused_kinds)
ORDER BY
    (SELECT coalesce(sum(leased), 0) FROM busy WHERE busy.account_id = b.account_id),
    (SELECT coalesce(sum(leased), 0) FROM busy WHERE busy.batch_id = b.id),
    b.last_served_at, b.confirm_order NULLS FIRST, c.number
LIMIT 1 FOR UPDATE OF c SKIP LOCKED
"""
_SESSION = "pid || '@' || extract(epoch FROM backend_start)"  # a database session's name, never given twice


def claim(connection: Connection, worker: str, lease_seconds: float, attempts: int) -> Chunk | None:
    """Lease the chunk whose turn it is: of the account, then the batch, that has the least in work just now.

    The attempt is counted here, before any work starts; a chunk that had all its attempts is never leased again. The
    database session of an earlier holder is ended, so that a frozen process cannot keep rows locked.
    """
    found = fetch(
        connection,
        f"WITH next AS MATERIALIZED ({_FAIREST}), served AS"
        "  (UPDATE batches SET last_served_at = clock_timestamp() WHERE id = (SELECT batch_id FROM next))"
        " UPDATE chunks SET state = 'leased', attempts = attempts + 1, fence = nextval('chunk_fence'),"
        " lease_until = clock_timestamp() + make_interval(secs => %(lease)s), worker = %(worker)s,"
        f" started_at = clock_timestamp(), session = (SELECT {_SESSION} FROM pg_stat_get_activity(pg_backend_pid()))"
        " FROM next WHERE chunks.id = next.id"
        " RETURNING chunks.id, chunks.batch_id, stage, number, lane, first, last, position, attempts, fence, result,"
        " next.session",
        {"worker": worker, "lease": lease_seconds, "attempts": attempts},
    )
    if not found:
        return None
    *facts, earlier = found[0]
    if earlier:
        end_session(connection, earlier)
    return Chunk(*facts)


def end_session(connection: Connection, session: str) -> None:
    """End a database session named ``pid@start``, unless it is this one or has ended."""
    run(
        connection,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        f" AND {_SESSION} = %(session)s",
        {"session": session},
    )


def still_held(connection: Connection, chunk: Chunk) -> None:
    """Raise :class:`LeaseLost` if the lease is another's by now.

    An early way out only; what decides is the fenced update that ends the transaction. It takes no lock, so that the
    heartbeat can renew the lease of long work. The session may stand still from here on: it is ended with its lease.
    """
    held = run(
        connection,
        "SELECT set_config('idle_in_transaction_session_timeout', '0', true) FROM chunks"
        " WHERE id = %(id)s AND state = 'leased' AND fence = %(fence)s",
        {"id": chunk.id, "fence": chunk.fence},
    )
    if held != 1:
        raise LeaseLost(f"chunk {chunk.id}, fence {chunk.fence}")


def renew(connection: Connection, chunk: Chunk, lease_seconds: float) -> None:
    """Extend a lease. Does nothing while another transaction holds the row, and nothing for a lease that is lost."""
    run(
        connection,
        "UPDATE chunks SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s) WHERE id ="
        " (SELECT id FROM chunks WHERE id = %(id)s AND state = 'leased' AND fence = %(fence)s"
        "  FOR NO KEY UPDATE SKIP LOCKED)",
        {"id": chunk.id, "fence": chunk.fence, "lease": lease_seconds},
    )


def advance_position(connection: Connection, chunk: Chunk, position: int, result: dict[str, Any]) -> None:
    """Record how far a sliced chunk came, in the transaction of the slice. Raises :class:`LeaseLost`."""
    _settle(connection, chunk, "position = %(position)s", result, position=position)


def finish(connection: Connection, chunk: Chunk, result: dict[str, Any]) -> None:
    """Mark a chunk done, in the transaction of its work. Raises :class:`LeaseLost`."""
    _settle(connection, chunk, "state = 'done', finished_at = clock_timestamp(), lease_until = NULL", result)


def _settle(connection: Connection, chunk: Chunk, settings: str, result: dict[str, Any], **parameters: Any) -> None:
    changed = run(
        connection,
        f"UPDATE chunks SET {settings}, result = %(result)s::jsonb"
        " WHERE id = %(id)s AND state = 'leased' AND fence = %(fence)s",
        parameters | {"id": chunk.id, "fence": chunk.fence, "result": json.dumps(result)},
    )
    if changed != 1:
        raise LeaseLost(f"chunk {chunk.id}, fence {chunk.fence}")


def give_back(connection: Connection, chunk: Chunk, reason: str, *, after_seconds: float, counted: bool) -> None:
    """End a lease without a result. An attempt that failed through no fault of the work is not counted."""
    run(
        connection,
        "UPDATE chunks SET state = 'waiting', lease_until = NULL, session = NULL, reason = %(reason)s,"
        " available_at = clock_timestamp() + make_interval(secs => %(after)s),"
        " attempts = attempts - CASE WHEN %(counted)s THEN 0 ELSE 1 END"
        " WHERE id = %(id)s AND state = 'leased' AND fence = %(fence)s",
        {"id": chunk.id, "fence": chunk.fence, "reason": reason, "after": after_seconds, "counted": counted},
    )


def release_expired(connection: Connection) -> list[tuple[int, int, str]]:
    """Give back the chunks whose lease ran out: (batch id, chunk id, worker).

    The sessions of their holders are ended first: a frozen process must not keep rows locked.
    """
    expired = fetch(
        connection, "SELECT session FROM chunks WHERE state = 'leased' AND lease_until < clock_timestamp()", {}
    )
    for (session,) in expired:
        if session:
            end_session(connection, session)
    found = fetch(
        connection,
        "UPDATE chunks SET state = 'waiting', lease_until = NULL, available_at = clock_timestamp(),"
        " reason = 'the worker ' || worker || ' went away in the middle of it'"
        " WHERE id IN (SELECT id FROM chunks WHERE state = 'leased' AND lease_until < clock_timestamp()"
        "  FOR NO KEY UPDATE SKIP LOCKED) RETURNING batch_id, id, worker",
        {},
    )
    return [(row[0], row[1], row[2]) for row in found]


def used_up(connection: Connection, attempts: int) -> list[tuple[int, int, Stage, int | None, int, int, str]]:
    """Waiting chunks that failed as often as they may: (id, batch id, stage, lane, first, last, reason)."""
    found = fetch(
        connection,
        "SELECT id, batch_id, stage, lane, first, last, coalesce(reason, '') FROM chunks"
        " WHERE state = 'waiting' AND attempts >= %(attempts)s FOR NO KEY UPDATE SKIP LOCKED",
        {"attempts": attempts},
    )
    return [tuple(row) for row in found]
