"""New licenses made true: signed, and written in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqlalchemy import Connection

from jobs.kind import Issued, Work
from licensing import terms
from models import licenses
from models.database import NULL, copy_line, copy_text
from models.licenses import Maintenance, Shown
from signing.tokens import LicenseClaims

SIGNED_AT_ONCE = 500


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


def _line(one: NewLicense, key: str, same: tuple[str, str, str]) -> str:
    """COPY line of a license, written out: ``copy_line`` would take three times as long. ``same``: what all share."""
    account, at, batch = same
    host = NULL if one.host_id is None else copy_text(one.host_id)
    reference = NULL if one.reference is None else copy_text(one.reference)
    return (
        f"{one.number}\t{key}{account}{one.customer_id}\t{one.product_id}\t{copy_text(one.version)}\t{host}\t{reference}"
        f"{at}{one.valid_until or NULL}{batch}{one.ordinal}\t{one.quantity}\t{one.serial_id or NULL}"
        f"\t{one.notification_id or NULL}\t{one.contract_line_id or NULL}\t{one.cause or NULL}\t{one.parent or NULL}"
        f"\t{one.root or NULL}\t{_maintenance_fields(one.maintenance)}"
    )


@lru_cache(1024)
def _maintenance_fields(found: Maintenance | None) -> str:
    """The end of a line; licenses of one order have the same."""
    return copy_line(*(found or (None, None, None, None)))


def signed_in_blocks(work: Work, claims: Sequence[LicenseClaims], keys: list[str]) -> Iterator[tuple[slice, list[str]]]:
    """Keys for licenses, some hundred at a time with their place among them, all put into ``keys``.

    For COPY: PostgreSQL takes in the lines of one block while the next one is signed.
    """
    assert work.signer is not None
    for start in range(0, len(claims), SIGNED_AT_ONCE):
        block = slice(start, start + SIGNED_AT_ONCE)
        signed = work.signer.sign_many(claims[block])
        keys += signed
        yield block, signed


def issue(connection: Connection, work: Work, new: Sequence[NewLicense]) -> Issued:
    """Sign and write licenses; says how they look, by number."""
    issued_at = int(work.at.timestamp())
    claims = [
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
    ]
    same = f"\t{work.account.id}\t", f"\t{work.at.isoformat()}\t", f"\t\\N\t{work.batch.id}\t"
    keys: list[str] = []
    licenses.add_chained(
        connection,
        (
            "".join([_line(one, key, same) for one, key in zip(new[block], signed, strict=True)])
            for block, signed in signed_in_blocks(work, claims, keys)
        ),
    )
    return {one.number: Shown(key, one.sku, one.quantity, one.valid_until) for one, key in zip(new, keys, strict=True)}
