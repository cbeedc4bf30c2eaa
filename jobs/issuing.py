"""New licenses made true: signed, and written in bulk with their maintenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from jobs.kind import Issued, Work
from licensing import terms
from models import licenses, maintenance
from models.database import copy_line
from models.licenses import Shown
from models.maintenance import Maintenance
from signing.tokens import LicenseClaims


@dataclass(slots=True)  # frozen would take four times as long to make
class NewLicense:
    """A license as a row brings it about; ``cause``, ``parent`` and ``root`` say which one it replaces and why."""

    ordinal: int
    number: str
    customer_id: int
    customer_number: str
    product_id: int
    sku: str
    version: str
    quantity: int
    host_id: str | None
    reference: str | None
    valid_until: date | None
    maintenance: Maintenance | None
    serial_id: int | None = None
    notification_id: int | None = None
    contract_line_id: int | None = None
    cause: str | None = None
    parent: str | None = None
    root: str | None = None


def issue(connection: Connection, work: Work, new: Sequence[NewLicense]) -> Issued:
    """Sign and write licenses; says how they look, by number."""
    assert work.signer is not None
    issued_at = int(work.at.timestamp())
    keys = work.signer.sign_many(
        LicenseClaims(
            one.customer_number,
            one.number,
            issued_at,
            terms.expiry_epoch(one.valid_until),
            one.sku,
            one.version,
            one.quantity,
            one.host_id,
            one.maintenance and one.maintenance.ends,
        )
        for one in new
    )
    account, at, batch = work.account.id, work.at.isoformat(), work.batch.id
    lines = [
            copy_line(
                one.number, key, account, one.customer_id, one.product_id, one.version, one.host_id, one.reference, at,
                one.valid_until, None, batch, one.ordinal, one.quantity, one.serial_id,
                one.notification_id, one.contract_line_id, one.cause, one.parent, one.root,
            )
            for one, key in zip(new, keys, strict=True)
        ]  # fmt: skip
    licenses.add_chained(connection, ["".join(lines)])
    maintained = [copy_line(one.number, *one.maintenance) for one in new if one.maintenance]
    if maintained:
        maintenance.add(connection, ["".join(maintained)])
    return {one.number: Shown(key, one.sku, one.quantity, one.valid_until) for one, key in zip(new, keys, strict=True)}
