"""Reversals: rows whose effect was taken back, each once, and the bulk changes that take it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Index, Integer, Table, func

from models.database import fetch, metadata, run
from models.licenses import RULING_STATE

reversals = Table(
    "reversals",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("by_batch_id", BigInteger, nullable=False),
    Column("by_ordinal", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
Index("ix_reversals_by_batch_id", reversals.c.by_batch_id)

Place = tuple[int, int]  # batch id and ordinal


@dataclass(slots=True)
class Done:
    """A row that was answered, with what it was answered with; ``is_reverted``: its effect was taken back."""

    batch_id: int
    ordinal: int
    kind: str
    cells: str
    code: str
    detail: str | None
    license_number: str | None
    order_id: int | None
    is_reverted: bool

    @property
    def place(self) -> Place:
        """Batch and ordinal."""
        return self.batch_id, self.ordinal


def done(connection: Connection, places: Sequence[Place]) -> dict[Place, Done]:
    """The answered rows at these places."""
    rows = fetch(
        connection,
        "SELECT o.batch_id, o.ordinal, b.kind, r.cells, o.code, o.detail, o.license_number, o.order_id,"
        " v.batch_id IS NOT NULL FROM unnest(%(batches)s::bigint[], %(ordinals)s::int[]) AS w (batch_id, ordinal)"
        " JOIN outcomes o USING (batch_id, ordinal) JOIN rows r USING (batch_id, ordinal)"
        " JOIN batches b ON b.id = o.batch_id LEFT JOIN reversals v USING (batch_id, ordinal)",
        {"batches": [batch for batch, _ in places], "ordinals": [ordinal for _, ordinal in places]},
    )
    return {(row[0], row[1]): Done(*row) for row in rows}


def batch_of(connection: Connection, by_batch_id: int) -> int | None:
    """The batch whose rows another one took back."""
    rows = fetch(connection, "SELECT batch_id FROM reversals WHERE by_batch_id = %(by)s LIMIT 1", {"by": by_batch_id})
    return rows[0][0] if rows else None


def effective(connection: Connection, batch_id: int, codes: Collection[str]) -> list[tuple[int, str, str | None]]:
    """The rows of a batch with these answers, last first: ordinal, code, license number."""
    return fetch(
        connection,
        "SELECT ordinal, code, license_number FROM outcomes WHERE batch_id = %(batch)s AND code = ANY(%(codes)s)"
        " ORDER BY ordinal DESC",
        {"batch": batch_id, "codes": list(codes)},
    )


def record(connection: Connection, places: Mapping[Place, int], by_batch_id: int, at: Any) -> None:
    """Say that rows were taken back, by the ordinals of the rows that did. Raises where one was before."""
    run(
        connection,
        "INSERT INTO reversals (batch_id, ordinal, by_batch_id, by_ordinal, at)"
        " SELECT batch_id, ordinal, %(by)s, by_ordinal, %(at)s"
        " FROM unnest(%(batches)s::bigint[], %(ordinals)s::int[], %(by_ordinals)s::int[])"
        " AS w (batch_id, ordinal, by_ordinal)",
        {
            "by": by_batch_id,
            "at": at,
            "batches": [batch for batch, _ in places],
            "ordinals": [ordinal for _, ordinal in places],
            "by_ordinals": list(places.values()),
        },
    )


@dataclass(slots=True)
class Made:
    """A license as far as taking back needs it. ``is_detached``: it no longer stands for what it was made of."""

    number: str
    state: str
    quantity: int
    parent: str | None
    voucher_id: int | None
    serial_id: int | None
    notification_id: int | None
    contract_line_id: int | None
    is_renewed: bool
    is_detached: bool = False


def made(connection: Connection, numbers: Sequence[str]) -> dict[str, Made]:
    """Licenses, and those that they replaced, by number."""
    rows = fetch(
        connection,
        f"SELECT l.number, {RULING_STATE}, l.quantity, l.parent_number, l.voucher_id, l.serial_id, l.notification_id,"
        " l.contract_line_id,"
        " EXISTS (SELECT FROM renewals n WHERE n.license_number = l.number) FROM licenses l"
        " WHERE l.number = ANY(%(numbers)s)"
        " OR l.number IN (SELECT parent_number FROM licenses WHERE number = ANY(%(numbers)s))",
        {"numbers": list(numbers)},
    )
    return {row[0]: Made(*row) for row in rows}


def write_licenses(connection: Connection, changed: Sequence[Made], at: Any, reason: str) -> None:
    """Write the states of licenses. A detached one frees its voucher and serial, and leaves the chain it came from."""
    run(
        connection,
        "UPDATE licenses l SET state = w.state, ended_at = CASE WHEN w.state = 'active' THEN NULL"
        " ELSE %(at)s::timestamptz END, end_reason = CASE WHEN w.state = 'active' THEN NULL ELSE %(reason)s::text END,"
        " voucher_id = CASE WHEN w.detached THEN NULL ELSE l.voucher_id END,"
        " serial_id = CASE WHEN w.detached THEN NULL ELSE l.serial_id END,"
        " notification_id = CASE WHEN w.detached THEN NULL ELSE l.notification_id END,"
        " contract_line_id = CASE WHEN w.detached THEN NULL ELSE l.contract_line_id END,"
        " parent_number = CASE WHEN w.detached THEN NULL ELSE l.parent_number END"
        " FROM unnest(%(numbers)s::text[], %(states)s::text[], %(detached)s::boolean[]) AS w (number, state, detached)"
        " WHERE l.number = w.number",
        {
            "at": at,
            "reason": reason,
            "numbers": [one.number for one in changed],
            "states": [one.state for one in changed],
            "detached": [one.is_detached for one in changed],
        },
    )


def free_vouchers(connection: Connection, voucher_ids: Sequence[int]) -> None:
    """Let redeemed vouchers be redeemed again. Raises ``RuntimeError`` if one was not."""
    changed = run(
        connection,
        "UPDATE vouchers SET state = 'minted' WHERE id = ANY(%(ids)s) AND state = 'redeemed'",
        {"ids": list(voucher_ids)},
    )
    if changed != len(voucher_ids):
        raise RuntimeError(f"{len(voucher_ids) - changed} of {len(voucher_ids)} vouchers were not redeemed")


def unvoid_vouchers(connection: Connection, voucher_ids: Sequence[int]) -> None:
    """Let void vouchers be redeemed again."""
    run(
        connection,
        "UPDATE vouchers SET state = 'minted', end_reason = NULL WHERE id = ANY(%(ids)s) AND state = 'void'",
        {"ids": list(voucher_ids)},
    )


def left_of_orders(connection: Connection, order_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """How many codes of mint orders nobody has used, and how many there are, by order id."""
    rows = fetch(
        connection,
        "SELECT order_id, count(*) FILTER (WHERE state IN ('minted', 'expired')), count(*) FROM vouchers"
        " WHERE order_id = ANY(%(ids)s) GROUP BY order_id",
        {"ids": list(order_ids)},
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def void_orders(connection: Connection, order_ids: Sequence[int], reason: str) -> None:
    """Make all codes of mint orders void that nobody has used."""
    run(
        connection,
        "UPDATE vouchers SET state = 'void', end_reason = %(reason)s"
        " WHERE order_id = ANY(%(ids)s) AND state IN ('minted', 'expired')",
        {"ids": list(order_ids), "reason": reason},
    )


def give_back_serials(connection: Connection, quantities: Mapping[int, int]) -> None:
    """Put quantities back on serials, by id; one that is whole again belongs to nobody."""
    run(
        connection,
        "UPDATE serials s SET remaining = s.remaining + w.quantity,"
        " state = CASE WHEN s.remaining + w.quantity = s.quantity THEN 'unregistered' ELSE s.state END,"
        " owner_id = CASE WHEN s.remaining + w.quantity = s.quantity THEN NULL ELSE s.owner_id END,"
        " registered_at = CASE WHEN s.remaining + w.quantity = s.quantity THEN NULL ELSE s.registered_at END,"
        " contact = CASE WHEN s.remaining + w.quantity = s.quantity THEN NULL ELSE s.contact END,"
        " email = CASE WHEN s.remaining + w.quantity = s.quantity THEN NULL ELSE s.email END,"
        " support_contact = CASE WHEN s.remaining + w.quantity = s.quantity THEN NULL ELSE s.support_contact END"
        " FROM unnest(%(ids)s::bigint[], %(quantities)s::int[]) AS w (id, quantity)"
        " WHERE s.id = w.id AND s.state <> 'void'",
        {"ids": list(quantities), "quantities": list(quantities.values())},
    )


def give_back_notifications(connection: Connection, quantities: Mapping[int, int]) -> None:
    """Put quantities back on upgrade notifications, by id."""
    run(
        connection,
        "UPDATE notifications n SET remaining = n.remaining + w.quantity,"
        " state = CASE WHEN n.remaining + w.quantity = n.quantity THEN 'open' ELSE 'partly_used' END"
        " FROM unnest(%(ids)s::bigint[], %(quantities)s::int[]) AS w (id, quantity) WHERE n.id = w.id",
        {"ids": list(quantities), "quantities": list(quantities.values())},
    )


def return_notifications(connection: Connection, parents: Mapping[str, str]) -> None:
    """What becomes of the notifications of licenses that are taken back, given with the ones that these had replaced.

    One that had followed a license on its way goes back with it. One for a part only (for less than that license) is
    deleted: the whole license can be notified anew. Nothing was made of either, or its license could not be taken back.
    """
    values = {"numbers": list(parents), "parents": list(parents.values())}
    whole = (
        " FROM unnest(%(numbers)s::text[], %(parents)s::text[]) AS w (number, parent)"
        " JOIN licenses l ON l.number = w.parent WHERE n.license_number = w.number AND n.quantity >= l.quantity"
    )
    run(connection, f"UPDATE notifications n SET license_number = w.parent{whole}", values)
    run(connection, "DELETE FROM notifications WHERE license_number = ANY(%(numbers)s)", values)


def notifications_left(connection: Connection, places: Sequence[Place]) -> dict[Place, tuple[int, int]]:
    """How many notifications that rows made nobody has used, and how many they made."""
    rows = fetch(
        connection,
        "SELECT n.batch_id, n.ordinal, count(*) FILTER (WHERE n.remaining = n.quantity), count(*)"
        " FROM notifications n JOIN unnest(%(batches)s::bigint[], %(ordinals)s::int[]) AS w (batch_id, ordinal)"
        " USING (batch_id, ordinal) GROUP BY n.batch_id, n.ordinal",
        {"batches": [batch for batch, _ in places], "ordinals": [ordinal for _, ordinal in places]},
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def delete_notifications(connection: Connection, places: Sequence[Place]) -> None:
    """Delete the notifications that rows made and nobody has used."""
    run(
        connection,
        "DELETE FROM notifications n USING unnest(%(batches)s::bigint[], %(ordinals)s::int[]) AS w (batch_id, ordinal)"
        " WHERE n.batch_id = w.batch_id AND n.ordinal = w.ordinal AND n.remaining = n.quantity",
        {"batches": [batch for batch, _ in places], "ordinals": [ordinal for _, ordinal in places]},
    )
