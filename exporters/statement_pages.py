"""One page of PDF for a contract: what was agreed, what was used, what is owed, and why. Made to be sent to a customer.

The same content gives the same bytes. The font has Latin, Greek and Cyrillic letters; what it lacks is shown as ◊.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from reportlab.lib.colors import Color
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from exporters.statement_charts import HAIR, INK, MUTED, OVER, USED, Box, Chart, key_of
from exporters.statement_notes import notes
from exporters.statement_words import Writing
from exporters.statements import Entry, ReportedContract, ReportedLine

MEDIA_TYPE = "application/pdf"
PLAIN, BOLD = "SourceSansPro-Regular", "SourceSansPro-Semibold"
MOST_CHARTS = 6
_WIDTH, _HEIGHT = A4
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, _WIDTH - 50, _HEIGHT - 46, 40.0
_ROW = 14.5
_NOTE = 11.5
_MOST_NOTES = 5
_WIDEST = 62.0  # of a figure in the table
_LACKING = "◊"


class _Column(NamedTuple):
    name: str
    x: float  # left edge, or right edge of a column of numbers
    is_number: bool = False


_COLUMNS = (
    _Column("product", _LEFT),
    _Column("period", _LEFT + 84),
    _Column("committed", _LEFT + 240, is_number=True),
    _Column("used", _LEFT + 279, is_number=True),
    _Column("peak", _LEFT + 338, is_number=True),
    _Column("over", _LEFT + 368, is_number=True),
    _Column("owed", _LEFT + 434, is_number=True),
    _Column("since", _LEFT + 468, is_number=True),
    _Column("no", _RIGHT, is_number=True),
)


def page(contract: ReportedContract, writing: Writing, *, issuer: str) -> bytes:
    """The page of a contract that has statements."""
    data = io.BytesIO()
    _fonts()
    pen = Canvas(data, pagesize=A4, invariant=1, lang=writing.language)
    pen.setTitle(f"{writing.word('title')} {contract.code}")
    pen.setAuthor(issuer)
    pen.setCreator("Keymill")
    _Page(pen, contract, writing, issuer).draw()
    pen.showPage()
    pen.save()
    return data.getvalue()


@cache
def _fonts() -> frozenset[int]:
    """Read the fonts, once a process; the characters that they have."""
    known: set[int] = set()
    for name in (PLAIN, BOLD):
        font = TTFont(name, str(files("font_source_sans_pro") / "files" / f"{name}.ttf"))
        pdfmetrics.registerFont(font)
        known = set(font.face.charToGlyph) if name == PLAIN else known & set(font.face.charToGlyph)
    return frozenset(known)


class _Page:
    """The drawing of one page, from its top to its bottom."""

    def __init__(self, pen: Canvas, contract: ReportedContract, writing: Writing, issuer: str) -> None:
        self._pen, self._contract, self._writing, self._issuer = pen, contract, writing, issuer
        self._y = _TOP

    def draw(self) -> None:
        """All of it. Notes and the table's least rows have their room before the charts take the rest."""
        word = self._writing.word
        self._head()
        self._tiles()
        said = notes(self._contract, self._writing)
        notes_height = (min(len(said), _MOST_NOTES) + (len(said) > _MOST_NOTES)) * _NOTE + (24 if said else 0)
        lines = _most_telling(self._contract)
        shown = lines[:MOST_CHARTS]
        rows = _MostTellingRows(self._contract)
        room = self._y - _BOTTOM - 24 - notes_height
        table = min(rows.count, max(6, int((room - self._charts_least(shown) - 48) / _ROW)))
        charts = room - table * _ROW - 48 - (12 if table < rows.count else 0)
        if len(lines) > len(shown):
            charts -= 12
        self._charts(shown, min(charts, self._charts_most(shown)))
        if len(lines) > len(shown):
            self._small(word("more_charts", len(lines) - len(shown)))
        self._table(rows.first(table), rows.count)
        self._notes(said)
        self._foot()

    # Texts.

    def _text(
        self, x: float, y: float, text: str, *, size: float = 9, bold: bool = False, color: Color = INK,
        width: float = 1e6, right: bool = False,
    ) -> float:  # fmt: skip
        """Write a text, cut where it is wider than its room; how wide it is."""
        font = BOLD if bold else PLAIN
        fitted = _fitted(_coverable(text), font, size, width)
        self._pen.setFont(font, size)
        self._pen.setFillColor(color)
        (self._pen.drawRightString if right else self._pen.drawString)(x, y, fitted)
        return float(pdfmetrics.stringWidth(fitted, font, size))

    def _small(self, text: str) -> None:
        self._text(_LEFT, self._y - 8, text, size=7.5, color=MUTED)
        self._y -= 12

    def _rule(self, y: float, width: float = 0.6, color: Color = HAIR) -> None:
        self._pen.setStrokeColor(color)
        self._pen.setLineWidth(width)
        self._pen.line(_LEFT, y, _RIGHT, y)

    # Parts.

    def _head(self) -> None:
        contract, writing = self._contract, self._writing
        self._pen.setFillColor(USED)
        self._pen.rect(0, _HEIGHT - 6, _WIDTH, 6, stroke=0, fill=1)
        self._text(_LEFT, self._y - 8, self._issuer, size=10.5, bold=True, color=USED, width=300)
        until = f"{writing.word('until')} {writing.day(contract.until)}"
        self._text(_RIGHT, self._y - 8, until, size=9, color=MUTED, right=True)
        self._text(_LEFT, self._y - 38, writing.word("title"), size=23, bold=True)
        self._y -= 54
        self._rule(self._y)
        third = (_RIGHT - _LEFT) / 3
        customer = ", ".join(part for part in (contract.customer_number, contract.country) if part)
        facts = (
            (writing.word("customer"), contract.customer, customer),
            (writing.word("contract"), contract.code, contract.time_zone),
            (writing.word("term"), writing.period(contract.term), ""),
        )
        most = 1
        for place, (title, value, more) in enumerate(facts):
            x = _LEFT + place * third
            self._text(x, self._y - 15, title, size=7.5, color=MUTED)
            parts = _wrapped(_coverable(value), BOLD, 10.5, third - 12)
            for number, part in enumerate(parts):
                self._text(x, self._y - 28 - 12 * number, part, size=10.5, bold=True)
            self._text(x, self._y - 28 - 12 * len(parts), more, size=8.5, color=MUTED, width=third - 12)
            most = max(most, len(parts))
        self._y -= 38 + 12 * most

    def _tiles(self) -> None:
        """What a reader wants to know first: what is owed for good, what so far, and what is not known."""
        contract, writing = self._contract, self._writing
        missing = contract.missing_days()
        closed, running = contract.owed("closed", "adjusted"), contract.owed("open")
        tiles = (
            (writing.word("owed_closed"), writing.sums(closed) or [writing.word("nothing")], bool(closed)),
            (writing.word("owed_open"), writing.sums(running) or [writing.word("nothing")], bool(running)),
            (writing.word("missing_days"), [writing.number(missing) if missing else writing.word("none")], False),
        )
        gap = 10.0
        width = (_RIGHT - _LEFT - 2 * gap) / 3
        height = 46.0
        self._y -= 6
        for place, (title, values, is_red) in enumerate(tiles):
            x = _LEFT + place * (width + gap)
            self._pen.setFillColor(HAIR)
            self._pen.setStrokeColor(HAIR)
            self._pen.roundRect(x, self._y - height, width, height, 4, stroke=1, fill=0)
            self._text(x + 10, self._y - 15, title, size=8, color=MUTED, width=width - 20)
            text = "  ·  ".join(values)
            size, color = _size(text, True, 16, width - 20), OVER if is_red else INK
            self._text(x + 10, self._y - 35, text, size=size, bold=True, color=color, width=width - 20)
        self._y -= height + 14

    def _charts_least(self, lines: Sequence[ReportedLine]) -> float:
        return (150.0 if len(lines) == 1 else 96.0 if len(lines) <= 4 else 82.0) * _bands(lines) + 24

    def _charts_most(self, lines: Sequence[ReportedLine]) -> float:
        return (230.0 if len(lines) == 1 else 150.0) * _bands(lines) + 24

    def _charts(self, lines: Sequence[ReportedLine], height: float) -> None:
        """The charts in one column, or in two where there are more than one."""
        writing = self._writing
        self._section(writing.word("usage"))
        key_of(self._pen, PLAIN, writing, _RIGHT, self._y + 5, has_allowed=any(line.terms.growth for line in lines))
        across = 1 if len(lines) == 1 else 2
        gap = 18.0
        width = (_RIGHT - _LEFT - gap * (across - 1)) / across
        band = (height - 24) / _bands(lines)
        for place, line in enumerate(lines):
            x, top = _LEFT + place % across * (width + gap), self._y - place // across * band
            name = line.name if line.name == line.sku else f"{line.sku}  {line.name}"
            terms = line.terms
            used = self._text(x, top - 9, name, size=8.5, bold=True, width=width * 0.6)
            how = writing.word("metric_" + terms.metric)
            if across == 1:
                how += ", " + writing.word("policy_" + terms.policy)
            self._text(x + used + 6, top - 9, how, size=7.5, color=MUTED, width=width - used - 6)
            Chart(self._pen, PLAIN, writing, line, Box(x, top - band + 6, width, band - 10)).draw()
        self._y -= band * _bands(lines)

    def _section(self, title: str) -> None:
        self._text(_LEFT, self._y - 10, title, size=11, bold=True)
        self._y -= 20

    def _table(self, rows: Sequence[tuple[ReportedLine, Entry]], count: int) -> None:
        writing = self._writing
        self._y -= 4
        self._section(writing.word("statements"))
        for column in _COLUMNS:
            title = writing.word(column.name)
            self._text(column.x, self._y - 4, title, size=7.5, color=MUTED, right=column.is_number)
        self._y -= 9
        self._rule(self._y, 0.8, INK)
        before = None
        for line, entry in rows:
            self._row(line, entry, is_first=line is not before)
            before = line
        if len(rows) < count:
            self._small(writing.word("more_rows", count - len(rows)))

    def _row(self, line: ReportedLine, entry: Entry, *, is_first: bool) -> None:
        writing, base = self._writing, self._y - 11
        is_replaced = line.replaced_by(entry) is not None
        color = MUTED if is_replaced else INK
        if is_first:
            self._text(_LEFT, base, line.sku, size=8.5, bold=True, width=80)
        period = f"{writing.short_day(entry.starts)} – {writing.day(entry.ends)}"
        wide = self._text(_COLUMNS[1].x, base, period, size=8.5, color=color, width=104)
        state = "replaced" if is_replaced else entry.state
        if state != "closed":
            self._text(
                _COLUMNS[1].x + wide + 4, base, writing.word(state), size=7, color=MUTED if is_replaced else USED
            )
        peak = writing.number(entry.peak)
        if entry.peak_day:
            peak += f" · {writing.short_day(entry.peak_day)}"
        owed = writing.money(entry.owed, line.currency) if entry.owed else "–"
        alarm = OVER if entry.owed and not is_replaced else color
        since = writing.short_day(entry.owed_from) if entry.owed_from else ""
        cells = (
            (writing.number(entry.committed), color),
            (writing.number(entry.used), color),
            (peak, color),
            (writing.number(entry.over) if entry.over else "–", alarm),
            (owed, alarm),
            (since, color),
            (str(entry.number), MUTED),
        )
        for column, (text, shade) in zip(_COLUMNS[2:], cells, strict=True):
            bold = column.name == "owed" and bool(entry.owed) and not is_replaced
            self._text(column.x, base, text, size=_size(text, bold, 8.5, _WIDEST), bold=bold, color=shade, right=True)
        self._y -= _ROW
        self._rule(self._y, 0.4)

    def _notes(self, said: Sequence[str]) -> None:
        if not said:
            return
        self._y -= 6
        self._section(self._writing.word("notes"))
        for note in said[:_MOST_NOTES]:
            self._text(_LEFT, self._y - 4, "·", size=8.5, color=MUTED)
            self._text(_LEFT + 8, self._y - 4, note, size=8.5, width=_RIGHT - _LEFT - 8)
            self._y -= _NOTE
        if len(said) > _MOST_NOTES:
            self._text(_LEFT + 8, self._y - 4, self._writing.word("more_notes", len(said) - _MOST_NOTES), size=8.5)

    def _foot(self) -> None:
        writing = self._writing
        self._rule(_BOTTOM + 14)
        self._text(_LEFT, _BOTTOM + 3, writing.word("trace"), size=7.5, color=MUTED)
        if any(entry.state == "open" for _, entry in self._contract.rows()):
            self._text(_LEFT, _BOTTOM - 7, writing.word("open_means"), size=7.5, color=MUTED)


