"""Sends the files of a run, one after the other, through outages too: the same request key until there is an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from config.wiring import App
from jobs import control, intake
from jobs.refusals import Refused
from models import batches
from models.database import fetch, is_outage
from tests.crash.files import Upload

MOST_AT_ONCE = 5  # unfinished batches
LOOK_SECONDS = 0.1
FINAL: tuple[str, ...] = batches.FINAL


class Sender(threading.Thread):
    """Sends and confirms in the order of the plan. ``allowed`` says how many files may be sent by now."""

    def __init__(self, app: App, uploads: list[Upload], folder: Path, allowed: Callable[[], int]) -> None:
        super().__init__(name="sender", daemon=True)
        self._app, self.uploads, self._folder, self._allowed = app, uploads, folder, allowed
        self._confirmed: set[int] = set()
        self.batches: dict[int, int] = {}  # batch id by the number of its file
        self.rows: dict[int, list[tuple[str, ...]]] = {}  # as they were sent
        self.states: dict[int, str] = {}
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self.stopped = threading.Event()
        self.first_done = threading.Event()

    @property
    def unfinished(self) -> int:
        """How many batches are under way."""
        return sum(state not in FINAL for state in self.states.values())

    def run(self) -> None:
        """Go on until every batch is final."""
        try:
            while not self.stopped.is_set() and not self._step():
                time.sleep(LOOK_SECONDS)
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()

    def states_now(self) -> dict[str, list[int]]:
        """The batches that are under way, by state."""
        found: dict[str, list[int]] = {}
        for number, state in self.states.items():
            if state not in FINAL:
                found.setdefault(state, []).append(self.batches[number])
        return found

    def _step(self) -> bool:
        try:
            self._look()
            self._confirm()
            sent = len(self.batches)
            if sent == len(self.uploads):
                return self.unfinished == 0
            if sent < self._allowed() and self.unfinished < MOST_AT_ONCE and self._may_go(self.uploads[sent]):
                self._send(self.uploads[sent])
        except Refused as refusal:
            if refusal.code != "store_unavailable":
                raise
        except Exception as error:
            if not is_outage(error):
                raise
        return False

    def _may_go(self, upload: Upload) -> bool:
        """Nobody goes before number 0 is done: all files count on what it redeemed."""
        awaited = {0, upload.after or 0} - {upload.number}
        return all(self.states[number] in FINAL for number in awaited)

    def _send(self, upload: Upload) -> None:
        path = self._folder / upload.name
        if upload.number not in self.rows:  # once: a workbook that is written again has other bytes
            rows = upload.named(self._answered(upload.names))
            upload.write(path, rows)
            self.rows[upload.number] = rows
        request = intake.Request(
            upload.account,
            upload.kind,
            path,
            upload.name,
            request_key=upload.name,
            confirm=upload.confirm,  # type: ignore[arg-type]
            on_error=upload.on_error,  # type: ignore[arg-type]
        )
        self.batches[upload.number] = intake.accept(self._app, request).batch_id
        self.states[upload.number] = "received"

    def _answered(self, number: int | None) -> list[str | None]:
        """The licenses that the rows of a file were answered with."""
        if number is None:
            return []
        query = "SELECT license_number FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
        with self._app.engine.connect() as connection:
            return [row[0] for row in fetch(connection, query, {"b": self.batches[number]})]

    def _look(self) -> None:
        numbers = {batch_id: number for number, batch_id in self.batches.items()}
        with self._app.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT id, state FROM batches")
            self.states |= {numbers[batch_id]: state for batch_id, state in found if batch_id in numbers}
        if self.states.get(0) in FINAL:
            self.first_done.set()

    def _confirm(self) -> None:
        for number, state in self.states.items():
            upload = self.uploads[number]
            waits = state == "previewed" and upload.confirm == "ask" and number not in self._confirmed
            if waits and (upload.behind is None or upload.behind in self._confirmed):
                control.confirm(self._app, self.batches[number], actor="crash run")
                self._confirmed.add(number)
