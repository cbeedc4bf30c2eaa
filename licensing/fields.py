"""The columns that batch kinds know: their names, titles and notes in two languages, and what a cell may hold.

One catalogue for every kind, so that a column means the same everywhere. Header matching (importers/), templates
(exporters/) and validation (licensing/values.py) all read it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

FieldType = Literal["text", "code", "email", "country", "date", "integer", "decimal", "choice", "flag", "list"]
Language = Literal["en", "it"]
LANGUAGES: tuple[Language, ...] = ("en", "it")


@dataclass(frozen=True, slots=True)
class Field:
    """One known column.

    ``name`` is what code, ``--set`` and JSON use; ``title`` is what a template prints per language; ``synonyms`` are
    further headers that mean the same (any case; space, ``_``, ``-`` and ``.`` alike); ``longest`` is in characters;
    ``least`` and ``greatest`` bound numbers. ``may_be_lost``: a code that the spreadsheet destroyed is read as blank,
    with a warning, instead of rejecting the row; for columns that a row can do without.
    """

    name: str
    type: FieldType
    title: dict[Language, str]
    note: dict[Language, str]
    example: str
    synonyms: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    longest: int = 255
    required: bool = False
    least: int = 0
    greatest: int = 2_147_483_647
    may_be_lost: bool = False

    def needed(self) -> Field:
        """The same column, required."""
        return replace(self, required=True)
