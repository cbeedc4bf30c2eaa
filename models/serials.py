"""Serials: numbers on certificates, proof of purchase of a quantity of a product or of a maintenance renewal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Identity,
    Integer,
    Table,
    Text,
    text,
)

from models.database import copy_in, fetch, metadata, run

# Filled a million rows at a time: no foreign keys, see docs/decisions/0006-schema.md.
serials = Table(
    "serials",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text(collation="C"), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("version", Text),
    Column("quantity", Integer, nullable=False, server_default=text("1")),
    # Bought and not yet turned into licenses: quantity = remaining + the licenses made of it, always.
    Column("remaining", Integer, nullable=False),
    Column("term_months", Integer),
    Column("maintenance_months", Integer),
    Column("maintenance_level", Text),
    Column("purpose", Text, nullable=False, server_default="license"),
    Column("prints_key", Boolean, nullable=False, server_default=text("false")),
    Column("owner_id", BigInteger),
    Column("registered_at", DateTime(timezone=True)),
    Column("contact", Text),
    Column("email", Text),
    Column("support_contact", Text),
    Column("state", Text, nullable=False, server_default="unregistered"),
    Column("end_reason", Text),
    CheckConstraint("state IN ('unregistered', 'registered', 'void')", name="state"),
    CheckConstraint("purpose IN ('license', 'renewal')", name="purpose"),
    CheckConstraint("remaining BETWEEN 0 AND quantity AND quantity > 0", name="remaining"),
    CheckConstraint("(owner_id IS NULL) = (registered_at IS NULL)", name="owner"),
    # Room on each page for the one change that most serials see.
    postgresql_with={"fillfactor": 50},
)


@dataclass(slots=True)
class Serial:
    """One serial as a chunk needs it. ``owner_id``: the customer that registered it first."""

    key: str
    id: int
    code: str
    product_id: int
    version: str | None
    quantity: int
    remaining: int
    term_months: int | None
    maintenance_months: int | None
    maintenance_level: str | None
    purpose: str
    prints_key: bool
    owner_id: int | None
    state: str


_COLUMNS = (
    "key, id, code, product_id, version, quantity, remaining, term_months, maintenance_months, maintenance_level,"
    " purpose, prints_key, owner_id, state"
)
LOADED = (
    "key", "code", "product_id", "version", "quantity", "remaining", "term_months", "maintenance_months",
    "maintenance_level", "purpose", "prints_key", "state",
)  # fmt: skip


def by_key(connection: Connection, keys: Sequence[str], *, lock: bool) -> dict[str, Serial]:
    """The serials with these look-up keys, by key; locked in key order when ``lock``."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM serials WHERE key = ANY(%(keys)s) ORDER BY key"
        + (" FOR NO KEY UPDATE" if lock else ""),
        {"keys": list(keys)},
    )
    return {row[0]: Serial(*row) for row in rows}


def add(connection: Connection, lines: Iterable[str]) -> None:
    """Add serials: COPY lines in the order of ``LOADED``."""
    copy_in(connection, "serials", ", ".join(LOADED), lines)


def change(connection: Connection, changed: Sequence[Serial]) -> None:
    """Write what a load may change of serials, by id."""
    columns = {
        "product_id": "bigint",
        "version": "text",
        "quantity": "int",
        "remaining": "int",
        "term_months": "int",
        "maintenance_months": "int",
        "maintenance_level": "text",
        "purpose": "text",
        "prints_key": "boolean",
        "state": "text",
    }
    if changed:
        run(
            connection,
            f"UPDATE serials SET {', '.join(f'{name} = w.{name}' for name in columns)}"
            f" FROM unnest(%(id)s::bigint[], {', '.join(f'%({name})s::{kind}[]' for name, kind in columns.items())})"
            f" AS w (id, {', '.join(columns)}) WHERE serials.id = w.id",
            {name: [getattr(serial, name) for serial in changed] for name in ("id", *columns)},
        )


class Registration(NamedTuple):
    """What a row changes of a serial: by how much less is left, and who registered it."""

    serial_id: int
    quantity: int
    owner_id: int
    contact: str | None
    email: str | None
    support_contact: str | None


def register(connection: Connection, registrations: Sequence[Registration], at: Any) -> None:
    """Take quantities off serials; the first registration makes its customer the owner.

    Raises ``RuntimeError`` if one is no longer to be had: void, or of another owner.
    """
    whole: dict[int, Registration] = {}
    for one in registrations:
        known = whole.get(one.serial_id)
        whole[one.serial_id] = one if known is None else known._replace(quantity=known.quantity + one.quantity)
    columns = zip(*whole.values(), strict=True)
    names = Registration._fields
    changed = run(
        connection,
        "UPDATE serials s SET remaining = s.remaining - w.quantity, state = 'registered', owner_id = w.owner_id,"
        " registered_at = coalesce(s.registered_at, %(at)s), contact = coalesce(w.contact, s.contact),"
        " email = coalesce(w.email, s.email), support_contact = coalesce(w.support_contact, s.support_contact)"
        " FROM unnest(%(serial_id)s::bigint[], %(quantity)s::int[], %(owner_id)s::bigint[], %(contact)s::text[],"
        " %(email)s::text[], %(support_contact)s::text[])"
        f" AS w ({', '.join(names)})"
        " WHERE s.id = w.serial_id AND s.state <> 'void' AND coalesce(s.owner_id, w.owner_id) = w.owner_id",
        {"at": at}
        | {n: list(column) if set(column) != {None} else [] for n, column in zip(names, columns, strict=True)},
    )
    if changed != len(whole):
        raise RuntimeError(f"{len(whole) - changed} of {len(whole)} serials could no longer be registered")


def sums(connection: Connection) -> dict[str, int]:
    """Bought, and left: ``quantity`` and ``remaining`` of all serials that make licenses."""
    query = (
        "SELECT coalesce(sum(quantity), 0), coalesce(sum(remaining), 0) FROM serials"
        " WHERE purpose = 'license' AND NOT prints_key"
    )
    quantity, remaining = fetch(connection, query, {})[0]
    return {"quantity": quantity, "remaining": remaining}
