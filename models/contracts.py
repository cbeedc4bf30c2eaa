"""Flexible contracts: lines with committed quantities from a day on. Nothing of them is ever overwritten."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from models.database import Xid8, copy_in, fetch, fetch_pairs, metadata, run, stream
from models.reconciliations import OF_LINE

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
    Column("xact", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    CheckConstraint("quantity >= 0", name="quantity"),
)
draw_downs = Table(
    "draw_downs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("line_id", BigInteger, nullable=False),
    # The day in the contract's time zone; the quantity of a return is negative.
    Column("day", Date, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("license_number", Text(collation="C"), nullable=False),
    # None again once the draw-down was taken back: the same row brings it anew.
    Column("reference", Text),
    Column("cost_center", Text),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("xact", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
)
Index("ix_draw_downs_xact", draw_downs.c.xact)
Index("ix_draw_downs_line_id", draw_downs.c.line_id, draw_downs.c.day)
Index(
    "uq_draw_downs_reference",
    draw_downs.c.line_id,
    draw_downs.c.reference,
    unique=True,
    postgresql_where=draw_downs.c.reference.isnot(None),
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
    customer_number: str = ""


@dataclass(slots=True)
class ContractLine:
    """One line with its terms by name and its commitments: (quantity, price) by the day from which on they hold."""

    contract: Contract
    product_id: int
    terms: dict[str, Any]
    id: int = 0
    commitments: dict[date, tuple[int, Decimal]] = field(default_factory=dict)


_SELECT = (
    "SELECT k.key, k.id, k.code, k.customer_id, k.time_zone, k.state, c.number FROM contracts k"
    " JOIN accounts c ON c.id = k.customer_id"
)


def by_key(connection: Connection, keys: Sequence[str], *, lock: bool) -> dict[str, Contract]:
    """The contracts with these look-up keys, by key; locked in key order when ``lock``."""
    query = _SELECT + " WHERE k.key = ANY(%(keys)s) ORDER BY k.key" + (" FOR NO KEY UPDATE OF k" if lock else "")
    return {row[0]: Contract(*row) for row in fetch(connection, query, {"keys": list(keys)})}


def of_customers(connection: Connection, numbers: Sequence[str]) -> dict[str, Contract]:
    """All contracts of customers, named by their account numbers, by key."""
    query = _SELECT + " WHERE c.number = ANY(%(numbers)s)"
    return {row[0]: Contract(*row) for row in fetch(connection, query, {"numbers": list(numbers)})}


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


# By a line's last night, see models/reconciliations.py.
_UNSEEN = "u.xact >= pg_snapshot_xmin(r.seen) AND NOT pg_visible_in_snapshot(u.xact, r.seen)"


def to_reconcile(connection: Connection, at: datetime) -> Iterator[tuple[str, date]]:
    """The contracts with a line that has begun and of which a period is still open, or something came late: contract
    and the day before an instant, in the contract's time zone. Streamed.
    """
    return stream(
        connection,
        "SELECT k.code, d.day FROM contracts k"
        " CROSS JOIN LATERAL (SELECT (%(at)s::timestamptz AT TIME ZONE k.time_zone)::date - 1 AS day) d"
        f" WHERE EXISTS (SELECT FROM contract_lines n LEFT JOIN {OF_LINE} ON true"
        "  WHERE n.contract_id = k.id AND n.starts <= d.day AND (NOT EXISTS (SELECT FROM statements s"
        "   WHERE s.line_id = n.id AND s.state = 'closed'"
        "   AND s.period_ends >= (n.starts + make_interval(months => n.months))::date - 1)"
        f" OR EXISTS (SELECT FROM usage_reports u WHERE u.line_id = n.id AND {_UNSEEN})"
        f" OR EXISTS (SELECT FROM commitments u WHERE u.line_id = n.id AND {_UNSEEN})))"
        " ORDER BY k.key",
        {"at": at},
    )


def usable_by(connection: Connection, contract_ids: Sequence[int], account_id: int) -> set[int]:
    """Those of these contracts that an account may draw from: its own, and those of customers that it acts for."""
    rows = fetch(
        connection,
        "SELECT k.id FROM contracts k JOIN accounts c ON c.id = k.customer_id WHERE k.id = ANY(%(ids)s)"
        " AND (c.id = %(account)s OR c.registered_by = %(account)s OR EXISTS (SELECT FROM delegations d"
        " WHERE d.customer_id = c.id AND d.distributor_id = %(account)s AND d.state = 'active'))",
        {"ids": list(contract_ids), "account": account_id},
    )
    return {row[0] for row in rows}


def drawn(connection: Connection, line_ids: Sequence[int]) -> dict[int, int]:
    """How much is drawn of lines, returns taken off, by line id; lines of which nothing was drawn are left out."""
    query = "SELECT line_id, sum(quantity)::int FROM draw_downs WHERE line_id = ANY(%(ids)s) GROUP BY line_id"
    return {row[0]: row[1] for row in fetch(connection, query, {"ids": list(line_ids)})}


def drawn_from(connection: Connection, line_ids: Sequence[int]) -> set[int]:
    """Those of these lines that anything was ever drawn from."""
    if not line_ids:
        return set()
    query = (
        "SELECT w.line_id FROM unnest(%(ids)s::bigint[]) AS w (line_id)"
        " WHERE EXISTS (SELECT FROM draw_downs d WHERE d.line_id = w.line_id)"
    )
    return {row[0] for row in fetch(connection, query, {"ids": list(line_ids)})}


def by_day(connection: Connection, since: Mapping[int, date]) -> dict[int, tuple[array[int], array[int]]]:
    """Draw-downs and returns of lines, each from a day on, by line id: days (as ``date.toordinal``) and quantities."""
    if not since:
        return {}
    return fetch_pairs(
        connection,
        "SELECT w.line_id, d.pairs FROM unnest(%(lines)s::bigint[], %(since)s::date[]) AS w (line_id, since)"
        " CROSS JOIN LATERAL (SELECT string_agg(int8send((day - date '0001-01-01' + 1)::bigint << 32"
        "  | (quantity & 4294967295)), '') AS pairs FROM (SELECT day, sum(quantity) AS quantity FROM draw_downs"
        "  WHERE line_id = w.line_id AND day >= w.since GROUP BY day ORDER BY day) o) d WHERE d.pairs IS NOT NULL",
        {"lines": list(since), "since": list(since.values())},
    )


class Drawn(NamedTuple):
    """A draw-down or return that a row with a reference brought about."""

    quantity: int
    license_number: str
    host_id: str


def by_reference(connection: Connection, references: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Drawn]:
    """Earlier draw-downs and returns by (line id, reference)."""
    rows = fetch(
        connection,
        "SELECT d.line_id, d.reference, d.quantity, d.license_number, coalesce(l.host_id, '') FROM draw_downs d"
        " JOIN unnest(%(lines)s::bigint[], %(references)s::text[]) AS w (line_id, reference)"
        " ON w.line_id = d.line_id AND w.reference = d.reference JOIN licenses l ON l.number = d.license_number",
        {"lines": [line for line, _ in references], "references": [reference for _, reference in references]},
    )
    return {(row[0], row[1]): Drawn(*row[2:]) for row in rows}


def record(connection: Connection, lines: Sequence[str]) -> None:
    """Add draw-downs and returns: COPY lines of line id, day, quantity, license, reference, cost centre, batch, row."""
    columns = "line_id, day, quantity, license_number, reference, cost_center, batch_id, ordinal"
    copy_in(connection, "draw_downs", columns, lines)


def of_licenses(connection: Connection, numbers: Sequence[str]) -> list[tuple[str, str]]:
    """The lines that licenses were drawn from: contract and SKU."""
    return [
        (row[0], row[1])
        for row in fetch(
            connection,
            "SELECT DISTINCT k.code, p.sku FROM licenses l JOIN contract_lines n ON n.id = l.contract_line_id"
            " JOIN contracts k ON k.id = n.contract_id JOIN products p ON p.id = n.product_id"
            " WHERE l.number = ANY(%(numbers)s)",
            {"numbers": list(numbers)},
        )
    ]


def give_back(connection: Connection, licenses: Mapping[str, int], at: Any, batch_id: int) -> None:
    """Put licenses that end back into the lines that they were drawn from: ordinals of rows by license number."""
    _move(connection, licenses, -1, at, batch_id)


def draw_again(connection: Connection, licenses: Mapping[str, int], at: Any, batch_id: int) -> None:
    """Draw licenses that are active again from the lines that they came from: ordinals of rows by license number."""
    _move(connection, licenses, 1, at, batch_id)


def _move(connection: Connection, licenses: Mapping[str, int], sign: int, at: Any, batch_id: int) -> None:
    if not licenses:
        return
    run(
        connection,
        "INSERT INTO draw_downs (line_id, day, quantity, license_number, batch_id, ordinal)"
        " SELECT n.id, (%(at)s::timestamptz AT TIME ZONE k.time_zone)::date, %(sign)s * l.quantity, l.number,"
        " %(batch)s, w.ordinal"
        " FROM unnest(%(numbers)s::text[], %(ordinals)s::int[]) AS w (number, ordinal)"
        " JOIN licenses l ON l.number = w.number JOIN contract_lines n ON n.id = l.contract_line_id"
        " JOIN contracts k ON k.id = n.contract_id",
        {
            "at": at,
            "sign": sign,
            "batch": batch_id,
            "numbers": list(licenses),
            "ordinals": list(licenses.values()),
        },
    )


def free_references(connection: Connection, licenses: Sequence[str]) -> None:
    """Let the references be used again that rows drew these licenses by, which are taken back."""
    run(
        connection,
        "UPDATE draw_downs d SET reference = NULL FROM licenses l WHERE l.number = ANY(%(numbers)s)"
        " AND d.line_id = l.contract_line_id AND d.license_number = l.number AND d.reference IS NOT NULL",
        {"numbers": list(licenses)},
    )
