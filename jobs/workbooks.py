"""Workbooks that a person opens: the source itself with outcome columns, the rejected rows with their faults marked.

openpyxl makes them in a child process with limits. Where it cannot (a workbook that it does not open, too much memory)
there is no such file, and the reason why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection

from config import children
from config.wiring import App
from exporters.results import OUTCOME_TITLES, REASON_TITLE
from jobs.lines import outcome_of
from jobs.reading import source_name
from licensing.fields import Language
from licensing.outcomes import CODES
from models import rows
from models.batches import Batch
from models.rows import Answer

MOST_MARKED_ROWS = 50_000  # up to which the source workbook itself comes back, and faulty cells are marked
MARKABLE = ("xlsx", "xlsm")
REJECTED_CODES = [code.code for code in CODES.values() if code.outcome in ("rejected", "skipped")]

_ADDED = {
    "en": "The source workbook with the outcome columns added",
    "it": "Il file originale con le colonne di esito",
}
_LOST = {"en": "; lost: {}", "it": "; perso: {}"}


@dataclass(frozen=True, slots=True)
class Workbook:
    """What came of it: a file (None: there is none), how it was made or why not, and the ending that it needs."""

    path: Path | None
    how: str
    suffix: str = ".xlsx"


def gives_source_back(batch: Batch) -> bool:
    """Whether the source workbook itself comes back, with columns added."""
    return (batch.reading or {}).get("format") in MARKABLE and (batch.row_count or 0) <= MOST_MARKED_ROWS


def with_outcomes(app: App, connection: Connection, batch: Batch, folder: Path) -> Workbook:
    """The source workbook with the outcome of every row."""
    language: Language = batch.options["language"]
    answers = rows.answers(connection, batch.id, 1, batch.row_count or 0)
    lines = ((answer.sheet_row, outcome_of(answer, language)) for answer in answers)
    request = _request(app, batch, folder, "outcomes", lines, needs_source=True)
    return _made(app, request | {"first_column": batch.width, "titles": OUTCOME_TITLES[language]}, language)


def rejected(app: App, connection: Connection, batch: Batch, folder: Path) -> Workbook:
    """The rows that got nothing, their faulty cells filled and noted."""
    language: Language = batch.options["language"]
    reading = batch.reading or {}
    answers = rows.unsuccessful(connection, batch.id, REJECTED_CODES)
    lines = (_rejected_line(answer, language) for answer in answers)
    request = _request(app, batch, folder, "rejected", lines, needs_source=gives_source_back(batch))
    request |= {"width": batch.width, "reason_title": REASON_TITLE[language]}
    return _made(app, request | {"titles": reading["titles"] if reading["header_row"] else []}, language)


def _rejected_line(answer: Answer, language: Language) -> tuple[Any, ...]:
    faults = [(column, CODES[code].sentence(language, detail)) for column, _, code, detail in answer.faults or ()]
    sentence = CODES[answer.code].sentence(language, answer.detail or "")
    return answer.sheet_row, orjson.loads(answer.cells), sentence, faults


def _request(
    app: App, batch: Batch, folder: Path, task: str, lines: Iterable[Any], *, needs_source: bool
) -> dict[str, Any]:
    source, answers = folder / "source", folder / f"{task}.jsonl"
    if needs_source and not source.exists():
        app.store.fetch(source_name(batch.sha256), source)
    with answers.open("wb") as file:
        file.writelines(_json_lines(lines))
    reading = batch.reading or {}
    return {
        "task": task,
        "source": str(source) if needs_source else None,
        "target": str(folder / f"{task}.xlsx"),
        "answers": str(answers),
        "sheet": reading.get("sheet") or "Results",
        "header_row": reading["header_row"],
    }


def _json_lines(lines: Iterable[Any]) -> Iterator[bytes]:
    for line in lines:
        yield orjson.dumps(line) + b"\n"


def _made(app: App, request: dict[str, Any], language: Language) -> Workbook:
    """Let the child make it."""
    settings = app.settings
    try:
        told = children.run(
            "jobs.children.workbooks",
            request,
            memory_bytes=settings.workbook_memory_mb * 1_000_000,
            cpu_seconds=settings.workbook_cpu_seconds,
            wall_seconds=settings.workbook_cpu_seconds * 4,
            on_block=lambda _block: None,
        )
    except children.ChildDied as death:
        if death.how == "killed":
            raise  # from outside: the whole step is tried again
        return Workbook(None, death.it if language == "it" else death.en)
    if "refused" in told:
        return Workbook(None, told["refused"][language])
    lost = _LOST[language].format(", ".join(told["lost"])) if told["lost"] else ""
    how = _ADDED[language] + lost if request["task"] == "outcomes" else ""
    return Workbook(Path(request["target"]), how, told.get("suffix", ".xlsx"))
