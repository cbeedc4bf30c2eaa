"""Waiting for a batch: a progress bar for each stage, with rate and remaining time, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cli.output import Output, leave_if_told

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from config.wiring import App

STAGES: dict[str, tuple[str, str]] = {
    "received": ("Received", "Ricevuto"),
    "reading": ("Reading", "Lettura"),
    "previewing": ("Previewing", "Anteprima"),
    "waiting": ("Waiting", "In attesa"),
    "running": ("Running", "Esecuzione"),
    "exporting": ("Writing results", "Scrittura risultati"),
}
POLL_SECONDS = 0.1
SHORTEST_SECONDS = 0.3  # of a stage whose rate says anything
LOOK_SECONDS = 2.0  # how often ``meanwhile`` is called
OUTAGE_SECONDS = 60.0  # for how long a database that is away is waited for


def follow(
    app: App,
    batch_id: int,
    output: Output,
    *,
    stop_at_preview: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Wait until a batch has ended (or was previewed, where it then waits); its report."""
    from jobs import status

    ends = {"done", "failed", "cancelled"} | ({"previewed"} if stop_at_preview else set())
    looked = time.monotonic()
    with _bars(output) as bars:
        shown = _Shown(bars, output)
        for state, progress in _looks(app, batch_id):
            leave_if_told()
            if state in ends:
                shown.close()
                break
            shown.update(progress)
            if time.monotonic() - looked > LOOK_SECONDS:
                meanwhile()
                looked = time.monotonic()
            time.sleep(POLL_SECONDS)
    return status.of_batch(app, batch_id, output.language)


def _looks(app: App, batch_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """A batch's state and progress, again and again; a database that restarts meanwhile is waited for."""
    from jobs import control, status
    from models.database import is_outage

    answered = time.monotonic()
    while True:
        try:
            with app.engine.connect() as connection:
                batch = control.find(connection, batch_id)
                found = batch.state, status.progress(connection, batch)
        except Exception as problem:
            if not is_outage(problem) or time.monotonic() - answered > OUTAGE_SECONDS:
                raise
            time.sleep(POLL_SECONDS)
            continue
        answered = time.monotonic()
        yield found


class _Shown:
    """The bars on the screen: one a stage, the earlier ones full."""

    def __init__(self, bars: Progress, output: Output) -> None:
        self._bars, self._output = bars, output
        self._task: TaskID | None = None
        self._stage = ""

    def update(self, progress: dict[str, Any]) -> None:
        """Show how far the stage at work is."""
        stage = progress["stage"]
        if stage not in STAGES or stage == "received":
            return
        if stage != self._stage:
            self.close()
            total = progress["of"] if stage in ("previewing", "running") else None
            self._task, self._stage = self._bars.add_task(self._output.pick(*STAGES[stage]), total=total), stage
        assert self._task is not None
        self._bars.update(self._task, completed=progress["done"])

    def close(self) -> None:
        """Fill the bar of the stage that is over."""
        if self._task is not None:
            total = self._bars.tasks[self._task].total or 1
            self._bars.update(self._task, total=total, completed=total)
            self._task = None


def _bars(output: Output) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Count(ProgressColumn):
        """Rows done of all, in stages that count rows."""

        def render(self, task: Task) -> Text:
            counted = f"{task.completed:,.0f}/{task.total:,.0f}" if task.total and task.total > 1 else ""
            return Text(counted, style="green")

    class Rate(ProgressColumn):
        """Rows a second since the stage began."""

        def render(self, task: Task) -> Text:
            seconds = task.finished_time if task.finished else task.elapsed
            is_known = task.total not in (None, 1) and seconds and seconds >= SHORTEST_SECONDS
            return Text(f"{task.completed / seconds:,.0f}/s" if seconds and is_known else "", style="cyan")

    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=32),
        Count(),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        disable=output.as_json,
    )
