"""Files that others drop: which names are not files yet, and whether what arrived is all of it.

A name cannot tell everything: some clients close an upload that they gave up, and a killed one leaves a stable half.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MARKER = ".done"
BLOCKS = (32_768, 261_120)  # bytes that OpenSSH writes at a time, to an old and to a new server
_TEMPORARY = (".part", ".tmp", ".filepart", ".incomplete")
_ZIP, _ZIP_END = b"PK\x03\x04", b"PK\x05\x06"
_ZIP_END_BYTES, _ZIP_COMMENT_BYTES = 22, 65_535
_LINE_ENDS = (b"\n", b"\r", b"\n\0", b"\r\0")  # the last two: UTF-16, low byte first
_OLE = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a file that was dropped is not taken as whole."""

    code: str
    en: str
    it: str


EMPTY = Fault("empty_file", "The file is empty.", "Il file è vuoto.")
CUT = Fault(
    "upload_given_up",
    "The upload was given up before its end. Send the file again.",
    "Il caricamento è stato interrotto prima della fine. Inviare di nuovo il file.",
)
HOLES = Fault(
    "upload_with_holes",
    "Parts of the file never arrived. Send it again.",
    "Parti del file non sono mai arrivate. Inviarlo di nuovo.",
)
_NO_ZIP_END = Fault(
    "incomplete_file",
    "The end of the workbook is missing, so the upload was probably cut off. Send the file again.",
    "Manca la fine della cartella di lavoro: il caricamento è stato probabilmente interrotto. Inviarla di nuovo.",
)
_NO_LINE_END = Fault(
    "incomplete_file",
    "The last line does not end, so the upload may have been cut off. Send the file again with a line end after its "
    f"last line; or upload a file of the same name with {MARKER} at the end to say that it is whole.",
    "L'ultima riga non è terminata: il caricamento potrebbe essere stato interrotto. Inviare di nuovo il file con un a "
    f"capo dopo l'ultima riga; oppure caricare un file con lo stesso nome seguito da {MARKER} per dire che è completo.",
)
_AT_BLOCK_END = Fault(
    "incomplete_file",
    "The upload ends exactly with one of its blocks, as one that was given up does. Send the file again with an empty "
    f"line at its end; or upload a file of the same name with {MARKER} at the end to say that it is whole.",
    "Il caricamento termina esattamente con uno dei suoi blocchi, come quando viene interrotto. Inviare di nuovo il "
    f"file con una riga vuota alla fine; oppure caricare un file con lo stesso nome seguito da {MARKER} per dire che è "
    "completo.",
)


def is_temporary(name: str) -> bool:
    """Whether a client is still at work on a file of this name."""
    return name.startswith(".") or name.lower().endswith(_TEMPORARY)


def marked_by(name: str) -> str | None:
    """The file that a marker of this name says is whole; None when the name is not a marker's."""
    return name.removesuffix(MARKER) or None if name.endswith(MARKER) else None


def ends_with_block(size: int) -> bool:
    """Whether a size is one at which OpenSSH's client stops when it is told to: it closes what it gives up."""
    return any(size % block == 0 for block in BLOCKS)


def fault_of(path: Path, *, at_block_end: bool = False) -> Fault | None:
    """What says that a file is not whole; None when nothing does.

    ``at_block_end``: its last bytes came as a full block, so that the end of a line may be there by chance.
    """
    size = path.stat().st_size
    if not size:
        return EMPTY
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(0, size - _ZIP_END_BYTES - _ZIP_COMMENT_BYTES), os.SEEK_SET)
        tail = file.read()
    if start == _ZIP:
        return None if _has_zip_end(tail) else _NO_ZIP_END
    if start == _OLE:
        return None
    if not tail.endswith(_LINE_ENDS):
        return _NO_LINE_END
    return _AT_BLOCK_END if at_block_end else None


def _has_zip_end(tail: bytes) -> bool:
    """Whether the record that closes an archive is there, with nothing but its comment behind it."""
    at = tail.rfind(_ZIP_END)
    while at >= 0:  # a comment may hold the same bytes
        comment = int.from_bytes(tail[at + 20 : at + _ZIP_END_BYTES], "little")
        if len(tail) == at + _ZIP_END_BYTES + comment:
            return True
        at = tail.rfind(_ZIP_END, 0, at)
    return False
