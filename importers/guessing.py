"""Which batch kind a file is for, by its header: every kind is held against it, and one must stand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from importers import headers
from importers.contracts import Limits, RawRow, Wanted
from importers.detection import detect
from importers.layouts import kinds_of
from importers.reading import head_of, tables_of
from importers.registry import READERS

MUCH_MORE = 2  # so many columns more that a kind knows, and it stands out whatever a rival knows


class Candidate(NamedTuple):
    """A kind that the file may be for. ``takes_any_column``: it has a use for columns that it does not know."""

    kind: str
    wanted: Wanted
    takes_any_column: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """How a file fits a kind: the columns that it knows, by field, as titles and places; what it needs besides.

    ``takes_others``: it has a use for the other columns too, whose titles are the ``others``.
    """

    kind: str
    titles: dict[str, str]
    places: tuple[int, ...]
    missing: tuple[str, ...]
    layout: str | None = None
    takes_others: bool = False
    others: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, packed: Mapping[str, Any]) -> Fit:
        """What :meth:`to_json` wrote."""
        return cls(**{**packed, **{name: tuple(packed[name]) for name in ("places", "missing", "others")}})

    def stands_out_from(self, other: Fit) -> bool:
        """Whether it knows all that the other knows and has a use for more, or knows much more."""
        mine, theirs = set(self.places), set(other.places)
        if mine == theirs:
            return self.takes_others and not other.takes_others
        return mine > theirs or len(mine) >= len(theirs) + MUCH_MORE


def fits(path: Path, candidates: Sequence[Candidate], limits: Limits) -> list[Fit]:
    """How a file fits each kind, for kinds that know a column of it at all. Raises :class:`UnreadableFile`."""
    source = READERS[detect(path, limits)](path, _any_of(candidates), limits)
    heads = [(sheet.name, head) for sheet in tables_of(source) if (head := head_of(sheet))]
    found = []
    for candidate in candidates:
        tried = [fit for name, head in heads if (fit := _fit(name, head, candidate))]
        if tried:
            found.append(min(tried, key=lambda fit: (len(fit.missing), -len(fit.places))))
    return found


def titles_of(path: Path, candidates: Sequence[Candidate], limits: Limits) -> list[str]:
    """The texts of the row that looks most like a header, whatever kinds know of it."""
    source = READERS[detect(path, limits)](path, _any_of(candidates), limits)
    heads = [row for sheet in tables_of(source) for _, row in head_of(sheet)]
    texts = [[cell for cell in row if isinstance(cell, str) and cell.strip()] for row in heads]
    return max(texts, key=len, default=[])


def _any_of(candidates: Sequence[Candidate]) -> Wanted:
    """What any of the kinds looks for, so that the separator of a CSV file is found."""
    fields = {field.name: replace(field, required=False) for one in candidates for field in one.wanted.fields}
    return replace(candidates[0].wanted, fields=tuple(fields.values()))


def _fit(sheet: str, head: Sequence[tuple[int, RawRow]], candidate: Candidate) -> Fit | None:
    """How a sheet fits a kind; None where it knows no column, or only those that say what a row is about."""
    wanted = candidate.wanted
    found = headers.find(head, wanted, sheet)
    header = found if isinstance(found, headers.Header) else headers.nearest(head, wanted)
    if header is None:
        return None
    columns = header.columns
    present = columns.keys() | {name for name, value in wanted.given.items() if value}
    subjects = {name for alternatives in wanted.subject for name in alternatives.split("|")}
    others = tuple(t for place, t in enumerate(header.titles) if t and place not in columns.values())
    is_idle = not others if candidate.takes_any_column else present <= subjects < {f.name for f in wanted.fields}
    if is_idle:
        return None
    lacking = [field.name for field in headers.missing(wanted, columns)]
    lacking += [one.split("|")[0] for one in wanted.subject if "|" in one and not present & set(one.split("|"))]
    titles = {name: header.titles[column] if header.row else "A" for name, column in columns.items()}
    places = tuple(sorted(columns.values()))
    return Fit(candidate.kind, titles, places, tuple(lacking), header.layout, candidate.takes_any_column, others)


def choose(found: Sequence[Fit]) -> list[Fit]:
    """The kind that stands out among those that a file fits; several where it cannot be told, none where none fits.

    Of a foreign layout the first kind that it is for.
    """
    whole = [fit for fit in found if not fit.missing]
    for layout in dict.fromkeys(fit.layout for fit in whole):
        for kind in kinds_of(layout):
            if chosen := [fit for fit in whole if fit.kind == kind and fit.layout == layout]:
                return chosen
    return [fit for fit in whole if not any(other.stands_out_from(fit) for other in whole)]
