"""A form with a file, streamed to disk while it comes: counted, never held in memory."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from jobs.refusals import Refused
from web.bodies import file_name

_ROOM = 64 * 1024  # bytes that the other fields and the frame may take


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that came with a form, on disk."""

    path: Path
    filename: str
    size: int
    sha256: str
    fields: FormData


@asynccontextmanager
async def sent_file(request: Request, most: int) -> AsyncIterator[SentFile]:
    """The file of a form for as long as the block lasts. ``most``: bytes. Raises :class:`Refused`."""
    parser = MultiPartParser(request.headers, _limited(request, most), max_files=1, max_fields=10)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ClientDisconnect) as error:
        raise _no_file() from error
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        try:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename or not file.size:
                raise _no_file()
            path = Path(folder) / "body"
            sha256 = await run_in_threadpool(_copied, file, path)
            yield SentFile(path, file_name(file.filename, "upload"), file.size, sha256, form)
        finally:
            await form.close()


async def _limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > most + _ROOM:
            raise Refused(
                "file_too_large",
                f"At most {most:,} bytes are taken. Split the file into several.",
                f"Si accettano al massimo {most:,} byte. Dividere il file in più file.",
            )
        yield block


def _copied(file: UploadFile, path: Path) -> str:
    """Copy a file and say its SHA-256 digest."""
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target, 1 << 20)
    with path.open("rb") as copied:
        return hashlib.file_digest(copied, "sha256").hexdigest()


def _no_file() -> Refused:
    return Refused(
        "no_file",
        "No file came, or an empty one. Choose a file and send it again.",
        "Non è arrivato alcun file, o è vuoto. Scegliere un file e inviarlo di nuovo.",
    )
