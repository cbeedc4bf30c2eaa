"""User-defined fields of licenses: what their owners write beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, DateTime, Index, Table, Text, func

from licensing.annotating import Note
from models.database import fetch, metadata, run

user_fields = Table(
    "user_fields",
    metadata,
    Column("license_number", Text(collation="C"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("type IN ('text', 'number', 'date', 'flag')", name="type"),
)
Index("ix_user_fields_name", user_fields.c.name, user_fields.c.value)


def of_licenses(connection: Connection, numbers: Sequence[str]) -> dict[str, dict[str, Note]]:
    """What is noted of each of these licenses, by license number and name."""
    found: dict[str, dict[str, Note]] = {}
    for number, name, type_, value in fetch(
        connection,
        "SELECT license_number, name, type, value FROM user_fields WHERE license_number = ANY(%(numbers)s)"
        " ORDER BY name",
        {"numbers": list(numbers)},
    ):
        found.setdefault(number, {})[name] = Note(type_, value)
    return found


def save(connection: Connection, notes: Mapping[tuple[str, str], Note | None], account_id: int, at: Any) -> None:
    """Write notes, or delete them (None), by (license number, name)."""
    kept = {place: note for place, note in notes.items() if note is not None}
    gone = [place for place, note in notes.items() if note is None]
    run(
        connection,
        "DELETE FROM user_fields u USING unnest(%(numbers)s::text[], %(names)s::text[]) AS w (number, name)"
        " WHERE u.license_number = w.number AND u.name = w.name",
        {"numbers": [number for number, _ in gone], "names": [name for _, name in gone]},
    )
    run(
        connection,
        "INSERT INTO user_fields (license_number, name, type, value, account_id, changed_at)"
        " SELECT number, name, type, value, %(account)s, %(at)s"
        " FROM unnest(%(numbers)s::text[], %(names)s::text[], %(types)s::text[], %(values)s::text[])"
        " AS w (number, name, type, value) ON CONFLICT (license_number, name) DO UPDATE SET type = excluded.type,"
        " value = excluded.value, account_id = excluded.account_id, changed_at = excluded.changed_at",
        {
            "account": account_id,
            "at": at,
            "numbers": [number for number, _ in kept],
            "names": [name for _, name in kept],
            "types": [note.type for note in kept.values()],
            "values": [note.value for note in kept.values()],
        },
    )
