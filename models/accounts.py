"""Accounts, and the delegations between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)

from models.database import fetch, metadata, run

accounts = Table(
    "accounts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("country", Text),
    Column("company_key", Text),
    Column("registered_by", ForeignKey("accounts.id")),
    Column("locale", Text),
    Column("time_zone", Text),
    Column("separator", Text),
    Column("encoding", Text),
    Column("confirm", Text, nullable=False, server_default="ask"),
    # A second person confirms batches with more keys than that (NULL: none does), and those that revoke licenses.
    Column("approve_above", Integer),
    Column("approve_revoking", Boolean, nullable=False, server_default=text("false")),
    Column("state", Text, nullable=False, server_default="active"),
    Column("state_reason", Text),
    Column("state_since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("type IN ('vendor', 'oem', 'distributor', 'customer')", name="type"),
    CheckConstraint("state IN ('active', 'suspended')", name="state"),
    CheckConstraint("confirm IN ('ask', 'auto')", name="confirm"),
    CheckConstraint("approve_above >= 0", name="approve_above"),
)
# A customer that an account brought in its files: one account per company and country (blank country is one too).
Index(
    "uq_accounts_customer",
    accounts.c.registered_by,
    accounts.c.company_key,
    text("coalesce(country, '')"),
    unique=True,
    postgresql_where=text("registered_by IS NOT NULL"),
)

delegations = Table(
    "delegations",
    metadata,
    Column("customer_id", ForeignKey("accounts.id"), primary_key=True),
    Column("distributor_id", ForeignKey("accounts.id"), primary_key=True),
    Column("state", Text, nullable=False, server_default="active"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("state IN ('active', 'withdrawn')", name="state"),
)
Index("ix_delegations_distributor_id", delegations.c.distributor_id)


@dataclass(frozen=True, slots=True)
class Account:
    """One party and the habits of its files."""

    id: int
    number: str
    type: str
    name: str
    email: str | None
    country: str | None
    locale: str | None
    time_zone: str | None
    separator: str | None
    encoding: str | None
    confirm: str
    state: str
    approve_above: int | None
    approve_revoking: bool


_COLUMNS = (
    "id, number, type, name, email, country, locale, time_zone, separator, encoding, confirm, state, approve_above,"
    " approve_revoking"
)


def by_number(connection: Connection, number: str) -> Account | None:
    """The account with a number, in any case."""
    row = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM accounts WHERE number = :number OR lower(number) = lower(:number)"
            " ORDER BY (number = :number) DESC LIMIT 1"
        ),
        {"number": number},
    ).first()
    return Account(*row) if row else None


def active_of_type(connection: Connection, kind: str) -> list[str]:
    """The numbers of the active accounts of a type, in order."""
    query = "SELECT number FROM accounts WHERE type = %(type)s AND state = 'active' ORDER BY number"
    return [row[0] for row in fetch(connection, query, {"type": kind})]


def by_id(connection: Connection, account_id: int) -> Account:
    """The account with an id that the database gave."""
    (found,) = fetch(connection, f"SELECT {_COLUMNS} FROM accounts WHERE id = %(id)s", {"id": account_id})
    return Account(*found)


def vendors(connection: Connection) -> list[int]:
    """The ids of the vendor's own accounts: operations."""
    return [row[0] for row in fetch(connection, "SELECT id FROM accounts WHERE type = 'vendor' ORDER BY id", {})]


def by_numbers(connection: Connection, numbers: Sequence[str], *, lock: bool) -> dict[str, Account]:
    """The accounts with these numbers, by number; locked in number order when ``lock``."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM accounts WHERE number = ANY(%(numbers)s) ORDER BY number"
        + (" FOR NO KEY UPDATE" if lock else ""),
        {"numbers": list(numbers)},
    )
    return {row[1]: Account(*row) for row in rows}


def delegations_of(connection: Connection, customer_ids: Sequence[int]) -> dict[int, set[str]]:
    """The numbers of the distributors that each customer delegated to."""
    found: dict[int, set[str]] = {}
    for customer_id, number in fetch(
        connection,
        "SELECT d.customer_id, a.number FROM delegations d JOIN accounts a ON a.id = d.distributor_id"
        " WHERE d.customer_id = ANY(%(ids)s) AND d.state = 'active'",
        {"ids": list(customer_ids)},
    ):
        found.setdefault(customer_id, set()).add(number)
    return found


def save(connection: Connection, records: Sequence[dict[str, Any]]) -> None:
    """Create or update accounts by number. A record's None means "leave alone"."""
    if not records:
        return
    connection.execute(
        text(
            "INSERT INTO accounts (number, type, name, email, country, locale, time_zone, separator, encoding, confirm,"
            " state) VALUES (:number, :type, :name, :email, :country, :locale, :time_zone, :separator, :encoding,"
            " coalesce(:confirm, 'ask'), coalesce(:state, 'active'))"
            " ON CONFLICT (number) DO UPDATE SET name = coalesce(:name, accounts.name),"
            " email = coalesce(:email, accounts.email), country = coalesce(:country, accounts.country),"
            " locale = coalesce(:locale, accounts.locale), time_zone = coalesce(:time_zone, accounts.time_zone),"
            " separator = coalesce(:separator, accounts.separator),"
            " encoding = coalesce(:encoding, accounts.encoding), confirm = coalesce(:confirm, accounts.confirm),"
            " state = coalesce(:state, accounts.state),"
            " state_since = CASE WHEN coalesce(:state, accounts.state) <> accounts.state THEN now()"
            " ELSE accounts.state_since END"
        ),
        records,
    )


