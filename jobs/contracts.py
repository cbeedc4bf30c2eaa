"""Flexible contracts for people to look at."""

from __future__ import annotations

from typing import Any

from config.wiring import App
from jobs.refusals import Refused
from licensing import codes
from models import contract_lists, statements
from models.database import transaction

_MOST_PERIODS = 60  # of a line on a chart


def listed(app: App, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Contracts in the order of their numbers, after one."""
    with transaction(app.engine) as connection:
        return contract_lists.listed(connection, after=after, limit=limit)


def card(app: App, number: str) -> dict[str, Any]:
    """A contract with its lines, each with its ``statements``, oldest first. Raises :class:`Refused`."""
    key = codes.match_key(number)
    with transaction(app.engine) as connection:
        found = contract_lists.card(connection, key)
        if found is None:
            raise Refused(
                "unknown_contract",
                f"There is no contract {number}.",
                f"Non esiste il contratto {number}.",
            )
        limit = _MOST_PERIODS * max(len(found["lines"]), 1)
        said = statements.listed(connection, contract=key, state=None, before=None, limit=limit)
    for line in found["lines"]:
        of_line = [one for one in said if one["product"] == line["product"]]
        line["statements"] = sorted(of_line, key=lambda one: (one["starts"], one["statement"]))
    return found
