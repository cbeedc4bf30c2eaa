"""What a distributor's batch owes its customers: each one's own keys, under that customer's own prefix of the store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice

from sqlalchemy import Connection

from config.wiring import App
from exporters.listings import MEDIA_TYPE, Title, listing
from licensing.field_catalogue import FIELDS
from licensing.fields import Language
from models import licenses
from models.batches import Batch

MOST_LICENSES = 50_000  # beyond, the batch's own files are the only ones
_AT_ONCE = 8
_TITLES: tuple[Title, ...] = (
    *(FIELDS[name].title for name in ("license", "product", "version", "quantity", "host_id", "expires")),
    {"en": "License key", "it": "Chiave di licenza"},
)


def store(app: App, connection: Connection, batch: Batch, language: Language) -> int:
    """Store a list of keys for each customer of a batch, ``customers/NUMBER/BATCH/keys.csv``; how many customers.

    The same for the same batch, so that it may be done twice. Raises ``StoreUnavailable``.
    """

    def put(made: tuple[str, list[bytes]]) -> None:
        name, blocks = made
        app.store.put(name, blocks, media_type=MEDIA_TYPE)

    count, lists = 0, _lists(connection, batch, language)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while some := list(islice(lists, 4 * _AT_ONCE)):
            count += len(list(pool.map(put, some)))
    return count


def _lists(connection: Connection, batch: Batch, language: Language) -> Iterator[tuple[str, list[bytes]]]:
    found = licenses.of_batch(connection, batch.id, by_customer=True)
    for number, keys in groupby(found, key=lambda key: key.customer_number):
        rows = [(key.number, key.sku, key.version, key.quantity, key.host_id, key.valid_until, key.key) for key in keys]
        yield f"customers/{number}/{batch.id}/keys.csv", list(listing(_TITLES, rows, language))
