"""The keys that a batch issued or found again, as result files and license files show them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models.database import fetch, stream

# The licenses that rows were answered with, and what was left of those that they replaced in part: by file order.
_OF_BATCH = (
    "(SELECT number, min(ordinal) AS ordinal FROM ("
    "SELECT license_number AS number, ordinal FROM outcomes WHERE batch_id = %(batch)s AND license_number IS NOT NULL"
    " UNION ALL SELECT detail, ordinal FROM outcomes WHERE batch_id = %(batch)s AND code = 'issued_in_part'"
    ") every GROUP BY number)"
)


def count_of_batch(connection: Connection, batch_id: int) -> int:
    """How many different licenses a batch issued or found again."""
    return int(fetch(connection, f"SELECT count(*) FROM {_OF_BATCH} o", {"batch": batch_id})[0][0])


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


def of_batch(connection: Connection, batch_id: int, *, by_customer: bool = False) -> Iterator[IssuedKey]:
    """Every key that a batch issued or found again, in file order, streamed; a key found twice comes once.

    ``by_customer``: all of a customer together.
    """
    for row in stream(
        connection,
        "SELECT o.ordinal, l.number, l.key, p.sku, p.name, l.version, l.quantity, c.number, c.name, l.host_id,"
        f" l.issued_at, l.valid_until FROM {_OF_BATCH} o JOIN licenses l ON l.number = o.number"
        " JOIN products p ON p.id = l.product_id JOIN accounts c ON c.id = l.customer_id"
        f" ORDER BY {'c.number, ' if by_customer else ''}o.ordinal",
        {"batch": batch_id},
    ):
        yield IssuedKey(*row)
