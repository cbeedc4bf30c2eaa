"""The revocation list in the object store: written anew after each batch that ended licenses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from config.wiring import App
from jobs import keys
from models import chunks, leases
from models import revocations as ended_licenses
from models.chunks import Chunk
from signing import revocations
from storage.objects import BLOCK

NAME = "revocations/revocations.jwt"
MEDIA_TYPE = "application/jwt"


class Published(NamedTuple):
    """A list as it was stored, the store's digest of it, and how many licenses it names by state."""

    token: bytearray
    sha256: str
    counts: dict[str, int]


def publish(app: App, connection: Connection) -> Published:
    """Sign a list of all ended licenses and store it, within a transaction. Raises ``StoreUnavailable``.

    One at a time, so that no older list replaces a newer one.
    """
    ended_licenses.lock(connection)
    counts = dict.fromkeys(revocations.STATES, 0)

    def counted() -> Iterator[tuple[str, str]]:
        for state, count, members in ended_licenses.ended(connection):
            counts[state] += count
            yield state, members

    signer = keys.load_signer(app.engine, app.kek, app.settings.issuer)
    token = revocations.sign_list(signer, int(time.time()), counted())
    ended_licenses.lock(connection)  # again: a worker that lost its session must not store what it made before
    blocks = (bytes(token[start : start + BLOCK]) for start in range(0, len(token), BLOCK))
    stored = app.store.put(NAME, blocks, media_type=MEDIA_TYPE)
    return Published(token, stored.sha256, counts)


def follow(app: App, connection: Connection, chunk: Chunk) -> None:
    """Publish the list after a batch has ended, which need not wait for it: millions of licenses may be on the list.

    Where another batch has ended meanwhile, its turn does for both.
    """
    with connection.begin():
        leases.still_held(connection, chunk)
        if chunks.newest_waiting(connection, "publish") < chunk.id:
            publish(app, connection)
        leases.finish(connection, chunk, {})
