"""The bare compression of a rendered piece: what packing costs at the least (benchmarks)."""

from __future__ import annotations

from isal import isal_zlib

from exporters.pieces import Piece


def compress_bare(piece: Piece) -> int:
    """Pack the bytes of a piece once more, as they were before they were packed; the packed size."""
    plain = isal_zlib.decompressobj(-15).decompress(piece.data)
    return len(isal_zlib.compress(plain, 1, -15))
