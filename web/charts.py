"""Charts as inline SVG: drawn here, colored by the style sheet, named and described for who cannot see them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from babel import numbers
from markupsafe import Markup, escape

from licensing.fields import Language
from web.translations import said

Number = int | Decimal
_WIDTH = 1000
_BAR, _GAP = 26, 4
_HEIGHT, _LEFT, _TOP, _BOTTOM = 240, 56, 16, 34
_LINES = 4  # of the grid
_MOST_LABELS = 12
_NUMBER = 26  # height that a number in a column takes
_HATCHED = {"rejected", "skipped", "over"}


def outcome_bar(outcomes: Mapping[str, int], language: Language) -> Markup:
    """How rows came out, as one bar of parts. The numbers stand beside it as text."""
    total = sum(outcomes.values())
    if not total:
        return Markup("")
    shown = {name: count for name, count in outcomes.items() if count}
    room = _WIDTH - _GAP * (len(shown) - 1)
    widths = {name: max(3.0, room * count / total) for name, count in shown.items()}
    scale = room / sum(widths.values())
    parts, x = [], 0.0
    for name, width in widths.items():
        says = f"{said(language, 'outcome.' + name)}: {numbers.format_decimal(shown[name], locale=language)}"
        parts.append(_column(name, x, 0, width * scale, _BAR, says))
        x += width * scale + _GAP
    said_of = ", ".join(
        f"{said(language, 'outcome.' + name)}: {numbers.format_decimal(count, locale=language)}"
        for name, count in shown.items()
    )
    return _svg(said(language, "chart.outcomes"), said_of, _WIDTH, _BAR, parts, "outcome-bar")


_HATCH = (
    '<defs><pattern id="{}" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="stripe" d="M0 0V9"/></pattern></defs>'
)


class Period(NamedTuple):
    """A period of a contract line, or a day: its name, what was committed and what was used, where that is known."""

    label: str
    committed: Number
    used: Number | None


def committed_and_used(periods: Sequence[Period], language: Language) -> Markup:
    """What was used in each period as columns, what was committed as a line over them."""
    if not periods:
        return Markup("")
    return _over_time("chart.contract", "chart.contract_told", periods, periods[-1], language, periods=len(periods))


def day_by_day(days: Sequence[Period], language: Language) -> Markup:
    """What was used on each day of a statement; a day without a report has no column."""
    reported = [day for day in days if day.used is not None]
    if not reported:
        return Markup("")
    highest = max(reported, key=lambda day: day.used or 0)
    return _over_time("chart.statement", "chart.statement_told", days, highest, language, days=len(reported))


def _over_time(
    name: str, words: str, columns: Sequence[Period], told: Period, language: Language, **counts: int
) -> Markup:
    """A chart of columns, named by one text and described by another, which tells of one of the periods."""
    used, committed = _text(told.used, language), _text(told.committed, language)
    described = said(language, words, label=told.label, used=used, committed=committed, **counts)
    return _svg(said(language, name), described, _WIDTH, _HEIGHT, _columns(columns, language), "columns")


def _columns(periods: Sequence[Period], language: Language) -> list[str]:
    top = _nice(max(float(max(p.committed, p.used or 0)) for p in periods))
    step = (_WIDTH - _LEFT) / len(periods)
    bottom = _HEIGHT - _BOTTOM
    has_room = len(periods) <= _MOST_LABELS  # for a number in each column

    def y(value: Number | float) -> float:
        return bottom - (bottom - _TOP) * float(value) / top

    parts = [_grid_line(y(top * n / _LINES), top * n / _LINES, language) for n in range(_LINES + 1)]
    every = -(-len(periods) // _MOST_LABELS)
    for place, period in enumerate(periods):
        left, width, used = _LEFT + place * step, min(step * 0.6, 64), period.used
        middle = left + step / 2
        if used is not None:
            says = f"{period.label}: " + said(
                language, "chart.used", used=_text(used, language), committed=_text(period.committed, language)
            )
            within, over = min(used, period.committed), max(used - period.committed, 0)
            parts.append(_column("within", middle - width / 2, y(within), width, bottom - y(within), says))
            if over:
                parts.append(_column("over", middle - width / 2, y(used), width, y(within) - y(used), says))
            if has_room:
                is_inside = bottom - y(within) > _NUMBER
                at = bottom - 9 if is_inside else y(used) - 6
                parts.append(_label("inside" if is_inside else "tick", middle, at, _text(used, language)))
        parts.append(
            f'<line class="committed" x1="{left:.1f}" x2="{left + step:.1f}"'
            f' y1="{y(period.committed):.1f}" y2="{y(period.committed):.1f}"/>'
        )
        if place % every == 0:
            parts.append(_label("tick", middle, _HEIGHT - 10, period.label))
    return parts


def _text(value: Number | None, language: Language) -> str:
    return "" if value is None else numbers.format_decimal(value, locale=language)


def _label(name: str, x: float, y: float, text: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _column(name: str, x: float, y: float, width: float, height: float, says: str) -> str:
    """A part with its name and number for the pointer; those that are bad news are hatched, whatever their color."""
    height = max(height, 0)
    drawn = f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2"/>'
    if name in _HATCHED:
        drawn += f'<path fill="url(#hatch-@)" d="M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"/>'
    return f"<g><title>{escape(says)}</title>{drawn}</g>"


def _grid_line(y: float, value: float, language: Language) -> str:
    label = numbers.format_decimal(round(value, 1), locale=language)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 10}" y="{y + 5:.1f}" text-anchor="end">{label}</text>'
    )


def _nice(value: float) -> float:
    """A round number that is not less, which the lines of the grid divide well."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next((size * n for n in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if size * n >= value), size * 20)


def _svg(title: str, told: str, width: int, height: int, parts: Sequence[str], name: str) -> Markup:
    label = escape(f"{title}. {told}")
    drawn = "".join(parts)
    if "hatch-@" in drawn:  # named after the chart, for a page may have several
        own = f"hatch-{hashlib.sha256(label.encode() + drawn.encode()).hexdigest()[:8]}"
        drawn = _HATCH.format(own) + drawn.replace("hatch-@", own)
    return Markup(  # noqa: S704 - of numbers and escaped texts
        f'<svg class="chart {name}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}"'
        f' preserveAspectRatio="none"><title>{escape(title)}</title><desc>{escape(told)}</desc>{drawn}</svg>'
    )