def delegate(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Let distributors act for customers: pairs of (customer number, distributor number)."""
    records = [{"customer": customer, "distributor": distributor} for customer, distributor in pairs]
    if records:
        connection.execute(
            text(
                "INSERT INTO delegations (customer_id, distributor_id)"
                " SELECT c.id, d.id FROM accounts c, accounts d WHERE c.number = :customer AND d.number = :distributor"
                " ON CONFLICT (customer_id, distributor_id) DO UPDATE SET state = 'active', since = now()"
                " WHERE delegations.state <> 'active'"
            ),
            records,
        )


def acts_for(connection: Connection, account_id: int, numbers: Sequence[str]) -> dict[str, int]:
    """Which of these customers an account may act for, by number: itself, those it registered, those that delegated."""
    rows = fetch(
        connection,
        "SELECT a.number, a.id FROM accounts a WHERE a.number = ANY(%(numbers)s) AND a.type = 'customer'"
        " AND (a.id = %(account)s OR a.registered_by = %(account)s OR EXISTS (SELECT FROM delegations d"
        "  WHERE d.customer_id = a.id AND d.distributor_id = %(account)s AND d.state = 'active'))",
        {"numbers": list(numbers), "account": account_id},
    )
    return {row[0]: row[1] for row in rows}


def find_customers(
    connection: Connection, registered_by: int, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, str]]:
    """Customers of an account by (company key, country or ""): their id and number."""
    rows = fetch(
        connection,
        "SELECT a.company_key, coalesce(a.country, ''), a.id, a.number"
        " FROM unnest(%(keys)s::text[], %(countries)s::text[]) AS w (company_key, country)"
        " JOIN accounts a ON a.registered_by = %(by)s AND a.company_key = w.company_key"
        " AND coalesce(a.country, '') = w.country",
        {"keys": [key for key, _ in wanted], "countries": [country for _, country in wanted], "by": registered_by},
    )
    return {(key, country): (account_id, number) for key, country, account_id, number in rows}


def add_customers(
    connection: Connection, registered_by: int, customers: Sequence[tuple[str, str, str, str, str | None]]
) -> None:
    """Register customers (company key, country or "", name, number, e-mail), leaving those that exist alone.

    Sorted by key, so that two workers that meet the same new customers wait for each other but never deadlock.
    """
    ordered = sorted(customers)
    run(
        connection,
        "INSERT INTO accounts (number, type, name, email, country, company_key, registered_by)"
        " SELECT number, 'customer', name, email, nullif(country, ''), company_key, %(by)s"
        " FROM unnest(%(keys)s::text[], %(countries)s::text[], %(names)s::text[], %(numbers)s::text[],"
        " %(emails)s::text[]) AS c (company_key, country, name, number, email)"
        " ON CONFLICT (registered_by, company_key, coalesce(country, '')) WHERE registered_by IS NOT NULL DO NOTHING",
        {
            "by": registered_by,
            "keys": [c[0] for c in ordered],
            "countries": [c[1] for c in ordered],
            "names": [c[2] for c in ordered],
            "numbers": [c[3] for c in ordered],
            "emails": [c[4] for c in ordered],
        },
    )


def suspend(connection: Connection, account_id: int, reason: str) -> bool:
    """Stop an account; false when it was stopped before."""
    return (
        run(
            connection,
            "UPDATE accounts SET state = 'suspended', state_reason = %(reason)s, state_since = now()"
            " WHERE id = %(id)s AND state = 'active'",
            {"id": account_id, "reason": reason},
        )
        == 1
    )
