"""Vouchers, and the orders that minted them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from models.database import copy_in, fetch, metadata, run, stream

mint_orders = Table(
    "mint_orders",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("oem_id", ForeignKey("accounts.id"), nullable=False),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("version", Text),
    Column("count", Integer, nullable=False),
    Column("minted", Integer, nullable=False, server_default=text("0")),
    Column("term_months", Integer),
    Column("expires", Date),
    Column("po_number", Text),
    Column("reference", Text),
    UniqueConstraint("batch_id", "ordinal"),
    UniqueConstraint("oem_id", "reference"),
    CheckConstraint("minted BETWEEN 0 AND count", name="minted"),
)

# Filled a million rows at a time: constraints that cost a look-up per row (foreign keys) are left out on purpose,
# see docs/decisions/0006-schema.md.
vouchers = Table(
    "vouchers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text(collation="C"), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("oem_id", BigInteger, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("version", Text),
    Column("term_months", Integer),
    Column("expires", Date),
    Column("order_id", BigInteger),
    Column("state", Text, nullable=False, server_default="minted"),
    Column("end_reason", Text),
    CheckConstraint("state IN ('minted', 'redeemed', 'expired', 'void')", name="state"),
    # Room on each page for the one change of state that most vouchers see.
    postgresql_with={"fillfactor": 85},
)
Index("ix_vouchers_order_id", vouchers.c.order_id, postgresql_where=vouchers.c.order_id.isnot(None))


@dataclass(slots=True)
class Voucher:
    """One voucher as a chunk needs it."""

    key: str
    id: int
    code: str
    oem_id: int
    product_id: int
    version: str | None
    term_months: int | None
    expires: date | None
    state: str


def by_key(connection: Connection, keys: Sequence[str], *, lock: bool) -> dict[str, Voucher]:
    """The vouchers with these look-up keys, by key; locked in key order when ``lock``.

    One that was marked expired comes as ``minted``: its date decides, before and after it is marked.
    """
    rows = fetch(
        connection,
        "SELECT key, id, code, oem_id, product_id, version, term_months, expires,"
        " CASE state WHEN 'expired' THEN 'minted' ELSE state END FROM vouchers"
        " WHERE key = ANY(%(keys)s) ORDER BY key" + (" FOR NO KEY UPDATE" if lock else ""),
        {"keys": keys if isinstance(keys, list) else list(keys)},
    )
    return {row[0]: Voucher(*row) for row in rows}


def mark_redeemed(connection: Connection, voucher_ids: list[int]) -> None:
    """Set vouchers redeemed. Raises if one of them was not waiting to be."""
    changed = run(
        connection,
        "UPDATE vouchers SET state = 'redeemed' WHERE id = ANY(%(ids)s) AND state IN ('minted', 'expired')",
        {"ids": voucher_ids},
    )
    if changed != len(voucher_ids):
        raise RuntimeError(f"{len(voucher_ids) - changed} of {len(voucher_ids)} vouchers were no longer redeemable")


def void(connection: Connection, reasons: Mapping[int, str]) -> None:
    """Make vouchers void that nobody has redeemed: reasons by id. Raises if one of them was redeemed."""
    changed = run(
        connection,
        "UPDATE vouchers v SET state = 'void', end_reason = w.reason"
        " FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS w (id, reason)"
        " WHERE v.id = w.id AND v.state IN ('minted', 'expired')",
        {"ids": list(reasons), "reasons": list(reasons.values())},
    )
    if changed != len(reasons):
        raise RuntimeError(f"{len(reasons) - changed} of {len(reasons)} vouchers could no longer be made void")


def add(connection: Connection, lines: Iterable[str]) -> None:
    """Add vouchers: COPY lines of key, code, OEM id, product id, version, term in months, expiry, order id."""
    copy_in(connection, "vouchers", "key, code, oem_id, product_id, version, term_months, expires, order_id", lines)


def change(connection: Connection, records: Sequence[dict[str, Any]]) -> None:
    """Set product, version, term and expiry of loaded vouchers, by id."""
    if records:
        connection.execute(
            text(
                "UPDATE vouchers SET product_id = :product_id, version = :version, term_months = :term_months,"
                " expires = :expires, state = 'minted' WHERE id = :id AND state IN ('minted', 'expired')"
            ),
            records,
        )


def lock_oems(connection: Connection, oem_ids: Sequence[int]) -> None:
    """Take the orders of these OEMs for this transaction, in id order, so that references cannot race."""
    for oem_id in sorted(set(oem_ids)):
        run(connection, "SELECT pg_advisory_xact_lock(hashtext('mint_orders'), %(id)s::int)", {"id": oem_id % 2**31})


def orders_by_reference(connection: Connection, references: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Any]:
    """Earlier mint orders by (OEM id, reference)."""
    rows = fetch(
        connection,
        "SELECT o.oem_id, o.reference, o.id, o.batch_id, o.ordinal, o.product_id, o.version, o.count, o.term_months,"
        " o.expires, o.po_number FROM mint_orders o"
        " JOIN unnest(%(oems)s::bigint[], %(references)s::text[]) AS w (oem_id, reference)"
        " ON w.oem_id = o.oem_id AND w.reference = o.reference",
        {"oems": [oem for oem, _ in references], "references": [reference for _, reference in references]},
    )
    return {(row[0], row[1]): row[2:] for row in rows}


def place_order(connection: Connection, order: dict[str, Any]) -> tuple[int, int]:
    """Record a mint order, or find the one that this row placed before: its id and how many codes it has."""
    row = connection.execute(
        text(
            "INSERT INTO mint_orders (batch_id, ordinal, oem_id, product_id, version, count, term_months, expires,"
            " po_number, reference) VALUES (:batch_id, :ordinal, :oem_id, :product_id, :version, :count, :term_months,"
            " :expires, :po_number, :reference)"
            " ON CONFLICT (batch_id, ordinal) DO UPDATE SET count = mint_orders.count RETURNING id, minted"
        ),
        order,
    ).one()
    return row[0], row[1]


def count_minted(connection: Connection, order_id: int, added: int) -> None:
    """Say that an order has so many more codes, in the transaction that adds them."""
    run(
        connection,
        "UPDATE mint_orders SET minted = minted + %(added)s WHERE id = %(id)s",
        {"id": order_id, "added": added},
    )


def orders_of_batch(connection: Connection, batch_id: int) -> list[tuple[int, int]]:
    """(order id, codes) of the orders that a batch placed or, by reference, found again, in file order."""
    return [
        (row[0], row[1])
        for row in fetch(
            connection,
            "SELECT o.id, o.minted FROM outcomes u JOIN mint_orders o ON o.id = u.order_id"
            " WHERE u.batch_id = %(batch)s AND u.order_id IS NOT NULL ORDER BY u.ordinal",
            {"batch": batch_id},
        )
    ]


def codes_of_order(connection: Connection, order_id: int) -> Iterator[tuple[str, str, str, date | None]]:
    """Codes of an order in the order they were minted, streamed: (code, SKU, OEM number, last day to redeem)."""
    yield from stream(
        connection,
        "SELECT v.code, p.sku, a.number, v.expires FROM vouchers v"
        " JOIN products p ON p.id = v.product_id JOIN accounts a ON a.id = v.oem_id"
        " WHERE v.order_id = %(order)s ORDER BY v.id",
        {"order": order_id},
    )


def sums(connection: Connection, oem_id: int | None = None) -> dict[str, int]:
    """How many vouchers are in each state, and ``total``; of one OEM or of all."""
    rows = fetch(
        connection,
        "SELECT state, count(*) FROM vouchers WHERE %(oem)s::bigint IS NULL OR oem_id = %(oem)s GROUP BY state",
        {"oem": oem_id},
    )
    counts = dict.fromkeys(("minted", "redeemed", "expired", "void"), 0) | {row[0]: row[1] for row in rows}
    return counts | {"total": sum(counts.values())}
