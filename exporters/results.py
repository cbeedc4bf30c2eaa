"""The door to result files: which format a batch's results get, and the columns that hold each row's outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache

from exporters.delimited import Delimited
from exporters.pieces import ChangedPiece, Head, Line, Piece, PieceFacts, PieceFormat
from exporters.xlsx import Xlsx
from licensing.cells import PackedCell
from licensing.fields import Language
from licensing.outcomes import CODES

__all__ = [
    "FORMATS", "OUTCOME_TITLES", "REASON_TITLE", "ChangedPiece", "Head", "Line", "Piece", "PieceFacts", "PieceFormat",
    "format_for", "outcome_cells",
]  # fmt: skip

# What was uploaded -> what comes back. Formats that nobody should write any more come back as XLSX, XML as CSV.
FORMATS: dict[str, Callable[[str | None], PieceFormat]] = {
    "csv": lambda separator: Delimited(separator or ","),
    "xml": lambda _: Delimited(","),
    "xlsx": lambda _: Xlsx(),
    "xlsm": lambda _: Xlsx(),
    "xls": lambda _: Xlsx(),
    "xlsb": lambda _: Xlsx(),
    "ods": lambda _: Xlsx(),
}

# No title is one that a kind knows as its own column, so that a result file can be sent again as it is.
OUTCOME_TITLES: dict[Language, tuple[str, ...]] = {
    "en": (
        "Result: code", "Result: explanation", "Result: license number", "Result: license key", "Result: product",
        "Result: quantity", "Result: valid until",
    ),
    "it": (
        "Esito: codice", "Esito: spiegazione", "Esito: numero di licenza", "Esito: chiave di licenza",
        "Esito: prodotto", "Esito: quantità", "Esito: valida fino al",
    ),
}  # fmt: skip
REASON_TITLE: dict[Language, str] = {"en": "Result: what to mend", "it": "Esito: cosa correggere"}


def format_for(source_format: str, separator: str | None = None) -> PieceFormat:
    """The format of the results of a file that was read as ``source_format`` (``Reading.format``)."""
    return FORMATS[source_format](separator)


@lru_cache(maxsize=4096)
def _sentence(code: str, language: Language, detail: str) -> str:
    return CODES[code].sentence(language, detail) if code in CODES else detail


@lru_cache(maxsize=1024)
def _day(day: date | None) -> PackedCell:
    return None if day is None else {"date": day.isoformat()}


def outcome_cells(
    code: str,
    detail: str | None,
    language: Language,
    *,
    license_number: str | None = None,
    key: str | None = None,
    sku: str | None = None,
    quantity: int | None = None,
    valid_until: date | None = None,
) -> tuple[PackedCell, ...]:
    """The outcome columns of one row, in the order of :data:`OUTCOME_TITLES`. A perpetual license has no last day."""
    return (code, _sentence(code, language, detail or ""), license_number, key, sku, quantity, _day(valid_until))
