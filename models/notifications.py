"""Upgrade notifications: what an owner whose maintenance covers a release may turn a license into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from models.database import fetch, metadata, run, stream

notifications = Table(
    "notifications",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text(collation="C"), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("license_number", Text(collation="C"), nullable=False),
    # Where the chain of that license begins, which is what is locked: it is the same wherever the notification goes.
    Column("root_number", Text(collation="C"), nullable=False),
    Column("owner_id", BigInteger, nullable=False),
    Column("release_id", BigInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("license_number", "release_id"),
    CheckConstraint("state IN ('open', 'partly_used', 'used', 'lapsed')", name="state"),
    CheckConstraint("remaining BETWEEN 0 AND quantity AND quantity > 0", name="remaining"),
    postgresql_with={"fillfactor": 50},
)
Index("ix_notifications_owner_id", notifications.c.owner_id)


@dataclass(slots=True)
class Notification:
    """One upgrade notification as a chunk needs it: which license it is for, and which release it tells of."""

    key: str
    id: int
    license_number: str
    sku: str
    version: str
    quantity: int
    remaining: int
    state: str


_SELECT = (
    "SELECT n.key, n.id, n.license_number, p.sku, r.version, n.quantity, n.remaining, n.state"
    " FROM notifications n JOIN releases r ON r.id = n.release_id JOIN products p ON p.id = r.product_id"
)


def by_key(connection: Connection, keys: Sequence[str]) -> dict[str, Notification]:
    """The notifications with these look-up keys, by key. They change under the lock of their license's chain."""
    query = _SELECT + " WHERE n.key = ANY(%(keys)s)"
    return {row[0]: Notification(*row) for row in fetch(connection, query, {"keys": list(keys)})}


# Licenses, and what each is the rest of, however many parts ago.
_OLDER = (
    "older AS (SELECT number AS start, number, parent_number, cause FROM licenses WHERE number = ANY(%(numbers)s)"
    " UNION ALL SELECT older.start, l.number, l.parent_number, l.cause FROM older"
    " JOIN licenses l ON l.number = older.parent_number WHERE older.cause = 'split')"
)


def keys_of_licenses(connection: Connection, numbers: Sequence[str]) -> dict[str, list[str]]:
    """The keys of the notifications that licenses were sent, by license.

    A license, what it is the rest of, and what is the rest of it are one and the same here.
    """
    found: dict[str, list[str]] = {}
    for number, key in fetch(
        connection,
        f"WITH RECURSIVE {_OLDER}, younger AS ("
        " SELECT number AS start, number FROM licenses WHERE number = ANY(%(numbers)s)"
        " UNION ALL SELECT younger.start, l.number FROM younger"
        " JOIN licenses l ON l.parent_number = younger.number WHERE l.cause = 'split')"
        " SELECT line.start, n.key FROM (SELECT start, number FROM older UNION SELECT start, number FROM younger) line"
        " JOIN notifications n ON n.license_number = line.number ORDER BY line.start, n.id",
        {"numbers": list(numbers)},
    ):
        found.setdefault(number, []).append(key)
    return found


# Licenses whose release leads to another one (over any number of upgrade paths), while they are active and their
# maintenance covers its release date, unless they (or what they are the rest of) were notified of it.
_DUE = """
WITH RECURSIVE source AS (
    SELECT u.from_release_id AS id FROM upgrade_paths u WHERE u.to_release_id = %(release)s
    UNION SELECT u.from_release_id FROM source JOIN upgrade_paths u ON u.to_release_id = source.id)
SELECT l.number FROM source JOIN releases s ON s.id = source.id
JOIN licenses l ON l.product_id = s.product_id AND l.version = s.version AND l.state IN ('active', 'expired')
JOIN releases r ON r.id = %(release)s AND r.release_date BETWEEN l.maintained_from AND l.maintained_until
WHERE (l.valid_until IS NULL OR l.valid_until >= %(today)s)
  AND (%(numbers)s::text[] IS NULL OR l.number = ANY(%(numbers)s))
  AND NOT EXISTS (SELECT FROM notifications n WHERE n.license_number = l.number AND n.release_id = r.id)
  AND NOT (l.cause IS NOT DISTINCT FROM 'split' AND EXISTS (
      WITH RECURSIVE line AS (
          SELECT p.number, p.parent_number, p.cause FROM licenses p WHERE p.number = l.parent_number
          UNION ALL SELECT p.number, p.parent_number, p.cause FROM line
          JOIN licenses p ON p.number = line.parent_number WHERE line.cause = 'split')
      SELECT FROM line JOIN notifications n ON n.license_number = line.number AND n.release_id = r.id))
ORDER BY l.number LIMIT %(most)s
"""


def due(
    connection: Connection, release_id: int, today: date, most: int | None, *, among: Sequence[str] | None = None
) -> list[str]:
    """The numbers of licenses whose owners are to be notified of a release, at most so many; or those among others."""
    values = {"release": release_id, "today": today, "most": most, "numbers": None if among is None else list(among)}
    return [row[0] for row in fetch(connection, _DUE, values)]


