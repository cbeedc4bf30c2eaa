"""Licenses looked up by people: a list by what is known of them, and everything about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from licensing.annotating import Note
from licensing.field_catalogue import FIELDS
from models.database import fetch, records

Operator = Literal["=", "<", ">", "<=", ">="]


class Condition(NamedTuple):
    """What a user-defined field, or the cost center of a draw-down, must say; ``*`` in a text stands for anything."""

    name: str
    operator: Operator
    note: Note


_COLUMNS = {
    "number": "l.number",
    "customer": "c.number",
    "company": "c.name",
    "product": "p.sku",
    "version": "l.version",
    "quantity": "l.quantity",
    "host": "l.host_id",
    "state": "l.state",
    "valid_until": "l.valid_until",
    "maintained_until": "l.maintained_until",
    "cost_center": "(SELECT d.cost_center FROM draw_downs d WHERE d.line_id = l.contract_line_id"
    " AND d.license_number = coalesce(l.root_number, l.number) AND d.quantity > 0)",
}
_COST_CENTER = {"cost_center", *map(str.casefold, FIELDS["cost_center"].title.values())}
_FROM = " FROM licenses l JOIN accounts c ON c.id = l.customer_id JOIN products p ON p.id = l.product_id"
_FILTERS = {
    "customer": "c.number = %(customer)s",
    "product": "upper(p.sku) = upper(%(product)s)",
    "host": "upper(l.host_id) = upper(%(host)s)",
    "state": "l.state = %(state)s",
    # What comes after a license in the order of the list.
    "after": "EXISTS (SELECT FROM licenses a WHERE a.number = %(after)s"
    " AND (l.issued_at < a.issued_at OR (l.issued_at = a.issued_at AND l.number > a.number)))",
}


def licenses(
    connection: Connection, filters: Mapping[str, str], conditions: Sequence[Condition], limit: int
) -> list[dict[str, Any]]:
    """Licenses, newest first, by customer number, product, host, state and user-defined fields; ``after`` a license."""
    parts = [_FILTERS[name] for name in filters]
    values: dict[str, Any] = {**filters, "limit": limit}
    for place, condition in enumerate(conditions):
        part = (
            "EXISTS (SELECT FROM user_fields u WHERE u.license_number = l.number"
            f" AND lower(u.name) = lower(%(name{place})s) AND {_comparison(condition, place)})"
        )
        if condition.operator == "=" and condition.name.casefold() in _COST_CENTER:
            # What moved is charged to whom it was drawn for. IN, and no EXISTS: one look at all draw-downs.
            said = f"quantity > 0 AND cost_center ILIKE %(value{place})s::text"
            part = (
                f"({part} OR coalesce(l.root_number, l.number) IN (SELECT license_number FROM draw_downs WHERE {said}))"
            )
        parts.append(part)
        values |= {f"name{place}": condition.name, f"value{place}": _value(condition.note)}
    query = (
        f"SELECT {', '.join(_COLUMNS.values())}{_FROM}"
        + (f" WHERE {' AND '.join(parts)}" if parts else "")
        + " ORDER BY l.issued_at DESC, l.number LIMIT %(limit)s"
    )
    return records(connection, query, tuple(_COLUMNS), values)


def _comparison(condition: Condition, place: int) -> str:
    kind, value = condition.note.type, f"%(value{place})s"
    if kind == "text":
        return f"u.value ILIKE {value}"
    if kind == "number":  # a cast of what is no number would fail, so each value is looked at first
        cast = "CASE WHEN u.type = 'number' THEN u.value::numeric END"
        return f"{cast} {condition.operator} {value}::numeric"
    return f"u.type = '{kind}' AND u.value {condition.operator} {value}"


def _value(note: Note) -> str:
    if note.type != "text":
        return note.value
    escaped = note.value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


class State(NamedTuple):
    """What became of a license, and when it ended (UTC)."""

    state: str
    ended_at: Any


def state(connection: Connection, number: str) -> State | None:
    """What became of a license; None for an unknown one."""
    query = "SELECT state, ended_at AT TIME ZONE 'UTC' FROM licenses WHERE number = %(number)s"
    return next((State(*row) for row in fetch(connection, query, {"number": number})), None)


def card(connection: Connection, number: str) -> dict[str, Any] | None:
    """Everything about one license."""
    own = ("key", "reference", "issued_at", "ended_at", "end_reason", "batch", "row", "voucher", "serial", "root")
    query = (
        f"SELECT {', '.join(_COLUMNS.values())}, l.key, l.reference, l.issued_at, l.ended_at, l.end_reason, l.batch_id,"
        " l.ordinal, (SELECT code FROM vouchers v WHERE v.id = l.voucher_id),"
        " (SELECT code FROM serials s WHERE s.id = l.serial_id), coalesce(l.root_number, l.number)"
        f"{_FROM} WHERE l.number = %(number)s"
    )
    place = {"number": number}
    found = records(connection, query, (*_COLUMNS, *own), place)
    if not found:
        return None
    place["root"] = found[0].pop("root")
    return found[0] | {
        "maintenance": records(
            connection,
            "SELECT maintained_from, maintained_until, support_level, support_contact FROM licenses"
            " WHERE number = %(number)s AND maintained_from IS NOT NULL",
            ("starts", "ends", "level", "support_contact"),
            place,
        ),
        "shares": records(
            connection,
            "SELECT a.number, s.permission, s.since FROM shares s JOIN accounts a ON a.id = s.account_id"
            " WHERE s.license_number = %(number)s AND s.state = 'active' ORDER BY a.number",
            ("account", "permission", "since"),
            place,
        ),
        "data": records(
            connection,
            "SELECT name, value, type FROM user_fields WHERE license_number = %(number)s ORDER BY name",
            ("name", "value", "type"),
            place,
        ),
        "notifications": records(
            connection,
            "SELECT n.code, p.sku, r.version, n.remaining, n.state FROM notifications n"
            " JOIN releases r ON r.id = n.release_id JOIN products p ON p.id = r.product_id"
            " WHERE n.license_number = %(number)s ORDER BY n.id",
            ("notification", "product", "version", "left", "state"),
            place,
        ),
        "chain": records(
            connection,
            "WITH RECURSIVE line AS (SELECT number FROM licenses WHERE number = %(root)s"
            " UNION ALL SELECT l.number FROM line JOIN licenses l ON l.parent_number = line.number)"
            " SELECT l.number, l.parent_number, l.cause, p.sku, l.version, l.quantity, l.host_id, l.state"
            " FROM line JOIN licenses l USING (number) JOIN products p ON p.id = l.product_id"
            " ORDER BY l.issued_at, l.ordinal, l.cause NULLS FIRST, l.number",
            ("number", "parent", "cause", "product", "version", "quantity", "host", "state"),
            place,
        ),
    }
