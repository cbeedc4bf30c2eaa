"""Titles of columns that mean a field to one account only: said once by hand, remembered for every later file."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Connection, DateTime, ForeignKey, Table, Text, func

from models.database import fetch, metadata, run

header_mappings = Table(
    "header_mappings",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    # The title as headers are compared: no case, accents, spaces or punctuation.
    Column("title_key", Text, primary_key=True),
    Column("field", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def of_account(connection: Connection, account_id: int) -> dict[str, dict[str, str]]:
    """The fields that an account's own titles stand for: by kind, then by the title's key."""
    found: dict[str, dict[str, str]] = {}
    for kind, key, field in fetch(
        connection,
        "SELECT kind, title_key, field FROM header_mappings WHERE account_id = %(account)s ORDER BY kind, title_key",
        {"account": account_id},
    ):
        found.setdefault(kind, {})[key] = field
    return found


def save(connection: Connection, account_id: int, kind: str, mapped: Mapping[str, str]) -> None:
    """Remember what titles stand for; a title without a field ("") is forgotten."""
    place = {"account": account_id, "kind": kind}
    run(
        connection,
        "DELETE FROM header_mappings WHERE account_id = %(account)s AND kind = %(kind)s"
        " AND title_key = ANY(%(keys)s::text[])",
        place | {"keys": list(mapped)},
    )
    kept = {key: field for key, field in mapped.items() if field}
    run(
        connection,
        "INSERT INTO header_mappings (account_id, kind, title_key, field)"
        " SELECT %(account)s, %(kind)s, key, field FROM unnest(%(keys)s::text[], %(fields)s::text[]) AS w (key, field)",
        place | {"keys": list(kept), "fields": list(kept.values())},
    )
