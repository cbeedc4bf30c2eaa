"""Bodies of requests on their way to a file on disk: counted while they come, never held in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from web.problems import NotAnswered

MULTIPART = "multipart/form-data"
# Spreadsheets and texts; what a file is, is found out from its content.
RAW = (
    "application/octet-stream",
    "text/csv",
    "text/plain",
    "text/tab-separated-values",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel.sheet.macroEnabled.12",
    "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    "application/vnd.oasis.opendocument.spreadsheet",
)
_ROOM = 64 * 1024  # bytes that the frame of a multipart body may take beside the file
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Received:
    """A body in a file, and the name that its sender gave it, if any."""

    path: Path
    filename: str | None


@asynccontextmanager
async def received(request: Request, most: int, raw: tuple[str, ...] = RAW) -> AsyncIterator[Received]:
    """The body of a request, or the file of a form, as a file for as long as the block lasts.

    ``most``: bytes. Raises :class:`NotAnswered`; ``ClientDisconnect`` where the sender went away. Nothing is left.
    """
    media_type = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    is_form = media_type == MULTIPART
    if not is_form and media_type not in {one.lower() for one in raw}:
        known = ", ".join((MULTIPART, *raw) if raw is RAW else raw)
        raise NotAnswered(
            "media_type",
            f"{media_type[:80]} is not taken, but: {known}.",
            f"{media_type[:80]} non è ammesso, ma: {known}.",
        )
    room = most + _ROOM if is_form else most
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > room:
        raise _too_large(most)
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "body"
        if is_form:
            yield Received(path, await _form(request, path, room, most))
        else:
            with path.open("wb") as file:
                async for block in _limited(request, room, most):
                    file.write(block)
            yield Received(path, None)


async def _limited(request: Request, room: int, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > room:
            raise _too_large(most)
        yield block


async def _form(request: Request, path: Path, room: int, most: int) -> str | None:
    """The one file of a form, spilled to disk while it comes; its name."""
    parser = MultiPartParser(request.headers, _limited(request, room, most), max_files=1, max_fields=1)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise _bad_form(str(error)) from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or len(form.multi_items()) != 1:
            raise _bad_form("")
        if (file.size or 0) > most:
            raise _too_large(most)

        def copy() -> None:
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target, 1 << 20)

        await run_in_threadpool(copy)
        return file.filename
    finally:
        await form.close()


def file_name(given: str | None, usual: str) -> str:
    """The name of a file without its folders and without control characters."""
    name = PureWindowsPath(PurePosixPath(given or "").name).name
    kept = "".join(char for char in name if char.isprintable()).strip()
    return kept[:_LONGEST_NAME] or usual


def _bad_form(why: str) -> NotAnswered:
    told = f" ({why[:200]})" if why else ""
    return NotAnswered(
        "bad_form",
        f"A form has one part, a file with the name file{told}. Everything else stands in the address.",
        f"Un modulo ha una sola parte, un file di nome file{told}. Tutto il resto va nell'indirizzo.",
    )


def _too_large(most: int) -> NotAnswered:
    return NotAnswered(
        "file_too_large",
        f"At most {most:,} bytes are taken. Split the file into several.",
        f"Si accettano al massimo {most:,} byte. Dividere il file in più file.",
        {"Connection": "close"},
    )
