"""A worker or scheduler with a bug planted in it, to see that the harness finds bugs.

``python -m tests.crash.planted BUG worker`` runs ``keymill worker`` after the bug was put in from outside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from jobs import broker
from models import contracts, leases, rows
from models.database import raw, run


def _unfenced() -> None:
    """A worker that lost its lease commits all the same, and its session is left alone."""

    def settle(connection: Any, chunk: Any, settings: str, result: Any, **parameters: Any) -> None:
        if chunk.stage == "run":
            time.sleep(0.3)  # all is written but this: here a fault meets it, and nothing keeps others from the chunk
        state = "" if "state" in settings else ", state = 'leased'"
        run(
            connection,
            f"UPDATE chunks SET {settings}{state}, result = '{{}}' WHERE id = %(id)s",
            parameters | {"id": chunk.id},
        )

    def still_held(connection: Any, chunk: Any) -> None:
        run(connection, "SET LOCAL idle_in_transaction_session_timeout = 0", {})

    leases._settle = settle
    leases.still_held = still_held
    leases.end_session = lambda connection, session: None


def _torn() -> None:
    """Licenses are committed before the outcomes that tell of them, and a moment goes by in between."""
    whole = rows.add_outcomes

    def add_outcomes(connection: Any, lines: Iterable[str]) -> None:
        raw(connection).commit()
        time.sleep(0.3)
        whole(connection, lines)

    rows.add_outcomes = add_outcomes


def _never_released() -> None:
    """The lease of a dead worker is never given back."""
    leases.release_expired = lambda connection: []


def _unlocked() -> None:
    """Draw-downs do not lock their contracts, and a moment goes by after they looked at what is drawn."""
    by_key, drawn = contracts.by_key, contracts.drawn
    contracts.by_key = lambda connection, keys, *, lock: by_key(connection, keys, lock=False)

    def drawn_then(connection: Any, line_ids: Any) -> dict[int, int]:
        found = drawn(connection, line_ids)
        if line_ids:  # most chunks of a file about one pool have none of its rows
            time.sleep(1.5)
        return found

    contracts.drawn = drawn_then


def _counting() -> None:
    """The sweep counts the messages that dead workers took as calls that are under way: a bug that there was."""
    broker.calls_waiting = lambda redis_url: int(broker.connect(redis_url).do_qsize(broker.QUEUE))


BUGS: dict[str, Callable[[], None]] = {
    "unfenced": _unfenced,
    "torn": _torn,
    "never-released": _never_released,
    "unlocked": _unlocked,
    "counting": _counting,
}


def main(bug: str, command: list[str]) -> None:
    """Plant a bug, then be the command."""
    BUGS[bug]()
    from cli.main import app

    app(command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