def _bands(lines: Sequence[ReportedLine]) -> int:
    return 1 if len(lines) == 1 else -(-len(lines) // 2)


def _most_telling(contract: ReportedContract) -> list[ReportedLine]:
    """The lines in their order; where there are more than charts, first those that are to be looked at."""
    if len(contract.lines) <= MOST_CHARTS:
        return list(contract.lines)
    return sorted(contract.lines, key=lambda line: not line.is_flagged)


class _MostTellingRows:
    """The rows of the table: where there are too many, the last period of each line first, then what is to be seen."""

    def __init__(self, contract: ReportedContract) -> None:
        self._rows = contract.rows()
        self.count = len(self._rows)
        last = {line.sku: max(entry.starts for entry in line.entries) for line in contract.lines}
        self._ranked = sorted(
            range(self.count),
            key=lambda place: self._rank(*self._rows[place], last[self._rows[place][0].sku]),
        )

    def _rank(self, line: ReportedLine, entry: Entry, last: object) -> tuple[Any, ...]:
        if entry.starts == last:
            grade = 0 if entry.flags else 2
        else:
            grade = 1 if entry.flags and not line.replaced_by(entry) else 3
        return grade, -entry.owed, -entry.starts.toordinal()

    def first(self, most: int) -> list[tuple[ReportedLine, Entry]]:
        """At most so many rows, in their order."""
        return [self._rows[place] for place in sorted(self._ranked[:most])]


def _coverable(text: str) -> str:
    """A text in characters that the font has."""
    known = _fonts()
    return "".join(char if ord(char) in known else _LACKING for char in text)


def _size(text: str, is_bold: bool, size: float, width: float) -> float:
    """The size at which a figure fits into its room: figures are never cut, down to what can be read."""
    needed = pdfmetrics.stringWidth(text, BOLD if is_bold else PLAIN, size)
    return size if needed <= width else max(size * width / needed, 5.0)


def _wrapped(text: str, font: str, size: float, width: float) -> list[str]:
    """A text on one line or two, cut after that; broken at a space where there is one."""
    whole = _fitted(text, font, size, width)
    if whole == text:
        return [text]
    at = text.rfind(" ", 0, len(whole))
    at = at + 1 if at > 0 else len(whole) - 1
    return [text[:at].rstrip(), _fitted(text[at:], font, size, width)]


def _fitted(text: str, font: str, size: float, width: float) -> str:
    """A text, cut with an ellipsis where it is wider than its room."""
    if pdfmetrics.stringWidth(text, font, size) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if pdfmetrics.stringWidth(text[:middle].rstrip() + "…", font, size) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"
