"""Where the figures of a statement come from."""

from __future__ import annotations

from typing import Any

from config.wiring import App
from jobs.refusals import Refused
from licensing import codes
from models import statements
from models.database import transaction


def explain(app: App, number: int) -> dict[str, Any]:
    """A statement with the rows that its figures came from. Raises :class:`Refused` for an unknown one."""
    with transaction(app.engine) as connection:
        found = statements.card(connection, number)
    if found is None:
        raise Refused(
            "unknown_statement",
            f"There is no statement {number}. Their numbers stand in the list of statements of a reconciliation.",
            f"Non esiste l'estratto {number}. I numeri sono nell'elenco degli estratti di una riconciliazione.",
        )
    return found


def latest(
    app: App, *, contract: str | None, state: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Statements, newest first; of one contract, in a state, older than one."""
    key = None if contract is None else codes.match_key(contract)
    with transaction(app.engine) as connection:
        return statements.listed(connection, contract=key, state=state, before=before, limit=limit)
