"""Licenses: the rights that were issued, with their signed keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from licensing.holding import Access
from models.database import copy_in, fetch, metadata, run

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
    Column("voucher_id", BigInteger),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("serial_id", BigInteger),
    Column("notification_id", BigInteger),
    Column("contract_line_id", BigInteger),
    # Where it comes from: the license that it replaces, and the first one of the chain (both NULL: it is the first).
    Column("cause", Text),
    Column("parent_number", Text(collation="C")),
    Column("root_number", Text(collation="C")),
    Column("ended_at", DateTime(timezone=True)),
    Column("end_reason", Text),
    # Its support contract: first and last day, level, whom support writes to (all NULL: it never had one).
    Column("maintained_from", Date),
    Column("maintained_until", Date),
    Column("support_level", Text),
    Column("support_contact", Text),
    CheckConstraint("state IN ('active', 'superseded', 'rehosted', 'revoked', 'expired')", name="state"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("cause IN ('rehost', 'upgrade', 'split')", name="cause"),
    CheckConstraint("maintained_from <= maintained_until", name="maintained"),
    # Room on each page for one change of each license: three times as fast (docs/decisions/0006-schema.md).
    postgresql_with={"fillfactor": 50},
)
# One license per voucher: the promise that no race and no crash can break.
Index("ix_licenses_voucher_id", licenses.c.voucher_id, unique=True, postgresql_where=licenses.c.voucher_id.isnot(None))
# Where a chain begins; what replaced it is found by its parent (docs/decisions/0006-schema.md).
Index(
    "ix_licenses_serial_id",
    licenses.c.serial_id,
    postgresql_where=licenses.c.serial_id.isnot(None) & licenses.c.cause.is_(None),
)
_NOTIFIED = licenses.c.notification_id
Index("ix_licenses_notification_id", _NOTIFIED, postgresql_where=_NOTIFIED.isnot(None))
Index("ix_licenses_parent_number", licenses.c.parent_number, postgresql_where=licenses.c.parent_number.isnot(None))
Index("ix_licenses_customer_id", licenses.c.customer_id)
# Long random keys do not compress: trying costs time for nothing.
COLUMNS = (
    "number, key, account_id, customer_id, product_id, version, host_id, reference, issued_at, valid_until,"
    " voucher_id, batch_id, ordinal"
)

CHAINED = (
    f"{COLUMNS}, quantity, serial_id, notification_id, contract_line_id, cause, parent_number, root_number,"
    " maintained_from, maintained_until, support_level, support_contact"
)


class Maintenance(NamedTuple):
    """The support contract of a license: first and last day, level, whom support writes to."""

    starts: date
    ends: date
    level: str | None
    support_contact: str | None


@lru_cache(1024)
def _maintained(starts: date | None, ends: date, level: str | None, support_contact: str | None) -> Maintenance | None:
    """What the columns say; licenses of one order say the same."""
    return None if starts is None else Maintenance(starts, ends, level, support_contact)


class Redemption(NamedTuple):
    """The license that a voucher became, with what its row had asked for."""

    number: str
    company_key: str
    country: str
    host_id: str


def add(connection: Connection, lines: Iterable[str]) -> None:
    """Add licenses: COPY lines in the order of ``COLUMNS``."""
    copy_in(connection, "licenses", COLUMNS, lines)


def add_chained(connection: Connection, lines: Iterable[str]) -> None:
    """Add licenses with where they come from: COPY lines in the order of ``CHAINED``."""
    copy_in(connection, "licenses", CHAINED, lines)


class Registered(NamedTuple):
    """A license that a serial became, with what its row had asked for."""

    number: str
    host_id: str
    quantity: int
    reference: str


def of_serials(connection: Connection, serial_ids: Sequence[int]) -> dict[int, list[Registered]]:
    """The licenses that serials became, oldest first, by serial id; without those that replaced one."""
    found: dict[int, list[Registered]] = {}
    for serial_id, *license in fetch(
        connection,
        "SELECT serial_id, number, coalesce(host_id, ''), quantity, coalesce(reference, '') FROM licenses"
        " WHERE serial_id = ANY(%(ids)s) AND cause IS NULL ORDER BY serial_id, batch_id, ordinal",
        {"ids": list(serial_ids)},
    ):
        found.setdefault(serial_id, []).append(Registered(*license))
    return found


def of_vouchers(connection: Connection, voucher_ids: Sequence[int]) -> dict[int, Redemption]:
    """The license of each redeemed voucher, by voucher id."""
    rows = fetch(
        connection,
        "SELECT l.voucher_id, l.number, coalesce(c.company_key, ''), coalesce(c.country, ''), coalesce(l.host_id, '')"
        " FROM licenses l JOIN accounts c ON c.id = l.customer_id WHERE l.voucher_id = ANY(%(ids)s)",
        {"ids": list(voucher_ids)},
    )
    return {row[0]: Redemption(*row[1:]) for row in rows}


@dataclass(slots=True)
class Held:
    """A license as an account sees it. ``access`` None: it is none of its business, and looks as if unknown.

    ``root`` is the first license of its chain (itself, if it is the first).
    """

    number: str
    access: Access | None
    customer_id: int
    customer_number: str
    product_id: int
    sku: str
    version: str
    quantity: int
    host_id: str | None
    valid_until: date | None
    state: str
    serial_id: int | None
    root: str
    contract_line_id: int | None
    maintenance: Maintenance | None


# A license that was marked expired is still ``active`` to the rules: its date decides, before and after it is marked.
RULING_STATE = "CASE l.state WHEN 'expired' THEN 'active' ELSE l.state END"

# The vendor, the customer itself, who registered the customer, its distributors, and whom it is shared with.
_HELD = f"""
SELECT l.number,
       CASE WHEN %(vendor)s OR l.customer_id = %(account)s OR c.registered_by = %(account)s
              OR EXISTS (SELECT FROM delegations d WHERE d.customer_id = l.customer_id
                         AND d.distributor_id = %(account)s AND d.state = 'active') THEN 'own'
            ELSE (SELECT s.permission FROM shares s WHERE s.license_number = l.number
                  AND s.account_id = %(account)s AND s.state = 'active') END,
       l.customer_id, c.number, l.product_id, p.sku, l.version, l.quantity, l.host_id, l.valid_until, {RULING_STATE},
       l.serial_id, coalesce(l.root_number, l.number), l.contract_line_id, l.maintained_from, l.maintained_until,
       l.support_level, l.support_contact
