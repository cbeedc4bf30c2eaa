"""What an account finds in its outbox and archive: results, summaries and reasons of what it sent by SFTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from config.wiring import App
from jobs import status
from jobs.reading import source_name
from licensing.fields import Language
from licensing.parsing import printable
from models import batches, drop_boxes
from models.batches import Batch
from storage.sftp.door import Folder, Offered

_AT_REST = ("previewed", *batches.FINAL)
_NAME_CHARACTERS = 120


def folders(connection: Connection, account_id: int, days: int) -> list[Folder]:
    """The folders of the batches that wait for a confirmation or have ended."""
    found = [batch for batch in drop_boxes.sent(connection, account_id, days) if batch.state in _AT_REST]
    gone = drop_boxes.hidden(connection, [batch.id for batch in found])
    return [Folder(_name(batch), _seconds(batch)) for batch in found if set(_names(batch)) - _hidden(gone, batch)]


def files(app: App, account_id: int, folder: str, language: Language) -> list[Offered]:
    """The files of one folder; none when there is no such folder."""
    with app.engine.connect() as connection:
        batch = _batch_of(connection, account_id, app.settings.sftp_days, folder)
        if batch is None or batch.state not in _AT_REST:
            return []
        gone = _hidden(drop_boxes.hidden(connection, [batch.id]), batch)
    if batch.results is None:
        name, text = _names(batch)[0], _summary(app, batch, language)
        made = _text(name, text, _seconds(batch))
        return [] if name in gone else [made]
    return [
        Offered(file["file"], file["size"], _seconds(batch), file["sha256"], partial(app.store.get, file["name"]))
        for file in batch.results["files"]
        if file["file"] not in gone
    ]


def archive(app: App, account_id: int, name: str | None) -> list[Offered]:
    """The files that an account sent, as they came; or the one of a name."""
    days = app.settings.sftp_days
    with app.engine.connect() as connection:
        if name is None:
            found = drop_boxes.sent(connection, account_id, days)
        else:
            found = [batch] if (batch := _batch_of(connection, account_id, days, name)) else []
    return [
        Offered(
            _name(batch),
            batch.size,
            int(batch.created_at.timestamp()),
            batch.sha256,
            partial(app.store.get, source_name(batch.sha256)),
        )
        for batch in found
    ]


def hide(connection: Connection, account_id: int, days: int, folder: str, names: list[str]) -> None:
    """Take files of a folder out of the account's sight."""
    batch = _batch_of(connection, account_id, days, folder)
    if batch is not None:
        drop_boxes.hide(connection, batch.id, names)


def _batch_of(connection: Connection, account_id: int, days: int, name: str) -> Batch | None:
    """The batch of an account whose folder or archived file has this name."""
    number = name.partition("-")[0]
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        return None
    found = drop_boxes.sent(connection, account_id, days, int(number))
    return found[0] if found and _name(found[0]) == name else None


def _name(batch: Batch) -> str:
    kept = "".join(char if char.isprintable() and char not in "/\\" else "_" for char in batch.filename)
    stem, dot, suffix = kept.rpartition(".")
    return f"{batch.id}-{stem[: _NAME_CHARACTERS // 2]}{dot}{suffix[: _NAME_CHARACTERS // 2]}"


def _names(batch: Batch) -> list[str]:
    if batch.results is not None:
        return [file["file"] for file in batch.results["files"]]
    return ["preview.txt" if batch.state == "previewed" else "reason.txt"]


def _hidden(gone: set[tuple[int, str]], batch: Batch) -> set[str]:
    return {file for batch_id, file in gone if batch_id == batch.id}


def _seconds(batch: Batch) -> int:
    at: datetime = batch.finished_at or batch.created_at
    return int(at.timestamp())


def _text(name: str, text: str, mtime: int) -> Offered:
    content = text.encode()

    def blocks() -> Iterator[bytes]:
        yield content

    return Offered(name, len(content), mtime, hashlib.sha256(content).hexdigest(), blocks)


def _summary(app: App, batch: Batch, language: Language) -> str:
    """What a preview found, or why a batch has no results, for a person."""
    report = status.of_batch(app, batch.id, language)
    lines = [f"{report['kind']}, {printable(report['file'])}", ""]
    if batch.state == "previewed":
        lines += [_WAITS[language].format(batch.id), "", *_counts(report), "", *_problems(report)]
    else:
        reason = report["reason"]
        lines.append(reason["sentence"] if reason else _CANCELLED[language])
    return "\n".join(lines).rstrip() + "\n"


_WAITS: dict[Language, str] = {
    "en": "Batch {} was previewed and waits for confirmation; nothing has been done yet. The rows would get:",
    "it": "L'anteprima del lotto {} è pronta e attende conferma; nulla è stato ancora fatto. Le righe avrebbero:",
}
_CANCELLED: dict[Language, str] = {
    "en": "The batch was cancelled before it was read.",
    "it": "Il lotto è stato annullato prima di essere letto.",
}


def _counts(report: dict[str, Any]) -> list[str]:
    return [f"{count:>10,}  {outcome}" for outcome, count in report["preview"]["outcomes"].items() if count]


def _problems(report: dict[str, Any]) -> list[str]:
    return [f"{one['count']:>10,}  {', '.join(one['cells'])}: {one['sentence']}" for one in report["problems"]]