def made(connection: Connection, release_id: int) -> dict[tuple[int, int], int]:
    """How many notifications of a release there are, by the batch and row that made them."""
    query = "SELECT batch_id, ordinal, count(*) FROM notifications WHERE release_id = %(id)s GROUP BY batch_id, ordinal"
    return {(row[0], row[1]): row[2] for row in fetch(connection, query, {"id": release_id})}


def add(connection: Connection, release_id: int, codes: Mapping[str, str], origin: tuple[int, int]) -> None:
    """Notify the owners of licenses: IDs by license number; ``origin`` is batch and row. Each is for its quantity."""
    run(
        connection,
        "INSERT INTO notifications (key, code, license_number, root_number, owner_id, release_id, quantity, remaining,"
        " batch_id, ordinal) SELECT replace(w.code, '-', ''), w.code, l.number,"
        " coalesce(l.root_number, l.number), l.customer_id, %(release)s, l.quantity, l.quantity, %(batch)s, %(ordinal)s"
        " FROM unnest(%(numbers)s::text[], %(codes)s::text[]) AS w (number, code)"
        " JOIN licenses l ON l.number = w.number",
        {
            "release": release_id,
            "numbers": list(codes),
            "codes": list(codes.values()),
            "batch": origin[0],
            "ordinal": origin[1],
        },
    )


class Sent(NamedTuple):
    """A notification as a list shows it; ``left`` is what may still be upgraded by it."""

    code: str
    sku: str
    version: str
    license_number: str
    left: int
    customer_number: str
    customer: str
    email: str | None
    support_contact: str | None


def of_batch(connection: Connection, batch_id: int) -> tuple[int, Iterator[Sent]]:
    """How many notifications there are of the releases that a batch's rows were answered with, and each, streamed."""
    releases = "SELECT DISTINCT order_id FROM outcomes WHERE batch_id = %(batch)s AND order_id IS NOT NULL"
    query = f"SELECT count(*) FROM notifications WHERE release_id IN ({releases})"
    count = int(fetch(connection, query, {"batch": batch_id})[0][0])
    found = stream(
        connection,
        "SELECT n.code, p.sku, r.version, n.license_number, n.remaining, a.number, a.name, a.email, l.support_contact"
        f" FROM notifications n JOIN releases r ON r.id = n.release_id AND r.id IN ({releases})"
        " JOIN products p ON p.id = r.product_id JOIN accounts a ON a.id = n.owner_id"
        " LEFT JOIN licenses l ON l.number = n.license_number ORDER BY n.id",
        {"batch": batch_id},
    )
    return count, (Sent(*row) for row in found)


def use(connection: Connection, used: Sequence[tuple[Notification, int]]) -> None:
    """Take quantities off notifications.

    Raises where a constraint says too much, and ``RuntimeError`` if one is gone or was used meanwhile.
    """
    taken: dict[int, int] = {}
    whole: list[int] = []
    for one, quantity in used:
        if quantity == one.quantity:
            whole.append(one.id)
        else:
            taken[one.id] = taken.get(one.id, 0) + quantity
    changed = 0
    if whole:  # at once, nearly always: an array is looked up faster than a join (as licenses.lock_chains says)
        query = (
            "UPDATE notifications SET remaining = 0, state = 'used' WHERE id = ANY(%(ids)s) AND remaining = quantity"
        )
        changed += run(connection, query, {"ids": whole})
    if taken:
        changed += run(
            connection,
            "UPDATE notifications n SET remaining = n.remaining - w.quantity,"
            " state = CASE WHEN n.remaining = w.quantity THEN 'used' ELSE 'partly_used' END"
            " FROM unnest(%(ids)s::bigint[], %(quantities)s::int[]) AS w (id, quantity) WHERE n.id = w.id",
            {"ids": list(taken), "quantities": list(taken.values())},
        )
    missing = len(whole) + len(taken) - changed
    if missing:
        raise RuntimeError(f"{missing} of {len(whole) + len(taken)} notifications are gone, or were used meanwhile")


def follow(connection: Connection, moved: Mapping[str, str], rests: Sequence[str]) -> None:
    """Let notifications that can still be used follow licenses that were replaced as a whole: new numbers by old ones.

    ``rests``: the old ones that may be what was left of another license, whose notifications are for them as well.
    """
    pairs = list(moved.items())
    if rests:
        query = f"WITH RECURSIVE {_OLDER} SELECT number, start FROM older WHERE number <> start"
        pairs += [(older, moved[rest]) for older, rest in fetch(connection, query, {"numbers": list(rests)})]
    run(
        connection,
        "UPDATE notifications n SET license_number = w.new"
        " FROM unnest(%(old)s::text[], %(new)s::text[]) AS w (old, new)"
        " WHERE n.license_number = w.old AND n.state IN ('open', 'partly_used')",
        {"old": [old for old, _ in pairs], "new": [new for _, new in pairs]},
    )
