"""Bodies of requests on their way to a file on disk: counted while they come, never held in memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from web.problems import NotAnswered

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

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


class _Form:
    """The one file of a form on its way to a file on disk."""

    def __init__(self, target: BinaryIO) -> None:
        self.target = target
        self.files = self.parts = 0
        self.filename: str | None = None
        self.is_whole = False
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> MultipartCallbacks:
        """What the parser tells, and who listens."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._text,
            "on_header_end": self._end_of_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self.parts += 1
        self._headers = {}

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _text(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_of_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if options.get(b"name") == b"file" and b"filename" in options:
            self.files += 1
            self.filename = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.files == self.parts == 1:
            self.target.write(data[start:end])

    def _end(self) -> None:
        self.is_whole = True


async def _form(request: Request, path: Path, room: int, most: int) -> str | None:
    """Write the file of a form; its name."""
    _, options = parse_options_header(request.headers["content-type"])
    with path.open("wb") as target:
        form = _Form(target)
        try:
            parser = MultipartParser(options.get(b"boundary", b""), form.callbacks())
            async for block in _limited(request, room, most):
                parser.write(block)
            parser.finalize()
        except FormParserError as error:
            raise _bad_form(str(error)) from error
    if not form.is_whole or (form.parts, form.files) != (1, 1):
        raise _bad_form("")
    if path.stat().st_size > most:
        raise _too_large(most)
    return form.filename


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
