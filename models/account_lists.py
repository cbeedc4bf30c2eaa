"""Accounts looked up by people: a list, and the habits and rules of one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from models.database import records, run


def listed(
    connection: Connection, *, text: str | None, type_: str | None, after: str | None, limit: int
) -> list[dict[str, Any]]:
    """Accounts by number, after one; with a text in number, name or e-mail address, of a type."""
    return records(
        connection,
        "SELECT a.number, a.name, a.type, a.state, a.country, a.email, a.created_at,"
        " (SELECT count(*) FROM users u WHERE u.account_id = a.id) FROM accounts a"
        " WHERE (%(text)s::text IS NULL OR a.number ILIKE %(text)s OR a.name ILIKE %(text)s OR a.email ILIKE %(text)s)"
        " AND (%(type)s::text IS NULL OR a.type = %(type)s) AND (%(after)s::text IS NULL OR a.number > %(after)s)"
        " ORDER BY a.number LIMIT %(limit)s",
        ("number", "name", "type", "state", "country", "email", "created", "users"),
        {"text": text, "type": type_, "after": after, "limit": limit},
    )


def set_approval(connection: Connection, account_id: int, above: int | None, revoking: bool) -> None:
    """Say which batches of an account need a second person: with more keys than ``above`` (None: none), or revoking."""
    run(
        connection,
        "UPDATE accounts SET approve_above = %(above)s, approve_revoking = %(revoking)s WHERE id = %(id)s",
        {"id": account_id, "above": above, "revoking": revoking},
    )
