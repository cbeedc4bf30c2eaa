"""The directory of a ZIP file (XLSX, XLSB, ODS), checked against the limits before anything is unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path

from importers.contracts import Limits
from importers.refusals import refusal

_EXEMPT_BYTES = 1_000_000  # the ratio matters only for larger parts
_IS_ENCRYPTED = 0x1
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def check(path: Path, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The parts of a workbook by name. Raises :class:`UnreadableFile` for a bomb, an encrypted or a broken file."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _broken(path) from error
    if len(parts) > limits.zip_entries:
        raise refusal("too_many_parts", n=len(parts), most=limits.zip_entries)
    if any(part.flag_bits & _IS_ENCRYPTED for part in parts):
        raise refusal("encrypted")
    total = sum(part.file_size for part in parts)
    if total > limits.unpacked_bytes:
        raise refusal("unpacks_too_large", n=total, most=limits.unpacked_bytes)
    names: dict[str, zipfile.ZipInfo] = {}
    for part in parts:
        _check_part(part, limits)
        if part.filename in names:
            raise refusal("corrupt", detail=f"{part.filename} × 2")
        names[part.filename] = part
    _check_overlap(parts)
    return names


def _check_part(part: zipfile.ZipInfo, limits: Limits) -> None:
    ratio = part.file_size // max(part.compress_size, 1)
    if part.file_size > _EXEMPT_BYTES and ratio > limits.zip_ratio:
        raise refusal("packed_too_tightly", where=part.filename, n=ratio, most=limits.zip_ratio)
    if part.compress_type not in (_STORED, _DEFLATED):
        raise refusal("corrupt", detail=f"{part.filename}: ZIP method {part.compress_type}")


def _check_overlap(parts: list[zipfile.ZipInfo]) -> None:
    """Parts that share bytes unpack to far more than the file holds (a ZIP bomb without nesting)."""
    end = 0
    for part in sorted(parts, key=lambda part: part.header_offset):
        if part.header_offset < end:
            raise refusal("corrupt", detail=f"{part.filename}: overlap")
        end = part.header_offset + part.compress_size


def _broken(path: Path) -> Exception:
    """A ZIP file without its end was cut off; with it, it is damaged."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 66_000))
        return refusal("corrupt", detail="ZIP") if b"PK\x05\x06" in file.read() else refusal("truncated")
