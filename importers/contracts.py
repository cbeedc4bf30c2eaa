"""What a reader is asked for, what it may take at most, and what it says of a file; all of it can travel as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from licensing.field_catalogue import FIELDS
from licensing.fields import Field

BLANK_ROWS_TOLERATED = 100_000  # between two rows; beyond that it is a cell in the far corner

RawCell = str | int | float | bool | date | datetime | time | timedelta  # blank is ""
RawRow = list[Any]  # of RawCell; Any spares the hot path a million casts


@dataclass(frozen=True)
class Limits:
    """The published limits of an upload."""

    file_bytes: int = 200_000_000
    rows: int = 1_048_576
    columns: int = 256
    cell_characters: int = 32_767
    cells: int = 20_000_000
    unpacked_bytes: int = 2_000_000_000
    zip_entries: int = 1_000
    zip_ratio: int = 200


@dataclass(frozen=True)
class Wanted:
    """What to look for in a file.

    ``subject``: the fields that name what a row is about, hashed under ``domain``. ``given``: texts for fields without
    a column. ``separator``, ``encoding`` and ``locale`` as the sender states them; None: found out. ``mapped``: fields
    that titles of the sender's own stand for, by the title's key (``headers.header_key``).
    """

    fields: tuple[Field, ...]
    subject: tuple[str, ...] = ()
    domain: str = ""
    given: dict[str, str] = field(default_factory=dict)
    separator: str | None = None
    encoding: str | None = None
    locale: str | None = None
    mapped: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON: fields travel by name, for the catalogue knows the rest."""
        fields = [{"name": column.name, "required": column.required} for column in self.fields]
        shallow = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return shallow | {"fields": fields, "subject": list(self.subject)}

    @classmethod
    def from_json(cls, packed: dict[str, Any]) -> Wanted:
        """What :meth:`to_json` wrote."""
        fields = tuple(replace(FIELDS[f["name"]], required=f["required"]) for f in packed["fields"])
        return cls(**(packed | {"fields": fields, "subject": tuple(packed["subject"])}))


@dataclass
class Reading:
    """What was found in a file. ``header_row`` is the row of the sheet (from 1), 0 where there is no header.

    ``columns`` says where each known field stands, from 0. ``separator`` and ``encoding`` are empty for workbooks. Each
    of the ``warnings`` has code, en, it, cells (the first few addresses) and count.
    """

    format: str
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    header_row: int = 0
    titles: list[str] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    layout: str | None = None
    row_count: int = 0
    width: int = 0
    date_system: str = "1900"
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


Range = tuple[int, int, int, int]  # first row, first column, last row, last column; from 0, inclusive


@dataclass
class SecondLook:
    """What the reading library keeps to itself; rows and columns from 0.

    ``is_too_wide``: the sheet declares more columns than are taken, though no cell with content stands out there.
    """

    unreadable: dict[tuple[int, int], str] = field(default_factory=dict)
    merged: list[Range] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    is_too_wide: bool = False


class Sheet(Protocol):
    """One sheet of a file (a CSV file is one sheet)."""

    @property
    def name(self) -> str:
        """The sheet's name; empty for a CSV file."""

    @property
    def is_hidden(self) -> bool:
        """Whether a person who opens the file does not see it."""

    def rows(self) -> Iterator[RawRow]:
        """Every row from the first row of the sheet on, blank ones too; blank cells are empty strings."""

    def second_look(self) -> SecondLook:
        """What :meth:`rows` does not tell."""


@dataclass
class Source:
    """A file that was opened: its sheets in order."""

    format: str
    sheets: list[Sheet]
    encoding: str = ""
    separator: str = ""
    date_system: str = "1900"