FROM licenses l JOIN accounts c ON c.id = l.customer_id JOIN products p ON p.id = l.product_id
WHERE l.number = ANY(%(numbers)s)
"""


def held(
    connection: Connection, numbers: Sequence[str], *, account_id: int, is_vendor: bool, lock: bool
) -> dict[str, Held]:
    """Licenses by number, and what an account may do with each; their chains are locked when ``lock``."""
    if lock:
        lock_chains(connection, numbers)
    rows = fetch(connection, _HELD, {"numbers": list(numbers), "account": account_id, "vendor": is_vendor})
    return {row[0]: Held(*(*row[:-4], _maintained(*row[-4:]))) for row in rows}


# Arrays, as an index is then gone through once, in order; a join would search it anew for each license.
_LOCK = (
    "SELECT count(*) FROM (SELECT FROM licenses WHERE number = ANY(ARRAY({roots})) ORDER BY number FOR NO KEY UPDATE) l"
)


def lock_chains(connection: Connection, numbers: Sequence[str]) -> None:
    """Lock the first license of each chain, which never changes: whoever holds it has all that came of it."""
    roots = "SELECT coalesce(root_number, number) FROM licenses WHERE number = ANY(%(numbers)s)"
    run(connection, _LOCK.format(roots=roots), {"numbers": list(numbers)})


def lock_chains_of_notifications(connection: Connection, keys: Sequence[str]) -> None:
    """The same for the licenses that notifications are for, by key: one follows its license, and stays in its chain."""
    roots = "SELECT root_number FROM notifications WHERE key = ANY(%(keys)s)"
    run(connection, _LOCK.format(roots=roots), {"keys": list(keys)})


class Child(NamedTuple):
    """A license that replaced another: in whole or in part, and why."""

    number: str
    parent: str
    cause: str
    host_id: str
    quantity: int


def children(connection: Connection, numbers: Sequence[str]) -> list[Child]:
    """What replaced these licenses, and in turn what replaced the rest of each."""
    rows = fetch(
        connection,
        "WITH RECURSIVE found AS ("
        " SELECT number, parent_number, cause, host_id, quantity FROM licenses WHERE parent_number = ANY(%(numbers)s)"
        " UNION SELECT l.number, l.parent_number, l.cause, l.host_id, l.quantity FROM licenses l"
        " JOIN found f ON l.parent_number = f.number WHERE f.cause = 'split')"
        " SELECT number, parent_number, cause, coalesce(host_id, ''), quantity FROM found ORDER BY number",
        {"numbers": list(numbers)},
    )
    return [Child(*row) for row in rows]


def rehosts(connection: Connection, numbers: Sequence[str]) -> dict[str, list[date]]:
    """The days (UTC) on which licenses or those that they come from were moved to another host, by license."""
    found: dict[str, list[date]] = {}
    for number, day in fetch(
        connection,
        "WITH RECURSIVE line AS ("
        " SELECT number AS start, parent_number, cause, issued_at FROM licenses WHERE number = ANY(%(numbers)s)"
        " UNION ALL SELECT line.start, l.parent_number, l.cause, l.issued_at FROM line"
        " JOIN licenses l ON l.number = line.parent_number)"
        " SELECT start, (issued_at AT TIME ZONE 'UTC')::date FROM line WHERE cause = 'rehost'",
        {"numbers": list(numbers)},
    ):
        found.setdefault(number, []).append(day)
    return found


def end(
    connection: Connection, numbers: Sequence[str], state: str, at: Any, reasons: Sequence[str] | None = None
) -> None:
    """End licenses: ``superseded``, ``rehosted`` or ``revoked``. Raises ``RuntimeError`` if one had ended before."""
    which = " WHERE l.number = ANY(%(numbers)s)"
    if reasons is not None:
        which = (
            ", end_reason = w.reason FROM unnest(%(numbers)s::text[], %(reasons)s::text[]) AS w (number, reason)"
            " WHERE l.number = w.number"
        )
    values = {"numbers": list(numbers), "reasons": list(reasons or ()), "state": state, "at": at}
    query = f"UPDATE licenses l SET state = %(state)s, ended_at = %(at)s{which} AND l.state IN ('active', 'expired')"
    changed = run(connection, query, values)
    if changed != len(numbers):
        raise RuntimeError(f"{len(numbers) - changed} of {len(numbers)} licenses were no longer active")


class Upgraded(NamedTuple):
    """A license that a notification became, with what its row had asked for."""

    number: str
    sku: str
    host_id: str
    quantity: int
    reference: str


def of_notifications(connection: Connection, notification_ids: Sequence[int]) -> dict[int, list[Upgraded]]:
    """The licenses that notifications became, oldest first, by notification id."""
    found: dict[int, list[Upgraded]] = {}
    for notification_id, *license in fetch(
        connection,
        "SELECT l.notification_id, l.number, p.sku, coalesce(l.host_id, ''), l.quantity,"
        " coalesce(l.reference, '') FROM licenses l"
        " JOIN products p ON p.id = l.product_id WHERE l.notification_id = ANY(%(ids)s) AND l.cause = 'upgrade'"
        " ORDER BY l.notification_id, l.batch_id, l.ordinal",
        {"ids": list(notification_ids)},
    ):
        found.setdefault(notification_id, []).append(Upgraded(*license))
    return found


def of_serial_keys(connection: Connection, keys: Sequence[str]) -> dict[str, list[str]]:
    """The licenses that came of serials and have not ended, by the serial's look-up key."""
    found: dict[str, list[str]] = {}
    for key, number in fetch(
        connection,
        "WITH RECURSIVE line AS ("
        " SELECT s.key, l.number, l.state FROM serials s JOIN licenses l ON l.serial_id = s.id AND l.cause IS NULL"
        " WHERE s.key = ANY(%(keys)s)"
        " UNION ALL SELECT line.key, l.number, l.state FROM line JOIN licenses l ON l.parent_number = line.number)"
        " SELECT key, number FROM line WHERE state IN ('active', 'expired') ORDER BY number",
        {"keys": list(keys)},
    ):
        found.setdefault(key, []).append(number)
    return found


