"""How a batch stands, for people and programs: progress, counts by outcome, problems with their cells, results."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection

from config.wiring import App
from jobs import control
from jobs.deciding import SHOWN_CELLS
from jobs.kinds.registry import KINDS
from licensing.cells import column_letters
from licensing.fields import Language
from licensing.outcomes import CODES, OUTCOMES
from licensing.values import ROW_WARNINGS
from models import accounts, batches, chunks, rows
from models.batches import Batch
from models.chunks import Stage
from models.database import transaction

DECIDING: tuple[Stage, ...] = ("run", "contested", "closing")


def of_batch(app: App, batch_id: int, language: Language = "en") -> dict[str, Any]:
    """Everything about a batch as JSON-able values. Raises ``Refused`` for an unknown one."""
    with transaction(app.engine) as connection:
        batch = control.find(connection, batch_id)
        account = accounts.by_id(connection, batch.account_id)
        report = summary(connection, batch) | {"account": account.number, "language": language}
        previewed = batch.confirmed_at is None and batch.cancelled_at is None
        report["reason"] = reason_of(batch, language)
        report["options"] = batch.options
        report["reading"] = _reading(batch, language)
        report["problems"] = _problems(connection, batch, language, "previews" if previewed else "outcomes")
        report["warnings"] = _warnings(connection, batch, language)
        report["parked"] = [
            {"stage": stage, "chunk": number, "rows": [first, last], "reason": reason}
            for stage, number, first, last, reason in chunks.parked(connection, batch.id)
        ]
        report["preview"] = by_outcome(chunks.codes_of(connection, batch.id, ("preview",)))
        report["differs_from_preview"] = chunks.total(connection, batch.id, "differs")
        report["stage_seconds"] = chunks.stage_seconds(connection, batch.id)
        report["results"] = None if batch.is_emptied else batch.results
        report["content"] = batch.content
    return report


def latest(
    app: App,
    account_number: str | None,
    limit: int,
    *,
    before: int | None = None,
    kind: str | None = None,
    state: str | None = None,
) -> list[dict[str, Any]]:
    """The newest batches in a line each, of one account or of all. Raises ``Refused`` for an unknown account."""
    with transaction(app.engine) as connection:
        account = None if account_number is None else control.find_account(connection, account_number)
        account_id = account.id if account else None
        found = batches.latest(connection, account_id=account_id, limit=limit, before=before, kind=kind, state=state)
        numbers = {batch.account_id: accounts.by_id(connection, batch.account_id).number for batch in found}
        return [summary(connection, batch) | {"account": numbers[batch.account_id]} for batch in found]


def line_of(app: App, batch_id: int) -> dict[str, Any]:
    """A batch in a line. Raises ``Refused`` for an unknown one."""
    with transaction(app.engine) as connection:
        batch = control.find(connection, batch_id)
        return summary(connection, batch) | {"account": accounts.by_id(connection, batch.account_id).number}


def summary(connection: Connection, batch: Batch) -> dict[str, Any]:
    """A batch in a line: what it is, where it stands, and how many rows got what."""
    codes = chunks.codes_of(connection, batch.id, DECIDING)
    return {
        "batch": batch.id,
        "kind": batch.kind,
        "state": batch.state,
        "file": batch.filename,
        "sha256": batch.sha256,
        "size": batch.size,
        "rows": batch.row_count,
        "received": batch.created_at.isoformat(),
        "finished": batch.finished_at.isoformat() if batch.finished_at else None,
        "progress": progress(connection, batch),
        "codes": codes,
        "outcomes": by_outcome(codes)["outcomes"],
    }


def progress(connection: Connection, batch: Batch) -> dict[str, Any]:
    """The stage that is at work, and how many of its rows are through."""
    stage = _stage(batch)
    done = chunks.progress(connection, batch.id, _STAGES_OF[stage]) if stage in _STAGES_OF else 0
    return {"stage": stage, "done": done, "of": batch.row_count}


_STAGES_OF: dict[str, tuple[Stage, ...]] = {"previewing": ("preview",), "running": DECIDING, "exporting": ("render",)}


def _stage(batch: Batch) -> str:
    if batch.state == "previewed" and (batch.confirmed_at or batch.cancelled_at):
        return "waiting"
    if batch.state == "reading" and batch.row_count is not None:
        return "previewing" if batch.was_previewed else "waiting"
    return batch.state


def by_outcome(codes: dict[str, int]) -> dict[str, Any]:
    """Counts by code, with what they come to by outcome."""
    outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    for code, count in codes.items():
        outcomes[CODES[code].outcome] += count
    return {"codes": codes, "outcomes": dict(outcomes)}


def reason_of(batch: Batch, language: Language) -> dict[str, str] | None:
    """Why a batch failed or was stopped: code and sentence; None for any other."""
    if batch.reason is None:
        return None
    code = batch.reason.get("code", "")
    if language in batch.reason:
        return {"code": code, "sentence": batch.reason[language]}
    if code in CODES:
        return {"code": code, "sentence": CODES[code].sentence(language)}
    failed = {"en": "A step failed three times and was set aside: ", "it": "Un passo è fallito tre volte: "}
    return {"code": code, "sentence": failed[language] + batch.reason.get("detail", "")}


def _reading(batch: Batch, language: Language) -> dict[str, Any] | None:
    if batch.reading is None:
        return None
    found = dict(batch.reading)
    found["warnings"] = [
        {"code": w["code"], "sentence": w[language], "count": w["count"], "cells": w["cells"]}
        for w in found.get("warnings", ())
    ]
    kind = KINDS[batch.kind]
    known = {field.name: field for field in kind.fields}
    found["matched"] = {
        name: {"column": column_letters(index), "title": known[name].title[language]}
        for name, index in sorted(found["columns"].items(), key=lambda item: int(item[1]))
    }
    return found


def _problems(connection: Connection, batch: Batch, language: Language, table: str) -> list[dict[str, Any]]:
    """What rows were refused for, grouped by cause and column, most frequent first, with the first few cells."""
    codes = [code.code for code in CODES.values() if code.outcome == "rejected"]
    return [
        {
            "code": code,
            "sentence": CODES[code].sentence(language, detail or ""),
            "column": None if column is None else column_letters(column),
            "count": count,
            "cells": [f"{'' if column is None else column_letters(column)}{sheet_row}" for sheet_row in sheet_rows],
        }
        for code, column, count, sheet_rows, detail in rows.problems(connection, batch.id, table, codes, SHOWN_CELLS)
    ]


def _warnings(connection: Connection, batch: Batch, language: Language) -> list[dict[str, Any]]:
    """What was noticed about cells without refusing them, merged over the chunks of the latest pass."""
    merged: dict[str, dict[str, Any]] = {}
    for stages in (DECIDING, ("preview",)):
        for warnings in chunks.warnings_of(connection, batch.id, stages):
            for key, warning in warnings.items():
                known = merged.setdefault(key, warning | {"count": 0, "cells": []})
                known["count"] += warning["count"]
                known["cells"] = (known["cells"] + warning["cells"])[:SHOWN_CELLS]
        if merged:
            break
    return [
        {
            "code": w["code"],
            "sentence": ROW_WARNINGS[w["code"]][language].replace("{detail}", w["detail"]),
            "count": w["count"],
            "cells": w["cells"],
        }
        for w in merged.values()
    ]
