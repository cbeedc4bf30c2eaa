"""Products, their releases, and the upgrade paths between releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Date,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from models.database import fetch, metadata

FIRST_VERSION = "1"  # of a product that no release was loaded for

products = Table(
    "products",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("sku", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("host_bound", Boolean, nullable=False, server_default=text("false")),
    Column("term_months", Integer),
    # How often a license may be moved to another host within so many days (NULL: at all times; no limit).
    Column("rehost_limit", Integer),
    Column("rehost_days", Integer),
    # What a renewal after a lapse does: starts on the day it is made, or fills the gap, or is refused.
    Column("lapse_policy", Text, nullable=False, server_default="restart"),
    CheckConstraint("lapse_policy IN ('restart', 'backdate', 'refuse')", name="lapse_policy"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("version", Text, nullable=False),
    Column("release_date", Date),
    UniqueConstraint("product_id", "version"),
)

upgrade_paths = Table(
    "upgrade_paths",
    metadata,
    Column("from_release_id", ForeignKey("releases.id"), primary_key=True),
    Column("to_release_id", ForeignKey("releases.id"), primary_key=True),
)


@dataclass(frozen=True, slots=True)
class Product:
    """What is licensed. ``version`` is its newest release, which new licenses are issued for."""

    id: int
    sku: str
    name: str
    description: str | None
    host_bound: bool
    term_months: int | None
    version: str | None
    rehost_limit: int | None
    rehost_days: int | None
    lapse_policy: str


_SELECT = (
    "SELECT p.id, p.sku, p.name, p.description, p.host_bound, p.term_months,"
    " (SELECT r.version FROM releases r WHERE r.product_id = p.id AND coalesce(r.release_date, '-infinity') <="
    " current_date ORDER BY r.release_date DESC NULLS LAST, r.id DESC LIMIT 1), p.rehost_limit, p.rehost_days,"
    " p.lapse_policy FROM products p"
)


def by_sku(connection: Connection, skus: Sequence[str], *, lock: bool = False) -> dict[str, Product]:
    """The products with these SKUs, matched without regard to case, by upper-case SKU."""
    rows = fetch(
        connection,
        _SELECT + " WHERE upper(p.sku) = ANY(%(skus)s) ORDER BY p.sku" + (" FOR NO KEY UPDATE" if lock else ""),
        {"skus": [sku.upper() for sku in skus]},
    )
    return {row[1].upper(): Product(*row) for row in rows}


def by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Product]:
    """The products with these ids."""
    rows = fetch(connection, _SELECT + " WHERE p.id = ANY(%(ids)s)", {"ids": list(ids)})
    return {row[0]: Product(*row) for row in rows}


def releases_of(connection: Connection, product_ids: Sequence[int]) -> dict[tuple[int, str], date | None]:
    """Release dates by (product id, version)."""
    rows = fetch(
        connection,
        "SELECT product_id, version, release_date FROM releases WHERE product_id = ANY(%(ids)s)",
        {"ids": list(product_ids)},
    )
    return {(row[0], row[1]): row[2] for row in rows}


def release_ids(connection: Connection, releases: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """The ids of releases, by (product id, version)."""
    rows = fetch(
        connection,
        "SELECT r.product_id, r.version, r.id FROM releases r"
        " JOIN unnest(%(products)s::bigint[], %(versions)s::text[]) AS w (product_id, version)"
        " ON w.product_id = r.product_id AND w.version = r.version",
        {"products": [product for product, _ in releases], "versions": [version for _, version in releases]},
    )
    return {(row[0], row[1]): row[2] for row in rows}


def upgradable_to(connection: Connection, today: date) -> list[tuple[str, str, int]]:
    """The releases that are out and that an upgrade path leads to, oldest first: SKU, version, id."""
    rows = fetch(
        connection,
        "SELECT p.sku, r.version, r.id FROM releases r JOIN products p ON p.id = r.product_id"
        " WHERE r.release_date <= %(today)s AND EXISTS (SELECT FROM upgrade_paths u WHERE u.to_release_id = r.id)"
        " ORDER BY r.release_date, r.id",
        {"today": today},
    )
    return [(row[0], row[1], row[2]) for row in rows]


class Target(NamedTuple):
    """A release that a license may be upgraded to."""

    product_id: int
    sku: str
    version: str
    release_date: date | None
    host_bound: bool


def reachable(connection: Connection, sources: Sequence[tuple[int, str]]) -> dict[tuple[int, str], list[Target]]:
    """The releases that upgrade paths lead to, over any number of steps, newest first, by (product id, version)."""
    found: dict[tuple[int, str], list[Target]] = {}
    for product_id, version, *target in fetch(
        connection,
        "WITH RECURSIVE reached AS ("
        " SELECT r.product_id, r.version, u.to_release_id AS id FROM releases r"
        "  JOIN unnest(%(products)s::bigint[], %(versions)s::text[]) AS w (product_id, version)"
        "  ON w.product_id = r.product_id AND w.version = r.version JOIN upgrade_paths u ON u.from_release_id = r.id"
        " UNION SELECT reached.product_id, reached.version, u.to_release_id FROM reached"
        "  JOIN upgrade_paths u ON u.from_release_id = reached.id)"
        " SELECT reached.product_id, reached.version, p.id, p.sku, r.version, r.release_date, p.host_bound FROM reached"
        " JOIN releases r ON r.id = reached.id JOIN products p ON p.id = r.product_id"
        " ORDER BY r.release_date DESC NULLS LAST, r.id DESC",
        {"products": [product for product, _ in sources], "versions": [version for _, version in sources]},
    ):
        found.setdefault((product_id, version), []).append(Target(*target))
    return found


def upgrades_to(connection: Connection, product_ids: Sequence[int]) -> set[tuple[str, str, int, str]]:
    """The upgrade paths into these products: (from SKU, from version, to product id, to version)."""
    return set(
        fetch(
            connection,
            "SELECT fp.sku, f.version, t.product_id, t.version FROM upgrade_paths u"
            " JOIN releases f ON f.id = u.from_release_id JOIN products fp ON fp.id = f.product_id"
            " JOIN releases t ON t.id = u.to_release_id WHERE t.product_id = ANY(%(ids)s)",
            {"ids": list(product_ids)},
        )
    )


DEFAULTS: dict[str, Any] = {
    "description": None,
    "host_bound": False,
    "term_months": None,
    "rehost_limit": None,
    "rehost_days": None,
    "lapse_policy": "restart",
}


def save(connection: Connection, record: dict[str, Any]) -> None:
    """Create or replace a product by SKU; what the record leaves out is as in ``DEFAULTS``."""
    names = ("name", *DEFAULTS)
    connection.execute(
        text(
            f"INSERT INTO products (sku, {', '.join(names)}) VALUES (:sku, {', '.join(':' + name for name in names)})"
            f" ON CONFLICT (sku) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in names)}"
        ),
        DEFAULTS | record,
    )


def save_release(connection: Connection, sku: str, version: str, release_date: date | None) -> None:
    """Create a release or set its date."""
    connection.execute(
        text(
            "INSERT INTO releases (product_id, version, release_date)"
            " SELECT id, :version, :release_date FROM products WHERE sku = :sku"
            " ON CONFLICT (product_id, version) DO UPDATE SET"
            " release_date = coalesce(excluded.release_date, releases.release_date)"
        ),
        {"sku": sku, "version": version, "release_date": release_date},
    )


def save_upgrade_path(connection: Connection, source: tuple[str, str], target: tuple[str, str]) -> None:
    """Allow the upgrade from one (SKU, version) to another; both exist."""
    connection.execute(
        text(
            "INSERT INTO upgrade_paths (from_release_id, to_release_id)"
            " SELECT f.id, t.id FROM releases f JOIN products fp ON fp.id = f.product_id,"
            " releases t JOIN products tp ON tp.id = t.product_id"
            " WHERE fp.sku = :from_sku AND f.version = :from_version AND tp.sku = :to_sku AND t.version = :to_version"
            " ON CONFLICT DO NOTHING"
        ),
        {
            "from_sku": source[0],
            "from_version": source[1],
            "to_sku": target[0],
            "to_version": target[1],
        },
    )
