"""The workbook of a reconciliation: a summary, the statements with those to be looked at first, a sheet a contract.

Written row by row, so that memory does not grow with the rows. The same content gives the same bytes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.chart import BarChart, LineChart
from openpyxl.chart.axis import DateAxis
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.utils import get_column_letter

from exporters.statement_sheets import AMOUNT, BLUE, INK, MUTED, Sheet
from exporters.statement_words import Writing, word
from exporters.statements import Entry, Point, ReportedContract, ReportedLine
from exporters.xlsx_parts import sheet_name
from exporters.zip_members import Archive, packed
from licensing.fields import Language

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_LISTED = 2_000  # statements in the list; where there are more, those to be looked at, and all of them elsewhere
MOST_CHARTS = 12  # of one contract
_SHOWN = 12  # statements in the summary and its chart
_BAND_ROWS = 16


class Listed(NamedTuple):
    """A statement in the list, with what it is about."""

    contract: str
    customer_number: str
    customer: str
    sku: str
    currency: str | None
    entry: Entry


class Total(NamedTuple):
    """What the statements of a batch say of one currency ("": without a price), by their states."""

    currency: str
    statements: int
    closed: Decimal
    adjusted: Decimal
    open: Decimal


_LIST = (
    ("attention", 22), ("contract", 22), ("customer_number", 14), ("customer", 30), ("product", 18), ("from", 13),
    ("to", 13), ("state", 11), ("committed", 12), ("used", 12), ("peak", 10), ("peak_day", 13), ("over", 10),
    ("owed", 15), ("currency", 10), ("missing_days", 12), ("until", 13), ("number", 11),
)  # fmt: skip
_SHEET = (
    ("product", 20), ("from", 13), ("to", 13), ("state", 11), ("committed", 12), ("drawn", 11), ("used", 12),
    ("peak", 10), ("peak_day", 13), ("over", 10), ("owed", 15), ("currency", 10), ("owed_from", 13),
    ("missing_days", 12), ("attention", 26), ("number", 11),
)  # fmt: skip


class StatementBook:
    """A workbook that is filled sheet by sheet: :meth:`summarize`, then :meth:`add` for each contract, then save."""

    def __init__(self, language: Language, *, issuer: str) -> None:
        self._language, self._issuer = language, issuer
        self._book = Workbook(write_only=True)
        self._book.properties.creator = issuer
        self._book.properties.title = word("summary", language)
        self._summary_name = ""
        self._names: dict[str, str] = {}  # of sheets, by contract
        self._taken: set[str] = set()
        self._sheets: list[Sheet] = []

    def word(self, name: str, *values: object) -> str:
        """A word or a sentence with its values."""
        return word(name, self._language, *values)

    def summarize(
        self,
        subtitle: str,
        totals: Sequence[Total],
        listed: Sequence[Listed],
        *,
        count: int,
        contracts: Sequence[str] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        """The summary and the list. ``contracts``: those that will have sheets, in their order."""
        self._summary_name = self._name(self.word("summary_sheet"))
        list_name = self._name(self.word("statements"))
        self._names = {code: self._name(code) for code in contracts}
        self._summary(self._sheet(self._summary_name), subtitle, totals, listed[:_SHOWN], remarks)
        self._list(self._sheet(list_name), listed, count)

    def add(self, contract: ReportedContract) -> None:
        """The sheet of a contract: its statements, a chart a line, and below what the charts show."""
        sheet = self._sheet(self._names.get(contract.code) or self._name(contract.code))
        writing = Writing(self._language)
        sheet.begin([width for _, width in _SHEET], freeze="A6", titles="5:5")
        sheet.row([sheet.text(f"{contract.code}  ·  {contract.customer}", size=16, bold=True)], height=26)
        facts = (contract.customer_number, contract.country or "", writing.period(contract.term), contract.time_zone)
        until = f"{self.word('until')} {writing.day(contract.until)}"
        sheet.row([sheet.text("  ·  ".join([*filter(None, facts), until]), color=MUTED)])
        sheet.row([sheet.link(self.word("back"), self._summary_name)] if self._summary_name else [])
        sheet.row([])
        sheet.header([self.word(name) for name, _ in _SHEET], numbers=(4, 5, 6, 7, 9, 10, 13, 15))
        for line, entry in contract.rows():
            sheet.row(self._statement(sheet, line, entry))
        self._charts(sheet, contract.lines)

    def save(self, target: Path) -> None:
        """Write the file, with the same date on everything."""
        aside = target.with_name(target.name + ".dated")
        self._book.save(aside)
        with target.open("wb") as file:
            file.writelines(_parts(aside, self._sheets))
        aside.unlink()

    def _sheet(self, name: str) -> Sheet:
        self._sheets.append(Sheet(self._book, name))
        return self._sheets[-1]

    def _name(self, wanted: str) -> str:
        """A name for a sheet that no other one has, whatever the case of its letters."""
        number = 1
        while (name := sheet_name(wanted, number)).casefold() in self._taken:
            number += 1
        self._taken.add(name.casefold())
        return name

    # Summary and list.

    def _summary(
        self, sheet: Sheet, subtitle: str, totals: Sequence[Total], listed: Sequence[Listed], remarks: Sequence[str]
    ) -> None:
        sheet.begin([26, 18, 34, 18, 14, 14, 14, 16, 11, 3, 36])
        sheet.row([sheet.text(self.word("summary"), size=18, bold=True)], height=28)
        sheet.row([sheet.text(f"{self._issuer}  ·  {subtitle}", color=MUTED)])
        for remark in remarks:
            sheet.row([sheet.text(remark, color=MUTED)])
        sheet.row([])
        columns = ("currency", "statements", "owed_closed", "owed_adjusted", "owed_open")
        sheet.header([self.word(name) for name in columns], numbers=range(1, 5))
        for total in totals:
            sums = [sheet.number(value, AMOUNT) for value in total[2:]]
            sheet.row([sheet.text(total.currency or "–"), sheet.number(total.statements), *sums])
        sheet.row([])
        names = ("contract", "product", "customer", "to", "committed", "used", "over", "owed", "currency")
        first = sheet.rows + 1
        sheet.header([self.word(name) for name in names], numbers=range(4, 8))
        for one in listed:
            entry = one.entry
            sheet.row(
                [
                    self._linked(sheet, one.contract),
                    sheet.text(one.sku),
                    sheet.text(one.customer),
                    sheet.day(entry.ends),
                    sheet.number(entry.committed),
                    sheet.number(entry.used),
                    sheet.number(entry.over, alarm=bool(entry.over)),
                    sheet.number(entry.owed, AMOUNT, alarm=bool(entry.owed)),
                    sheet.text(one.currency or ""),
                    None,
                    sheet.text(_short(f"{one.contract} · {one.sku}"), color=MUTED),
                ]
            )
        if listed:
            chart = BarChart()
            chart.type, chart.overlap, chart.gapWidth = "bar", 0, 60
            chart.x_axis.scaling.orientation = "maxMin"
            chart.add_data(sheet.area(5, first, 6, first + len(listed)), titles_from_data=True)
            chart.set_categories(sheet.area(11, first + 1, 11, first + len(listed)))
            for series, color in zip(chart.series, (INK, BLUE), strict=True):
                series.graphicalProperties = GraphicalProperties(solidFill=color[2:])
            rows = (sheet.rows + 2, sheet.rows + 5 + 2 * len(listed))
            sheet.chart(chart, self.word("usage"), (1, 9), rows)
            sheet.print_area(f"A1:I{rows[1] + 1}")

    def _list(self, sheet: Sheet, listed: Sequence[Listed], count: int) -> None:
        sheet.begin([width for _, width in _LIST], freeze="C3" if count > len(listed) else "C2")
        if count > len(listed):
            sheet.row([sheet.text(self.word("list_cut", f"{len(listed):,}", f"{count:,}"), color=MUTED)])
        sheet.header([self.word(name) for name, _ in _LIST], numbers=(8, 9, 10, 12, 13, 15, 17))
        top = sheet.rows
        for one in listed:
            entry = one.entry
            sheet.row(
                [
                    sheet.text(self._flags(entry), alarm=bool(entry.owed)),
                    self._linked(sheet, one.contract),
                    sheet.text(one.customer_number),
                    sheet.text(one.customer),
                    sheet.text(one.sku),
                    sheet.day(entry.starts),
                    sheet.day(entry.ends),
                    sheet.text(self.word(entry.state)),
                    *self._figures(sheet, entry),
                    sheet.text(one.currency or ""),
                    sheet.number(entry.missing_days),
                    sheet.day(entry.until),
                    sheet.number(entry.number, "0"),
                ]
            )
        sheet.filter(f"A{top}:{get_column_letter(len(_LIST))}{sheet.rows}")

    def _linked(self, sheet: Sheet, code: str) -> Any:
        return sheet.link(code, self._names[code]) if code in self._names else sheet.text(code)

    def _figures(self, sheet: Sheet, entry: Entry) -> Iterator[Any]:
        yield sheet.number(entry.committed)
        yield sheet.number(entry.used)
        yield sheet.number(entry.peak)
        yield sheet.day(entry.peak_day)
        yield sheet.number(entry.over, alarm=bool(entry.over))
        yield sheet.number(entry.owed, AMOUNT, alarm=bool(entry.owed))

    def _flags(self, entry: Entry) -> str:
        return ", ".join(self.word(f"flag_{flag}") for flag in entry.flags)

    # One contract.

    def _statement(self, sheet: Sheet, line: ReportedLine, entry: Entry) -> list[Any]:
        replaced = line.replaced_by(entry)
        committed, *figures = self._figures(sheet, entry)
        said = self._flags(entry) if replaced is None else f"{self.word('replaced')}: {replaced.number}"
        return [
            sheet.text(line.sku, bold=True),
            sheet.day(entry.starts),
            sheet.day(entry.ends),
            sheet.text(self.word(entry.state)),
            committed,
            sheet.number(entry.drawn),
            *figures,
            sheet.text(line.currency or ""),
            sheet.day(entry.owed_from),
            sheet.number(entry.missing_days),
            sheet.text(said, alarm=bool(entry.owed) and replaced is None),
            sheet.number(entry.number, "0"),
        ]

    def _charts(self, sheet: Sheet, lines: Sequence[ReportedLine]) -> None:
        """Charts two by two; the cells that they show stand below them, a block of columns a line."""
        shown = sorted(lines, key=lambda line: not line.is_flagged)[:MOST_CHARTS]
        series = [(line, line.points()) for line in shown]
        top = sheet.rows + 2
        data = top + _BAND_ROWS * -(-len(shown) // 2) + 1
        for _ in range(sheet.rows, data - 1):
            sheet.row([])
        sheet.row([sheet.text(self.word("chart_data"), bold=True)])
        sheet.row([cell for line, _ in series for cell in (sheet.text(line.sku, bold=True), None, None, None)])
        names = [self.word(name) for _ in series for name in ("day", "allowed", "committed", "used")]
        sheet.header(names, numbers=[place for place in range(len(names)) if place % 4])
        head = sheet.rows
        for row in range(max(len(points) for _, points in series)):
            sheet.row([cell for _, points in series for cell in _point(sheet, points, row)], height=None)
        for place, (line, points) in enumerate(series):
            first = top + place // 2 * _BAND_ROWS
            chart = _usage_chart(sheet, 4 * place + 1, head, head + len(points), has_allowed=bool(line.terms.growth))
            columns = (9, 16) if place % 2 else (1, 8)
            sheet.chart(chart, f"{line.sku}  {line.name}", columns, (first, first + _BAND_ROWS - 2))
        sheet.print_area(f"A1:{get_column_letter(len(_SHEET))}{data - 1}")


def _short(text: str) -> str:
    """A text that may stand beside a bar."""
    return text if len(text) <= 36 else text[:35] + "…"


def _point(sheet: Sheet, points: Sequence[Point], row: int) -> tuple[Any, ...]:
    if row >= len(points):
        return (None,) * 4
    point = points[row]
    return (
        sheet.day(point.day),
        sheet.number(point.allowed),
        sheet.number(point.committed),
        sheet.number(point.used),
    )


def _usage_chart(sheet: Sheet, column: int, head: int, last: int, *, has_allowed: bool) -> LineChart:
    """Lines over the days in ``column``; what is allowed only where it is more than what is committed."""
    chart = LineChart()
    chart.add_data(sheet.area(column + (1 if has_allowed else 2), head, column + 3, last), titles_from_data=True)
    chart.set_categories(sheet.area(column, head + 1, column, last))
    styles = ((MUTED, 12_000, "sysDash"), (INK, 19_000, None), (BLUE, 22_000, None))
    for series, (color, width, dash) in zip(chart.series, styles[-len(chart.series) :], strict=True):
        series.smooth = False
        series.marker.symbol = "none"
        series.graphicalProperties.line.solidFill = color[2:]
        series.graphicalProperties.line.width = width
        if dash:
            series.graphicalProperties.line.dashStyle = dash
    chart.x_axis = DateAxis(crossAx=100)
    chart.x_axis.number_format, chart.x_axis.majorTimeUnit, chart.x_axis.baseTimeUnit = "mmm\\ yy", "months", "days"
    chart.x_axis.majorUnit, chart.x_axis.auto = 1, True
    chart.y_axis.crossAx = 500
    chart.y_axis.scaling.min = 0
    chart.display_blanks = "gap"
    return chart


def _parts(source: Path, sheets: Sequence[Sheet]) -> Iterator[bytes]:
    """A workbook's parts with the sheets' rows, in an archive whose bytes tell nothing of when it was made."""
    archive, by_name = Archive(), {f"xl/worksheets/sheet{place}.xml": sheet for place, sheet in enumerate(sheets, 1)}
    with zipfile.ZipFile(source) as book:
        for entry in sorted(
            book.infolist(), key=lambda one: one.filename != "[Content_Types].xml"
        ):  # readers expect it
            data = book.read(entry)
            if entry.filename in by_name:
                data = by_name[entry.filename].filled(data)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>2026-01-01T00:00:00Z", data)
            member, blocks = packed(entry.filename, data)
            yield from archive.member(member, blocks)
    yield from archive.end()
