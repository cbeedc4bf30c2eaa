"""Uploads in pieces: announced with size and digest, sent from where the last piece ended, then a file like any other.

Pieces lie in the object store, so that any server may take the next one. An upload that is not ended within a day is
forgotten.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import structlog
from sqlalchemy import Connection

from config.wiring import App
from jobs.intake import check_size
from jobs.refusals import Refused
from models import uploads
from models.database import transaction
from models.uploads import Upload
from storage.objects import StoreProblem, WrongDigest, write_checked

log = structlog.get_logger("keymill.uploads")
KEPT_SECONDS = 24 * 3600
KEPT_USED_SECONDS = 3600  # for a request that is sent again because its answer was lost
MOST_OPEN = 20  # of one account
LEAST_PIECE = 1 << 20  # bytes, but for the last one: nobody can make millions of pieces
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLEARED = 10  # forgotten uploads that are cleared away at once


def start(app: App, account_id: int, filename: str, size: int, sha256: str) -> Upload:
    """Announce an upload. Raises :class:`Refused`."""
    _clear(app)
    check_size(app, size)
    if _SHA256.fullmatch(sha256) is None:
        raise Refused(
            "bad_digest",
            "sha256 is the digest of the whole file: 64 hexadecimal digits in small letters.",
            "sha256 è il digest dell'intero file: 64 cifre esadecimali minuscole.",
        )
    with transaction(app.engine) as connection:
        if uploads.open_of(connection, account_id) >= MOST_OPEN:
            raise Refused(
                "too_many_uploads",
                f"{MOST_OPEN} uploads are under way. End one, or delete it.",
                f"Ci sono {MOST_OPEN} caricamenti in corso. Concluderne uno o eliminarlo.",
            )
        upload_id = secrets.token_urlsafe(24)
        return uploads.add(connection, upload_id, account_id, filename, size, sha256, KEPT_SECONDS)


def find(app: App, upload_id: str) -> Upload:
    """An upload that goes on. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        found = uploads.by_id(connection, upload_id)
    if found is None:
        raise Refused(
            "unknown_upload",
            "There is no such upload; it may have ended or expired. Announce it again.",
            "Non esiste un tale caricamento; può essere concluso o scaduto. Annunciarlo di nuovo.",
        )
    return found


def extend(app: App, upload: Upload, offset: int, piece: Path) -> int:
    """Add a piece that starts at an offset; how far the upload has come. Raises :class:`Refused`."""
    size = piece.stat().st_size
    if offset != upload.offset:
        raise _elsewhere(upload.offset)
    if offset + size > upload.size or not size or (size < LEAST_PIECE and offset + size < upload.size):
        raise Refused(
            "bad_piece",
            f"The piece has {size:,} bytes. Every piece but the last has at least {LEAST_PIECE:,}, and "
            f"{upload.size - offset:,} are missing.",
            f"La parte ha {size:,} byte. Ogni parte tranne l'ultima ne ha almeno {LEAST_PIECE:,}, e ne mancano "
            f"{upload.size - offset:,}.",
        )
    app.store.put_file(_piece(upload.id, offset + size), piece)
    with transaction(app.engine) as connection:
        if not uploads.extend(connection, upload.id, offset, offset + size):
            raise _elsewhere(offset)  # two pieces for one place at this moment: the other one came first
    return offset + size


def assemble(app: App, upload: Upload, path: Path) -> None:
    """Put the pieces of an upload together in a file. Raises :class:`Refused` where they are not what was announced."""
    if upload.offset != upload.size:
        raise Refused(
            "upload_incomplete",
            f"{upload.size - upload.offset:,} of {upload.size:,} bytes are missing. Send them first.",
            f"Mancano {upload.size - upload.offset:,} byte su {upload.size:,}. Inviarli prima.",
        )
    try:
        write_checked(upload.filename, _bytes(app, upload), path, upload.sha256)
    except WrongDigest as wrong:
        raise Refused(
            "wrong_digest",
            f"{wrong.en} Upload the file again.",
            f"{wrong.it} Caricare di nuovo il file.",
        ) from wrong


def use(app: App, upload: Upload) -> None:
    """Note that an upload became a batch."""
    with transaction(app.engine) as connection:
        uploads.use(connection, upload.id, KEPT_USED_SECONDS)


def forget(app: App, upload: Upload) -> None:
    """Drop an upload and its pieces."""
    app.store.delete(_piece(upload.id, end) for end in upload.ends)
    with transaction(app.engine) as connection:
        uploads.drop(connection, upload.id)


def clear(app: App, connection: Connection) -> int:
    """Forget some uploads that were used or given up, with all of their pieces: how many. Raises ``StoreProblem``."""
    found = uploads.expired(connection, _CLEARED)
    for upload in found:
        # Pieces that came second at their place, or whose sender's request broke off after they were stored, too.
        app.store.delete(list(app.store.list(f"pieces/{upload.id}/")))
        uploads.drop(connection, upload.id)
    return len(found)


def _bytes(app: App, upload: Upload) -> Iterator[bytes]:
    for end in upload.ends:
        yield from app.store.get(_piece(upload.id, end))


def _piece(upload_id: str, end: int) -> str:
    return f"pieces/{upload_id}/{end}"


def _clear(app: App) -> None:
    """Clear some uploads away; what the store does not let go now, it will next time."""
    try:
        with transaction(app.engine) as connection:
            clear(app, connection)
    except StoreProblem as problem:
        log.warning("an upload was not cleared away", error=problem.en)


def _elsewhere(offset: int) -> Refused:
    return Refused(
        "wrong_offset",
        f"The upload stands at byte {offset}. Go on from there.",
        f"Il caricamento è al byte {offset}. Proseguire da lì.",
    )
