"""Minted voucher codes as CSV, streamed: millions of codes of few products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import islice

from exporters.delimited import BOM, written
from licensing.field_catalogue import FIELDS
from licensing.fields import Language

COLUMNS = ("voucher_code", "product", "oem", "expires")
_BLOCK_ROWS = 5_000


def code_list(
    rows: Iterable[tuple[str, str, str, date | None]], language: Language, separator: str = ","
) -> Iterator[bytes]:
    """Lines of code, product, OEM and last day to redeem (blank: none), below titles that Keymill reads again.

    Codes are our own (letters, digits, hyphens), so they are written as they are.
    """

    @lru_cache(maxsize=4096)
    def rest(sku: str, oem: str, expires: date | None) -> str:
        return written([["", sku, oem, expires.isoformat() if expires else None]], separator)[0].decode()

    yield BOM + written([[FIELDS[name].title[language] for name in COLUMNS]], separator)[0]
    coming = iter(rows)
    while block := list(islice(coming, _BLOCK_ROWS)):
        yield "".join([code + rest(sku, oem, expires) for code, sku, oem, expires in block]).encode()
