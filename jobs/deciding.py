"""One slice of rows decided: cells to values, facts at once, answers row by row. Preview and run both use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection

from jobs.kind import Asked, Kind, Rules, Work
from licensing import cells as cell_forms
from licensing.cells import PackedCell
from licensing.decisions import Decision
from licensing.outcomes import CODES, GUESSES, Rejected
from licensing.parsing import trim
from licensing.values import Habits, RowReader
from models.accounts import Account
from models.batches import Batch
from models.database import copy_text
from models.rows import Row

SHOWN_CELLS = 5


def row_reader(kind: Kind, batch: Batch, account: Account) -> RowReader:
    """Reads the values of a batch's rows, by the columns that were found in its file."""
    assert batch.reading is not None
    habits = Habits(account.locale, date_1904=batch.reading.get("date_system") == "1904")
    return RowReader(kind.fields, batch.reading["columns"], batch.options.get("given", {}), habits)


@dataclass(slots=True)
class Answer:
    """A row's answer, with the cells it came from: (column or None, field, code, detail) each."""

    ordinal: int
    decision: Decision
    faults: list[tuple[int | None, str, str, str]]


@dataclass(slots=True)
class Tally:
    """What came of the rows of a chunk so far; stored as the chunk's result."""

    rows: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    differs: int = 0
    warnings: dict[str, dict[str, Any]] = field(default_factory=dict)
    piece: dict[str, Any] | None = None

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> Tally:
        """The tally that earlier slices of a chunk left."""
        stored = stored or {}
        return cls(
            stored.get("rows", 0),
            Counter(stored.get("codes", {})),
            stored.get("unknown", 0),
            stored.get("differs", 0),
            stored.get("warnings", {}),
            stored.get("piece"),
        )

    def as_result(self) -> dict[str, Any]:
        """The form that is stored with the chunk."""
        return {
            "rows": self.rows,
            "codes": dict(self.codes),
            "unknown": self.unknown,
            "differs": self.differs,
            "warnings": self.warnings,
        } | ({"piece": self.piece} if self.piece else {})

    def rejections(self) -> Counter[str]:
        """The codes of rows that were refused, with their counts."""
        return Counter({code: n for code, n in self.codes.items() if CODES[code].outcome == "rejected"})

    def count(self, answers: Sequence[Answer]) -> None:
        """Count answered rows."""
        codes = Counter([answer.decision.code for answer in answers])
        self.rows += len(answers)
        self.codes += codes
        self.unknown += sum(codes[code] for code in GUESSES)

    def warn(self, code: str, detail: str, column: int | None, sheet_row: int) -> None:
        """Count a warning about a cell, and keep the first few addresses."""
        letters = "" if column is None else cell_forms.column_letters(column)
        seen = self.warnings.setdefault(f"{code} {letters}", {"code": code, "detail": detail, "count": 0, "cells": []})
        seen["count"] += 1
        if len(seen["cells"]) < SHOWN_CELLS:
            seen["cells"].append(f"{letters}{sheet_row}")


class Slice:
    """The rows of one transaction on their way through the rules of their kind."""

    def __init__(self, kind: Kind, work: Work, reader: RowReader, rows: Sequence[Row], tally: Tally) -> None:
        self.kind, self.work, self.reader, self.tally = kind, work, reader, tally
        self.cells: list[list[PackedCell]] = orjson.loads(f"[{','.join([row.cells for row in rows])}]")
        self.asked: list[Asked] = []
        self.others = _other_columns(batch=work.batch, reader=reader) if kind.takes_any_column else {}
        self.refused: dict[int, Answer] = {}
        for row, cells, read in zip(rows, self.cells, reader.read_rows(self.cells), strict=True):
            values, rejections, warnings = read
            for warning in warnings:
                tally.warn(warning.code, warning.detail, self._column(warning.field), row.sheet_row)
            if rejections:
                self.refused[row.ordinal] = self._refusal(row.ordinal, rejections)
            else:
                self.asked.append(Asked(row.ordinal, values, others=self._others_of(cells)))

    def _others_of(self, cells: Sequence[PackedCell]) -> Sequence[tuple[str, PackedCell]]:
        if not self.others:
            return ()
        return [(title, cells[column] if column < len(cells) else None) for column, title in self.others.items()]

    def _column(self, name: str | None) -> int | None:
        if name in self.reader.columns:
            return self.reader.columns[name]
        return next((column for column, title in self.others.items() if title == name), None)

    def _refusal(self, ordinal: int, rejections: Sequence[Rejected]) -> Answer:
        first = rejections[0]
        faults = [(self._column(r.field), r.field or "", r.code, r.detail) for r in rejections]
        return Answer(ordinal, Decision(first.code, first.detail, first.field), faults)

    def load(self, connection: Connection, before: Rules | None = None) -> Rules:
        """The facts that these rows need."""
        return self.kind.load(connection, self.work, [row.values for row in self.asked], before)

    def decide(self, rules: Rules) -> None:
        """Decide every readable row, in file order."""
        decide = rules.decide
        for row in self.asked:
            row.decision = decide(row)

    def answers(self) -> list[Answer]:
        """The answers in file order, counted."""
        found = [self._answer(row) for row in self.asked]
        if self.refused:
            found = sorted([*found, *self.refused.values()], key=lambda answer: answer.ordinal)
        self.tally.count(found)
        return found

    def _answer(self, row: Asked) -> Answer:
        decision = row.decision
        if decision.field is None:
            return Answer(row.ordinal, decision, [])
        fault = (self._column(decision.field), decision.field, decision.code, decision.detail)
        return Answer(row.ordinal, decision, [fault])


def _other_columns(batch: Batch, reader: RowReader) -> dict[int, str]:
    """The titles of the columns that the kind does not know, by their places; "" where a column has none."""
    titles = (batch.reading or {})["titles"]
    known = set(reader.columns.values())
    return {
        column: trim(titles[column] or "") if column < len(titles) else ""
        for column in range(batch.width)
        if column not in known
    }


def outcome_lines(batch_id: int, answers: Iterable[Answer], *, preview: bool = False) -> Iterable[str]:
    """COPY lines of outcomes (or, without license and order, of a preview's answers)."""
    prefix = f"{batch_id}\t"
    for answer in answers:
        decision = answer.decision
        detail = copy_text(decision.detail) if decision.detail else "\\N"
        faults = copy_text(orjson.dumps(answer.faults).decode()) if answer.faults else "\\N"
        line = f"{prefix}{answer.ordinal}\t{decision.code}\t{detail}\t{faults}"
        if preview:
            yield line + "\n"
        else:
            number = decision.license_number or "\\N"
            order = "\\N" if decision.order_id is None else decision.order_id
            yield f"{line}\t{number}\t{order}\n"
