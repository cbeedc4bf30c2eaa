"""Charts as inline SVG: drawn here, colored by the style sheet, named and described for who cannot see them."""

from __future__ import annotations

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
        parts.append(_column(name, x, 0, width * scale, _BAR))
        x += width * scale + _GAP
    said_of = ", ".join(
        f"{said(language, 'outcome.' + name)}: {numbers.format_decimal(count, locale=language)}"
        for name, count in shown.items()
    )
    return _svg(said(language, "chart.outcomes"), said_of, _WIDTH, _BAR, parts, "outcome-bar")


class Period(NamedTuple):
    """A period of a contract line: its name, what was committed and what was used in it."""

    label: str
    committed: Number
    used: Number


def committed_and_used(periods: Sequence[Period], language: Language) -> Markup:
    """What was used in each period as columns, what was committed as a line over them."""
    if not periods:
        return Markup("")
    top = _nice(max(float(max(p.committed, p.used)) for p in periods))
    step = (_WIDTH - _LEFT) / len(periods)
    bottom = _HEIGHT - _BOTTOM

    def y(value: Number | float) -> float:
        return bottom - (bottom - _TOP) * float(value) / top

    parts = [_grid_line(y(top * n / _LINES), top * n / _LINES, language) for n in range(_LINES + 1)]
    every = -(-len(periods) // _MOST_LABELS)
    for place, period in enumerate(periods):
        left, width = _LEFT + place * step, min(step * 0.6, 64)
        middle = left + step / 2
        within, over = min(period.used, period.committed), max(period.used - period.committed, 0)
        parts.append(_column("within", middle - width / 2, y(within), width, bottom - y(within)))
        if over:
            parts.append(_column("over", middle - width / 2, y(period.used), width, y(within) - y(period.used)))
        parts.append(
            f'<line class="committed" x1="{left:.1f}" x2="{left + step:.1f}"'
            f' y1="{y(period.committed):.1f}" y2="{y(period.committed):.1f}"/>'
        )
        if place % every == 0:
            parts.append(
                f'<text class="tick" x="{middle:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(period.label)}'
                "</text>"
            )
    last = periods[-1]
    told = said(
        language,
        "chart.contract_told",
        periods=len(periods),
        label=last.label,
        used=numbers.format_decimal(last.used, locale=language),
        committed=numbers.format_decimal(last.committed, locale=language),
    )
    return _svg(said(language, "chart.contract"), told, _WIDTH, _HEIGHT, parts, "columns")


def _column(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}" rx="2"/>'


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
    return next((size * n for n in (1, 2, 4, 8, 10) if size * n >= value), size * 20)


def _svg(title: str, told: str, width: int, height: int, parts: Sequence[str], name: str) -> Markup:
    label = escape(f"{title}. {told}")
    return Markup(  # noqa: S704 - of numbers and escaped texts
        f'<svg class="chart {name}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}"'
        f' preserveAspectRatio="none"><title>{escape(title)}</title><desc>{escape(told)}</desc>{"".join(parts)}</svg>'
    )
