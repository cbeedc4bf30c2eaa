"""The way from a file to rows: format, sheet, header, then every row as a line for the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from importers import headers
from importers.contracts import Limits, RawRow, Reading, SecondLook, Sheet, Source, Wanted
from importers.detection import detect
from importers.headers import Header
from importers.refusals import UnreadableFile, refusal
from importers.registry import READERS
from importers.row_lines import RowLines
from licensing.cells import address

__all__ = ["Limits", "Reading", "UnreadableFile", "Wanted", "read_file"]

# Templates explain their columns on a sheet of its own, which is not the table.
GUIDE_SHEETS = frozenset({"guide", "guida"})
_SHOWN = 5
_BLANK_ROWS_SEARCHED = 20_000


def read_file(path: Path, wanted: Wanted, limits: Limits, write: Callable[[bytes], None], *, prefix: str) -> Reading:
    """Read the one table of a file and hand its rows to ``write``, in blocks of lines in PostgreSQL's COPY format:
    prefix, ordinal, sheet row, lane, subject, cells. Raises :class:`UnreadableFile`.

    Sheet rows count from 1; in a CSV file each record and each blank line is a row, as a spreadsheet program shows it.
    """
    format_ = detect(path, limits)
    source = READERS[format_](path, wanted, limits)
    sheet, header = _choose(source, wanted)
    look = sheet.second_look()
    lines = RowLines(
        header, wanted, limits, write, prefix=prefix, unreadable=look.unreadable, is_csv=source.format == "csv"
    )
    lines.write(_below(sheet, header))
    _check_merged(look, header, lines.last_row)
    if not lines.row_count:
        name = sheet.name or (path.suffix and "file")
        raise refusal("no_rows", it={"where": f"Il foglio {name}".strip()}, where=f"The sheet {name}".strip())
    return Reading(
        format=format_,
        encoding=source.encoding,
        separator=source.separator,
        sheet=sheet.name,
        header_row=header.row,
        titles=header.titles,
        columns=header.columns,
        layout=header.layout,
        row_count=lines.row_count,
        width=max(lines.width, len(header.titles)),
        date_system=source.date_system,
        warnings=_warnings(source, look, header, lines),
    )


def _below(sheet: Sheet, header: Header) -> Iterator[tuple[int, RawRow]]:
    """The rows under the header, with their numbers."""
    rows = enumerate(sheet.rows(), 1)
    for sheet_row, _ in rows:
        if sheet_row >= header.row:
            break
    if header.row:
        yield from rows
    else:
        yield from enumerate(sheet.rows(), 1)


def _choose(source: Source, wanted: Wanted) -> tuple[Sheet, Header]:
    """The sheet whose header fits. Raises :class:`UnreadableFile` where none or two do."""
    fitting: list[tuple[Sheet, Header]] = []
    refused: list[UnreadableFile] = []
    for sheet in tables_of(source):
        head = head_of(sheet)
        if head:
            found = headers.find(head, wanted, sheet.name)
            if isinstance(found, Header):
                fitting.append((sheet, found))
            else:
                refused.append(found)
    with_header = [choice for choice in fitting if choice[1].row] or fitting
    if len(with_header) > 1:
        raise refusal("two_sheets", where=", ".join(sheet.name for sheet, _ in with_header))
    if not with_header:
        raise (
            _clearest(refused) if refused else refusal("empty_file" if source.format in ("csv", "xml") else "no_sheets")
        )
    return with_header[0]


def tables_of(source: Source) -> list[Sheet]:
    """The sheets that may hold the table: those that a person sees, without a template's explanations."""
    visible = [sheet for sheet in source.sheets if not sheet.is_hidden]
    return [sheet for sheet in visible if sheet.name.casefold() not in GUIDE_SHEETS] or visible


def _clearest(refused: list[UnreadableFile]) -> UnreadableFile:
    """Of the refusals of several sheets, one that found a header before one that found none."""
    return next((refusal_ for refusal_ in refused if refusal_.code != "no_header"), refused[0])


def head_of(sheet: Sheet) -> list[tuple[int, RawRow]]:
    """The first rows of a sheet that hold something, without blank cells at their end."""
    found: list[tuple[int, RawRow]] = []
    last = 0
    for sheet_row, row in enumerate(sheet.rows(), 1):
        while row and row[-1] == "":
            del row[-1]
        if row:
            found.append((sheet_row, row))
            last = sheet_row
        if len(found) == headers.ROWS_SEARCHED or sheet_row - last > _BLANK_ROWS_SEARCHED:
            break
    return found


def _check_merged(look: SecondLook, header: Header, last_row: int) -> None:
    """Merged cells in the header or under it, down to the last row; titles above may be merged as they like."""
    inside = [r for r in look.merged if r[2] + 1 >= max(header.row, 1) and r[0] + 1 <= last_row]
    if inside:
        where = ", ".join(f"{address(r[1], r[0] + 1)}:{address(r[3], r[2] + 1)}" for r in inside[:_SHOWN])
        raise refusal("merged_cells", where=where + (" …" if len(inside) > _SHOWN else ""))


def _warnings(source: Source, look: SecondLook, header: Header, lines: RowLines) -> list[dict[str, Any]]:
    """What the sender should know though the file was read."""
    found = []
    hidden = [row + 1 for row in look.hidden_rows if header.row < row + 1 <= lines.last_row]
    if hidden:
        found.append(
            _warning(
                "hidden_rows",
                "Hidden rows were read like all others.",
                "Le righe nascoste sono state lette come tutte le altre.",
                [str(row) for row in hidden],
            )
        )
    hidden_sheets = [sheet.name for sheet in source.sheets if sheet.is_hidden]
    if hidden_sheets:
        found.append(
            _warning(
                "hidden_sheets", "Hidden sheets were not read.", "I fogli nascosti non sono stati letti.", hidden_sheets
            )
        )
    if lines.totals:
        found.append(
            _warning(
                "total_left_out",
                "A total under the table was left out; it is not a row.",
                "Un totale sotto la tabella è stato tralasciato; non è una riga.",
                lines.totals,
            )
        )
    return found


def _warning(code: str, en: str, it: str, cells: list[str]) -> dict[str, Any]:
    return {"code": code, "en": en, "it": it, "cells": cells[:_SHOWN], "count": len(cells)}
