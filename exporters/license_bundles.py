"""ZIP archives of license files, streamed: any number of small texts, and an index of them.

Our own ZIP records rather than a library's: see docs/decisions/0004-writing-results.md for what was measured.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

from isal import isal_zlib

from exporters.delimited import BOM, written
from exporters.zip_members import LONGEST_NAME, Archive, Member, packed

MEDIA_TYPE = "application/zip"
INDEX = "index.csv"
# Windows takes none of these in a name, no name of an old device, and no dot or space at an end.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)


def bundle(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """An archive of files by name (``/`` makes folders), then ``index.csv`` with their names, sizes and digests."""
    archive = Archive()
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
    names = Names()
    index = BOM + written([["name", "size", "sha256"]], ",")[0]
    packed_index, crc32, size = [packer.compress(index)], isal_zlib.crc32(index), len(index)
    for wanted, content in files:
        name = names.safe(wanted)
        yield b"".join(archive.member(*packed(name, content)))
        line = written([[name, len(content), hashlib.sha256(content).hexdigest()]], ",")[0]
        packed_index.append(packer.compress(line))
        crc32, size = isal_zlib.crc32(line, crc32), size + len(line)
    packed_index.append(packer.flush())
    yield from archive.member(Member(INDEX, crc32, sum(map(len, packed_index)), size), packed_index)
    yield from archive.end()


class Names:
    """Names that every system can unpack, each once (Windows does not tell upper case from lower case)."""

    def __init__(self) -> None:
        self._taken = {INDEX}

    def safe(self, wanted: str) -> str:
        """The name itself if it will do, else the nearest one that does."""
        segments = [_safe_segment(segment) for segment in unicodedata.normalize("NFC", wanted).split("/") if segment]
        name = "/".join(segments) or "_"
        stem, dot, ending = name.rpartition(".")
        number = 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem} ({number}).{ending}" if dot and "/" not in ending else f"{'/'.join(segments)} ({number})"
        self._taken.add(name.casefold())
        return name


def _safe_segment(segment: str) -> str:
    clean = _FORBIDDEN.sub("_", segment.encode("utf-8", "replace").decode()).strip(" ").rstrip(". ") or "_"
    if _DEVICE.fullmatch(clean):
        clean = "_" + clean
    if len(clean.encode()) > LONGEST_NAME // 2:
        stem, dot, ending = clean.rpartition(".")
        kept = (stem if dot else clean).encode()[: LONGEST_NAME // 2 - 20].decode(errors="ignore").rstrip(". ")
        clean = kept + dot + ending[:12] if dot else kept
    return clean
