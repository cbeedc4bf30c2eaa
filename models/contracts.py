"""Flexible contracts: lines with committed quantities from a day on. Nothing of them is ever overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from models.database import fetch, metadata, run

contracts = Table(
    "contracts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text(collation="C"), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("customer_id", ForeignKey("accounts.id"), nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("state IN ('active', 'closed')", name="state"),
)
contract_lines = Table(
    "contract_lines",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("starts", Date, nullable=False),
    Column("months", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("currency", Text),
    Column("growth", Numeric(7, 3), nullable=False),
    Column("tolerance", Numeric(7, 3), nullable=False),
    Column("report_days", Integer),
    UniqueConstraint("contract_id", "product_id"),
    CheckConstraint("unit IN ('month', 'quarter', 'year')", name="unit"),
    CheckConstraint("metric IN ('peak', 'average')", name="metric"),
    CheckConstraint("policy IN ('true_up', 'true_forward', 'hard_stop')", name="policy"),
    CheckConstraint("months > 0", name="months"),
)
commitments = Table(
    "commitments",
    metadata,
    Column("line_id", ForeignKey("contract_lines.id"), primary_key=True),
    Column("since", Date, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("price", Numeric(18, 4), nullable=False),
    # The row that brought it.
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity"),
)
TERMS = ("starts", "months", "unit", "metric", "policy", "currency", "growth", "tolerance", "report_days")


@dataclass(slots=True)
class Contract:
    """One contract; ``id`` is 0 until it is written."""

    key: str
    id: int
    code: str
    customer_id: int
    time_zone: str
    state: str = "active"


@dataclass(slots=True)
class ContractLine:
    """One line with its terms by name and its commitments: (quantity, price) by the day from which on they hold."""

    contract: Contract
    product_id: int
    terms: dict[str, Any]
    id: int = 0
    commitments: dict[date, tuple[int, Decimal]] = field(default_factory=dict)


def by_key(connection: Connection, keys: Sequence[str], *, lock: bool) -> dict[str, Contract]:
    """The contracts with these look-up keys, by key; locked in key order when ``lock``."""
    query = "SELECT key, id, code, customer_id, time_zone, state FROM contracts WHERE key = ANY(%(keys)s) ORDER BY key"
    rows = fetch(connection, query + (" FOR NO KEY UPDATE" if lock else ""), {"keys": list(keys)})
    return {row[0]: Contract(*row) for row in rows}


def lines_of(connection: Connection, found: Sequence[Contract]) -> dict[tuple[str, int], ContractLine]:
    """All lines of contracts, by (key of the contract, product id)."""
    by_id = {contract.id: contract for contract in found}
    lines: dict[int, ContractLine] = {}
    for line_id, contract_id, product_id, *terms in fetch(
        connection,
        f"SELECT id, contract_id, product_id, {', '.join(TERMS)} FROM contract_lines WHERE contract_id = ANY(%(ids)s)",
        {"ids": list(by_id)},
    ):
        lines[line_id] = ContractLine(by_id[contract_id], product_id, dict(zip(TERMS, terms, strict=True)), line_id)
    for line_id, since, quantity, price in fetch(
        connection,
        "SELECT line_id, since, quantity, price FROM commitments WHERE line_id = ANY(%(ids)s) ORDER BY since",
        {"ids": list(lines)},
    ):
        lines[line_id].commitments[since] = quantity, price
    return {(line.contract.key, line.product_id): line for line in lines.values()}


def add(connection: Connection, new: Sequence[Contract]) -> None:
    """Write new contracts, and set their ids."""
    names = ("key", "code", "customer_id", "time_zone")
    ids = fetch(
        connection,
        f"INSERT INTO contracts ({', '.join(names)})"
        " SELECT * FROM unnest(%(key)s::text[], %(code)s::text[], %(customer_id)s::bigint[], %(time_zone)s::text[])"
        " RETURNING key, id",
        {name: [getattr(contract, name) for contract in new] for name in names},
    )
    by_key_ = dict(ids)
    for contract in new:
        contract.id = by_key_[contract.key]


def add_lines(connection: Connection, new: Sequence[ContractLine]) -> None:
    """Write new lines of contracts that are there, and set their ids."""
    types = {
        "starts": "date", "months": "int", "unit": "text", "metric": "text", "policy": "text", "currency": "text",
        "growth": "numeric", "tolerance": "numeric", "report_days": "int",
    }  # fmt: skip
    columns = ", ".join(f"%({name})s::{kind}[]" for name, kind in types.items())
    ids = fetch(
        connection,
        f"INSERT INTO contract_lines (contract_id, product_id, {', '.join(types)})"
        f" SELECT * FROM unnest(%(contracts)s::bigint[], %(products)s::bigint[], {columns})"
        " RETURNING contract_id, product_id, id",
        {name: [line.terms[name] for line in new] for name in types}
        | {"contracts": [line.contract.id for line in new], "products": [line.product_id for line in new]},
    )
    found = {(row[0], row[1]): row[2] for row in ids}
    for line in new:
        line.id = found[line.contract.id, line.product_id]


@dataclass(frozen=True, slots=True)
class NewCommitment:
    """What a row commits: quantity and price of a line from a day on."""

    line: ContractLine
    since: date
    quantity: int
    price: Decimal
    ordinal: int


def commit(connection: Connection, new: Sequence[NewCommitment], batch_id: int) -> None:
    """Write commitments. Raises where a line has one from the same day on."""
    run(
        connection,
        "INSERT INTO commitments (line_id, since, quantity, price, batch_id, ordinal)"
        " SELECT line_id, since, quantity, price, %(batch)s, ordinal FROM unnest(%(lines)s::bigint[],"
        " %(since)s::date[], %(quantities)s::int[], %(prices)s::numeric[], %(ordinals)s::int[])"
        " AS w (line_id, since, quantity, price, ordinal)",
        {
            "batch": batch_id,
            "lines": [one.line.id for one in new],
            "since": [one.since for one in new],
            "quantities": [one.quantity for one in new],
            "prices": [one.price for one in new],
            "ordinals": [one.ordinal for one in new],
        },
    )
