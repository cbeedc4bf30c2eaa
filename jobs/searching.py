"""Looking licenses up: what a person types, as a search."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from config.wiring import App
from jobs.control import find_account
from jobs.refusals import Refused
from licensing import codes
from licensing.annotating import Note, note_of_cell
from models import searching
from models.database import transaction
from models.searching import Condition, Operator
from signing.verification import Verdict

_CONDITION = re.compile(r"\s*([^=<>]+?)\s*(<=|>=|=|<|>)\s*(.+?)\s*", re.DOTALL)


def licenses(app: App, filters: Mapping[str, str], wanted: Iterable[str], limit: int) -> list[dict[str, Any]]:
    """Licenses, newest first. ``wanted``: conditions on user-defined data, ``seats>=5``. Raises :class:`Refused`."""
    conditions = [condition(text) for text in wanted]
    with transaction(app.engine) as connection:
        if number := filters.get("customer"):
            filters = {**filters, "customer": find_account(connection, number).number}
        if after := filters.get("after"):
            filters = {**filters, "after": _number(after)}
        return searching.licenses(connection, filters, conditions, limit)


def license(app: App, number: str) -> dict[str, Any]:
    """Everything about one license, its chain included. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        found = searching.card(connection, _number(number))
    if found is None:
        raise Refused(
            "unknown_license",
            f"There is no license {number}. See: keymill licenses",
            f"Non esiste la licenza {number}. Vedere: keymill licenses",
        )
    return found


def present_verdict(app: App, verdict: Verdict) -> Verdict:
    """The verdict on a good key once it is held against what the license is now."""
    with transaction(app.engine) as connection:
        found = searching.state(connection, verdict.claims["jti"])
    if found is None or found.ended_at is None:
        return verdict
    return Verdict(found.state, f"{found.ended_at:%Y-%m-%d}", verdict.claims)


def _number(typed: str) -> str:
    """A license number as it is stored."""
    return codes.written(typed)


def condition(text: str) -> Condition:
    """``NAME=VALUE``; for numbers and days also ``<``, ``>``, ``<=``, ``>=``. Raises :class:`Refused`."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise Refused(
            "bad_condition",
            f"{text!r} is no condition. Write NAME=VALUE, or NAME>VALUE for numbers and days.",
            f"{text!r} non è una condizione. Scrivere NOME=VALORE, o NOME>VALORE per numeri e date.",
        )
    name, sign, value = match.groups()
    operator: Operator = next(one for one in get_args(Operator) if one == sign)
    note = note_of_cell(value, None)
    if not isinstance(note, Note):
        note = Note("text", value)
    if operator != "=" and note.type not in ("number", "date"):
        raise Refused(
            "bad_condition",
            f"{value!r} is neither a number nor a day (YYYY-MM-DD), so it can only be looked for with =.",
            f"{value!r} non è un numero né una data (AAAA-MM-GG), quindi si può cercare solo con =.",
        )
    return Condition(name, operator, note)
