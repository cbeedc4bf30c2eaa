"""What a batch owes customers, under each one's own prefix of the store: of a distributor's, each one's own keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import NamedTuple

from sqlalchemy import Connection

from config.wiring import App
from exporters.listings import MEDIA_TYPE, Title, listing
from licensing.field_catalogue import FIELDS
from licensing.fields import Language
from models import issued_keys
from models.batches import Batch

MOST_LICENSES = 50_000  # beyond, the batch's own files are the only ones
_AT_ONCE = 8
_UNSAFE = re.compile(r"[/\\%]|^\.{1,2}$")
_TITLES: tuple[Title, ...] = (
    *(FIELDS[name].title for name in ("license", "product", "version", "quantity", "host_id", "expires")),
    {"en": "License key", "it": "Chiave di licenza"},
)


class Copy(NamedTuple):
    """A file for a customer: its name in the store, its bytes."""

    name: str
    blocks: Iterable[bytes]
    media_type: str


def place_of(customer_number: str, batch_id: int) -> str:
    """Where a customer's copies of a batch lie. Its number is one segment of the name, whatever it is made of."""
    segment = _UNSAFE.sub(lambda found: "".join(f"%{ord(char):02X}" for char in found[0]), customer_number)
    return f"customers/{segment}/{batch_id}"


def store(app: App, connection: Connection, batch: Batch, language: Language) -> int:
    """Store a list of keys for each customer of a batch, ``customers/NUMBER/BATCH/keys.csv``; how many customers.

    The same for the same batch, so that it may be done twice. Raises ``StoreUnavailable``.
    """
    return put_all(app, _lists(connection, batch, language))


def put_all(app: App, copies: Iterator[Copy]) -> int:
    """Store copies, some at once; how many. Raises ``StoreUnavailable``."""

    def put(copy: Copy) -> None:
        app.store.put(copy.name, copy.blocks, media_type=copy.media_type)

    count = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while some := list(islice(copies, 4 * _AT_ONCE)):
            count += len(list(pool.map(put, some)))
    return count


def _lists(connection: Connection, batch: Batch, language: Language) -> Iterator[Copy]:
    found = issued_keys.of_batch(connection, batch.id, by_customer=True)
    for number, keys in groupby(found, key=lambda key: key.customer_number):
        rows = [(key.number, key.sku, key.version, key.quantity, key.host_id, key.valid_until, key.key) for key in keys]
        yield Copy(f"{place_of(number, batch.id)}/keys.csv", list(listing(_TITLES, rows, language)), MEDIA_TYPE)
