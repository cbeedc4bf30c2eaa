"""What a result format is: pieces that many workers render apart, put together at the end without unpacking them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from licensing.cells import PackedCell

Line = tuple[list[PackedCell], tuple[PackedCell, ...]]  # a row's original cells, its outcome cells


@dataclass(frozen=True, slots=True)
class PieceFacts:
    """What must be known of a piece to put it into a file: kept in the database, its bytes in the store."""

    crc32: int
    plain_size: int
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A rendered range of rows. ``crc32`` and ``plain_size`` are of the bytes before they were packed."""

    data: bytes
    crc32: int
    plain_size: int
    rows: int

    @property
    def facts(self) -> PieceFacts:
        """The piece without its bytes."""
        return PieceFacts(self.crc32, self.plain_size, len(self.data), self.rows)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the rows: preamble rows, then the source's titles and ours. No titles at all: no header."""

    titles: tuple[PackedCell, ...]
    outcome_titles: tuple[str, ...] = ()
    preamble: tuple[tuple[PackedCell, ...], ...] = ()
    sheet: str = "Results"

    def header(self, width: int) -> list[PackedCell]:
        """The header row of a table whose source part is ``width`` columns wide; empty when there is none."""
        if not self.titles and not self.outcome_titles:
            return []
        return [*padded(self.titles, width), *self.outcome_titles]


class ChangedPiece(Exception):
    """The bytes of a piece are not those that were rendered: the file must not be given out."""

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"a piece of the result file should have {expected} bytes and has {got}")


class PieceFormat(Protocol):
    """One format of result files. ``width`` is the number of columns of the source's part of the table."""

    suffix: str
    media_type: str

    def piece(self, lines: Iterable[Line], width: int) -> Piece:
        """Render a range of rows."""

    def assemble(self, head: Head, pieces: Sequence[tuple[PieceFacts, Iterable[bytes]]], width: int) -> Iterator[bytes]:
        """The file: its head and its pieces in order, streamed; a piece's bytes are asked for when its turn comes."""


def padded(cells: Sequence[PackedCell], width: int) -> list[PackedCell]:
    """Cells filled up with blanks to a width, so that what follows them stands in its column."""
    return [*cells, *[None] * (width - len(cells))]


def checked(facts: PieceFacts, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a piece as they come; raises :class:`ChangedPiece` at the end when there were more or fewer."""
    got = 0
    for block in blocks:
        got += len(block)
        yield block
    if got != facts.size:
        raise ChangedPiece(facts.size, got)
