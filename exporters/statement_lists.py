"""Statements as FlexNet's reconciliation summary has them, with columns of our own after its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from exporters import listings
from exporters.delimited import written
from exporters.listings import Title

_NAMES = (
    "enterpriseName", "accountID", "productName", "productID", "featureName", "friendlyName", "startDate", "endDate",
    "usageUnitName", "usageFromStatement", "entitled", "overageFromStatement", "owed", "currency", "peak", "peakDate",
    "drawn", "missingDays", "statement",
)  # fmt: skip
TITLES: tuple[Title, ...] = tuple({"en": name, "it": name} for name in _NAMES)
_BLOCK_TEXTS = 500


@lru_cache(maxsize=4096)
def cells(*texts: str | None) -> str:
    """What people wrote, as it stands in the list: guarded, quoted, with commas between."""
    return written([texts], ",")[0].decode().removesuffix("\r\n")


def table(texts: Iterable[str]) -> Iterator[bytes]:
    """The list: lines that are written already, one or more in a text, in the order of the titles."""
    yield from listings.listing(TITLES, (), "en")
    yield from rows(texts)


def rows(texts: Iterable[str]) -> Iterator[bytes]:
    """Lines of the list, without the titles."""
    coming = iter(texts)
    while block := list(islice(coming, _BLOCK_TEXTS)):
        yield "".join([f"{text}\r\n" for text in block]).encode()