def maintain(connection: Connection, changed: Mapping[str, tuple[str, Maintenance | None]]) -> None:
    """Give licenses, by number, a new key and the maintenance that it tells of; what they stand for did not change."""
    nothing = (None, None, None, None)
    lines = [(number, key, *(now or nothing)) for number, (key, now) in changed.items()]
    numbers, keys, starts, ends, levels, contacts = map(list, zip(*lines, strict=True))
    run(
        connection,
        "UPDATE licenses l SET key = w.key, maintained_from = w.starts, maintained_until = w.ends,"
        " support_level = w.level, support_contact = w.contact FROM unnest(%(numbers)s::text[], %(keys)s::text[],"
        " %(starts)s::date[], %(ends)s::date[], %(levels)s::text[], %(contacts)s::text[])"
        " AS w (number, key, starts, ends, level, contact) WHERE l.number = w.number",
        {"numbers": numbers, "keys": keys, "starts": starts, "ends": ends, "levels": levels, "contacts": contacts},
    )


def with_belongings(connection: Connection, numbers: Sequence[str]) -> set[str]:
    """Those of these licenses that their owners keep something beside: see :func:`carry_over`."""
    queries = (f"SELECT license_number FROM {table} WHERE license_number = ANY(%(numbers)s)" for table in _BELONGINGS)
    return {row[0] for row in fetch(connection, " UNION ".join(queries), {"numbers": list(numbers)})}


def carry_over(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Give licenses what their owners keep beside the one that they replace: pairs of (old number, new number)."""
    for table, columns in _BELONGINGS.items():
        run(
            connection,
            f"INSERT INTO {table} (license_number, {columns}) SELECT w.new, {columns} FROM {table} t"
            " JOIN unnest(%(old)s::text[], %(new)s::text[]) AS w (old, new) ON w.old = t.license_number",
            {"old": [old for old, _ in pairs], "new": [new for _, new in pairs]},
        )


_BELONGINGS = {
    "shares": "account_id, permission, state, since",
    "user_fields": "name, type, value, account_id, changed_at",
}


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
