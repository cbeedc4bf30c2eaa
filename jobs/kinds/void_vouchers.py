"""``void-vouchers``: the vendor takes back voucher codes that nobody has redeemed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import audit, vouchers
from models.vouchers import Voucher

COLUMNS = (
    FIELDS["voucher_code"].needed(),
    FIELDS["reason"].needed(),
)


class Voids:
    """The vouchers that a slice of rows names."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Voids | None = None) -> None:
        self.work = work
        self.vouchers: dict[str, Voucher] = vouchers.by_key(
            connection, [codes.match_key(row[0]) for row in rows], lock=not work.is_preview
        ) | (before.vouchers if before else {})

    def decide(self, row: Asked) -> Decision:
        """Whether the voucher becomes void, is void already, or why it cannot."""
        code, reason = row.values
        key = codes.match_key(code)
        voucher = self.vouchers.get(key)
        if voucher is None:
            is_mistyped = codes.check(key) == "mistyped"
            return Decision("mistyped_code" if is_mistyped else "unknown_voucher", field="voucher_code")
        if voucher.state == "void":
            return Decision("unchanged")
        if voucher.state == "redeemed":
            return Decision("voucher_redeemed", field="voucher_code")
        voucher.state = "void"
        return Decision("voided", effect=(voucher.id, reason))

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write the states with their reasons."""
        voided: dict[int, str] = dict(row.decision.effect for row in asked if row.decision.effect)
        if voided:
            vouchers.void(connection, voided)
            entries = {f"voucher {voucher_id}": {"reason": reason} for voucher_id, reason in voided.items()}
            audit.record_all(connection, self.work.account.number, "voucher.voided", entries)
        return {}


KIND = Kind(
    name="void-vouchers",
    title={"en": "Void vouchers", "it": "Annullare voucher"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Voids,
    subject=("voucher_code",),
    domain="voucher",
    takes_back={"voided": "void_voucher"},
)
