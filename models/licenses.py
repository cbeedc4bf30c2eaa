"""Licenses: the rights that were issued, with their signed keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, Date, DateTime, Integer, Table, Text, text

from models.database import copy_in, fetch, metadata, stream

licenses = Table(
    "licenses",
    metadata,
    Column("number", Text(collation="C"), primary_key=True),
    Column("key", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("quantity", Integer, nullable=False, server_default=text("1")),
    Column("host_id", Text),
    Column("reference", Text),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("valid_until", Date),
    Column("state", Text, nullable=False, server_default="active"),
    # One license per voucher: the promise that no race and no crash can break.
    Column("voucher_id", BigInteger, unique=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    CheckConstraint("state IN ('active', 'superseded', 'rehosted', 'revoked', 'expired')", name="state"),
    CheckConstraint("quantity > 0", name="quantity"),
)
# Long random keys do not compress: trying costs time for nothing.
COLUMNS = (
    "number, key, account_id, customer_id, product_id, version, host_id, reference, issued_at, valid_until,"
    " voucher_id, batch_id, ordinal"
)


class Redemption(NamedTuple):
    """The license that a voucher became, with what its row had asked for."""

    number: str
    company_key: str
    country: str
    host_id: str


def add(connection: Connection, lines: Iterable[str]) -> None:
    """Add licenses: COPY lines in the order of ``COLUMNS``."""
    copy_in(connection, "licenses", COLUMNS, lines)


def of_vouchers(connection: Connection, voucher_ids: Sequence[int]) -> dict[int, Redemption]:
    """The license of each redeemed voucher, by voucher id."""
    rows = fetch(
        connection,
        "SELECT l.voucher_id, l.number, coalesce(c.company_key, ''), coalesce(c.country, ''), coalesce(l.host_id, '')"
        " FROM licenses l JOIN accounts c ON c.id = l.customer_id WHERE l.voucher_id = ANY(%(ids)s)",
        {"ids": list(voucher_ids)},
    )
    return {row[0]: Redemption(*row[1:]) for row in rows}


class Shown(NamedTuple):
    """What a result file says of a license besides its number."""

    key: str
    sku: str
    quantity: int
    valid_until: date | None


def shown(connection: Connection, numbers: Sequence[str]) -> dict[str, Shown]:
    """What result files say of these licenses, by number."""
    rows = fetch(
        connection,
        "SELECT l.number, l.key, p.sku, l.quantity, l.valid_until FROM licenses l"
        " JOIN products p ON p.id = l.product_id WHERE l.number = ANY(%(numbers)s)",
        {"numbers": list(numbers)},
    )
    return {row[0]: Shown(*row[1:]) for row in rows}


def count_of_batch(connection: Connection, batch_id: int) -> int:
    """How many different licenses a batch issued or found again."""
    query = "SELECT count(DISTINCT license_number) FROM outcomes WHERE batch_id = %(batch)s"
    return int(fetch(connection, query, {"batch": batch_id})[0][0])


class IssuedKey(NamedTuple):
    """A key as a result file or license file shows it."""

    ordinal: int
    number: str
    key: str
    sku: str
    product: str
    version: str
    quantity: int
    customer_number: str
    customer: str
    host_id: str | None
    issued_at: Any
    valid_until: date | None


def of_batch(connection: Connection, batch_id: int) -> Iterator[IssuedKey]:
    """Every key that a batch issued or found again, in file order, streamed; a key found twice comes once."""
    for row in stream(
        connection,
        "SELECT o.ordinal, l.number, l.key, p.sku, p.name, l.version, l.quantity, c.number, c.name, l.host_id,"
        " l.issued_at, l.valid_until FROM (SELECT license_number, min(ordinal) AS ordinal FROM outcomes"
        "  WHERE batch_id = %(batch)s AND license_number IS NOT NULL GROUP BY license_number) o"
        " JOIN licenses l ON l.number = o.license_number"
        " JOIN products p ON p.id = l.product_id JOIN accounts c ON c.id = l.customer_id"
        " ORDER BY o.ordinal",
        {"batch": batch_id},
    ):
        yield IssuedKey(*row)
