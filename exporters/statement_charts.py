"""A chart of a line on a PDF page: used against committed and allowed, excess in red, days without report in gray."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from reportlab.lib.colors import Color, HexColor
from reportlab.pdfbase import pdfmetrics

from exporters.statement_words import Writing
from exporters.statements import Point, ReportedLine
from licensing.contracts import DAY
from licensing.terms import add_months

INK, MUTED, HAIR = HexColor("#1d2733"), HexColor("#66727f"), HexColor("#d9dfe5")
USED, OVER, GAP = HexColor("#2f6db3"), HexColor("#c8372d"), HexColor("#e9edf1")
_USED_AREA = Color(0.184, 0.427, 0.702, alpha=0.16)


class Box(NamedTuple):
    """A place on the page, in points from its lower left corner."""

    x: float
    y: float
    width: float
    height: float


class Chart:
    """One chart in its box. ``pen``: the canvas."""

    def __init__(self, pen: Any, font: str, writing: Writing, line: ReportedLine, box: Box) -> None:
        self._pen, self._font, self._writing = pen, font, writing
        self._line, self._points = line, line.points(most=190)
        self._plot = Box(box.x + 26, box.y + 14, box.width - 32, box.height - 30)
        first, last = line.terms.starts, line.until
        self._first, self._days = first, max((last - first).days + 1, 1)
        self._top = _nice(max(max(point.allowed, point.used or Decimal(0)) for point in self._points))

    def draw(self) -> None:
        """Gaps, grid, usage, and over them what was agreed."""
        self._grid()
        self._gaps()
        self._usage()
        self._agreed()
        self._months()

    def _x(self, day: date) -> float:
        return self._plot.x + self._plot.width * (day - self._first).days / self._days

    def _y(self, value: Decimal | int) -> float:
        return self._plot.y + self._plot.height * float(value) / float(self._top)

    def _grid(self) -> None:
        pen, plot = self._pen, self._plot
        pen.setFont(self._font, 6.5)
        for part in range(5):
            value = self._top * part / 4
            y = self._y(value)
            pen.setStrokeColor(HAIR)
            pen.setLineWidth(0.4)
            pen.line(plot.x, y, plot.x + plot.width, y)
            if part % 2 == 0:
                pen.setFillColor(MUTED)
                pen.drawRightString(plot.x - 4, y - 2.2, self._writing.number(value))

    def _stretches(self) -> Iterator[tuple[Point, date]]:
        """Every point with the day on which the next one begins."""
        ends = self._line.until + DAY
        following = [*(point.day for point in self._points[1:]), ends]
        yield from zip(self._points, following, strict=True)

    def _gaps(self) -> None:
        for point, ends in self._stretches():
            if point.used is None:
                self._pen.setFillColor(GAP)
                x = self._x(point.day)
                self._pen.rect(x, self._plot.y, self._x(ends) - x, self._plot.height, stroke=0, fill=1)

    def _usage(self) -> None:
        """A step line over a pale area, red where it is over what is allowed."""
        pen, floor = self._pen, self._plot.y
        runs: list[list[tuple[Point, date]]] = []
        for stretch in self._stretches():
            if stretch[0].used is None:
                runs.append([])
            elif not runs or not runs[-1]:
                runs.append([stretch])
            else:
                runs[-1].append(stretch)
        for run in filter(None, runs):
            corners = [(self._x(day), self._y(point.used or 0)) for point, ends in run for day in (point.day, ends)]
            area = pen.beginPath()
            area.moveTo(corners[0][0], floor)
            for corner in corners:
                area.lineTo(*corner)
            area.lineTo(corners[-1][0], floor)
            area.close()
            pen.setFillColor(_USED_AREA)
            pen.drawPath(area, stroke=0, fill=1)
            self._over(run)
            pen.setStrokeColor(USED)
            pen.setLineWidth(1.1)
            pen.setLineJoin(1)
            edge = pen.beginPath()
            edge.moveTo(*corners[0])
            for corner in corners[1:]:
                edge.lineTo(*corner)
            pen.drawPath(edge, stroke=1, fill=0)

    def _over(self, run: list[tuple[Point, date]]) -> None:
        """What is above the allowed; of an average only where that of the period is."""
        self._pen.setFillColor(OVER)
        for point, ends in run:
            if point.used is not None and point.used > point.allowed and self._counts(point.day):
                x, y = self._x(point.day), self._y(point.allowed)
                self._pen.rect(x, y, self._x(ends) - x, self._y(point.used) - y, stroke=0, fill=1)

    def _counts(self, day: date) -> bool:
        return self._line.terms.metric == "peak" or any(
            entry.over and entry.starts <= day <= entry.ends for entry in self._line.in_force()
        )

    def _agreed(self) -> None:
        """Steps of what is committed, and dashed of what is allowed where that is more."""
        pen = self._pen
        pen.setStrokeColor(INK)
        for dashed in (True, False):
            pen.setLineWidth(0.6 if dashed else 1.1)
            pen.setDash(*((2, 2) if dashed else ()))
            levels = [
                (self._x(point.day), self._x(ends), self._y(point.allowed if dashed else point.committed))
                for point, ends in self._stretches()
                if not dashed or point.allowed > point.committed
            ]
            path, reached = pen.beginPath(), None
            for x, ends, y in levels:
                (path.lineTo if x == reached else path.moveTo)(x, y)
                path.lineTo(ends, y)
                reached = ends
            if levels:
                pen.drawPath(path, stroke=1, fill=0)
        pen.setDash()

    def _months(self) -> None:
        """The months below, as many as there is room for."""
        pen, plot = self._pen, self._plot
        last = self._line.until
        months = [self._first.replace(day=1)]
        while (following := add_months(months[-1], 1)) <= last:
            months.append(following)
        months = [month for month in months if month >= self._first] or [self._first]
        room = max(1, int(plot.width / 26))
        every = next(step for step in (1, 2, 3, 6, 12, 24, 60, 240) if len(months) <= room * step)
        pen.setFont(self._font, 6.5)
        pen.setFillColor(MUTED)
        pen.setStrokeColor(HAIR)
        pen.setLineWidth(0.4)
        for month in months[::every]:
            x = self._x(month)
            pen.line(x, plot.y, x, plot.y - 3)
            text = self._writing.month(month)
            if month.month == 1 or month == months[0]:
                text += f" {month:%y}" if len(months) > 1 else ""
            if x + 12 <= plot.x + plot.width + 6:
                pen.drawString(x, plot.y - 9.5, text)


def _nice(value: Decimal) -> Decimal:
    """A top for an axis: a little above the value, and its half a round number."""
    if value <= 0:
        return Decimal(2)
    unit = Decimal(10) ** (value.adjusted() - 1)
    return next(
        unit * step
        for step in (10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100, 120)
        if unit * step >= value * Decimal("1.04")
    )


def key_of(pen: Any, font: str, writing: Writing, right: float, y: float, *, has_allowed: bool) -> None:
    """What the lines and colors mean, in a row that ends at ``right``."""
    x = right
    names = ["no_data", "over", *(["allowed"] if has_allowed else []), "committed", "used"]
    pen.setFont(font, 7.5)
    for name in names:
        text = writing.word(name)
        x -= pdfmetrics.stringWidth(text, font, 7.5)
        pen.setFillColor(MUTED)
        pen.drawString(x, y, text)
        x -= 15
        if name in ("no_data", "over"):
            pen.setFillColor(GAP if name == "no_data" else OVER)
            pen.rect(x + 2, y - 0.5, 9, 6, stroke=0, fill=1)
        else:
            pen.setStrokeColor(USED if name == "used" else INK)
            pen.setLineWidth(0.6 if name == "allowed" else 1.2)
            pen.setDash(*((2, 2) if name == "allowed" else ()))
            pen.line(x + 1, y + 2.4, x + 12, y + 2.4)
            pen.setDash()
        x -= 10
