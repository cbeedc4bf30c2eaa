"""Flexible contracts looked up by people: a list, and one with its lines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from models.database import records


def listed(connection: Connection, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Contracts by their look-up key, after one, with their terms as a whole."""
    return records(
        connection,
        "SELECT k.key, k.code, c.number, c.name, k.state, count(n.id), min(n.starts),"
        " max(n.starts + make_interval(months => n.months))::date - 1 FROM contracts k"
        " JOIN accounts c ON c.id = k.customer_id LEFT JOIN contract_lines n ON n.contract_id = k.id"
        " WHERE %(after)s::text IS NULL OR k.key > %(after)s"
        " GROUP BY k.key, k.code, c.number, c.name, k.state ORDER BY k.key LIMIT %(limit)s",
        ("key", "contract", "customer", "company", "state", "lines", "starts", "ends"),
        {"after": after, "limit": limit},
    )


def card(connection: Connection, key: str) -> dict[str, Any] | None:
    """A contract with its lines: terms, what is committed today, what was drawn."""
    found = records(
        connection,
        "SELECT k.id, k.key, k.code, c.number, c.name, k.state, k.time_zone FROM contracts k"
        " JOIN accounts c ON c.id = k.customer_id WHERE k.key = %(key)s",
        ("id", "key", "contract", "customer", "company", "state", "time_zone"),
        {"key": key},
    )
    if not found:
        return None
    lines = records(
        connection,
        "SELECT p.sku, p.name, n.starts, (n.starts + make_interval(months => n.months))::date - 1, n.unit, n.metric,"
        " n.policy, n.currency, n.growth, n.tolerance, m.quantity, m.price,"
        " coalesce((SELECT sum(quantity) FROM draw_downs d WHERE d.line_id = n.id), 0)::int"
        " FROM contract_lines n JOIN products p ON p.id = n.product_id"
        " LEFT JOIN LATERAL (SELECT quantity, price FROM commitments m WHERE m.line_id = n.id"
        "  ORDER BY m.since > current_date, abs(m.since - current_date) LIMIT 1) m ON true"
        " WHERE n.contract_id = %(id)s ORDER BY p.sku",
        (
            "product", "product_name", "starts", "ends", "unit", "metric", "policy", "currency", "growth", "tolerance",
            "committed", "price", "drawn",
        ),
        {"id": found[0].pop("id")},
    )  # fmt: skip
    return found[0] | {"lines": lines}
