"""Waiting for a batch: a progress bar for each stage, with rate and remaining time, on standard error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cli.output import Output

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


def follow(app: App, batch_id: int, output: Output, *, stop_at_preview: bool) -> dict[str, Any]:
    """Wait until a batch has ended (or was previewed, where it then waits); its report."""
    from jobs import control, status

    ends = {"done", "failed", "cancelled"} | ({"previewed"} if stop_at_preview else set())
    with _bars(output) as bars:
        shown = _Shown(bars, output)
        while True:
            with app.engine.connect() as connection:
                batch = control.find(connection, batch_id)
                progress = status.progress(connection, batch)
            if batch.state in ends:
                shown.close()
                break
            shown.update(progress)
            time.sleep(POLL_SECONDS)
    return status.of_batch(app, batch_id, output.language)


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
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Rows a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="cyan")

    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        disable=output.as_json,
    )


OUTCOME_WORDS: dict[str, tuple[str, str, str]] = {
    "issued": ("issued", "emesse", "green"),
    "unchanged": ("unchanged", "invariate", "blue"),
    "accepted": ("accepted", "accettate", "green"),
    "rejected": ("rejected", "respinte", "red"),
    "skipped": ("skipped", "saltate", "yellow"),
}


def outcome_table(counts: dict[str, int], codes: dict[str, int], output: Output) -> None:
    """How many rows got what, by outcome and code."""
    if output.as_json:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from licensing.outcomes import CODES

    table = Table(box=None, padding=(0, 2))
    for title, side in ((output.pick("Outcome", "Esito"), "left"), (output.pick("Rows", "Righe"), "right")):
        table.add_column(title, justify=side)  # type: ignore[arg-type]
    table.add_column(output.pick("Code", "Codice"))
    table.add_column(output.pick("Of these", "Di cui"), justify="right")
    for outcome, (en, it, colour) in OUTCOME_WORDS.items():
        if not counts.get(outcome):
            continue
        first = (Text(output.pick(en, it), style=colour), Text(f"{counts[outcome]:,}", style=colour))
        for code, count in sorted(codes.items(), key=lambda item: -item[1]):
            if CODES[code].outcome == outcome:
                table.add_row(*first, code, f"{count:,}")
                first = (Text(), Text())
    Console().print(table)


def problem_table(problems: list[dict[str, Any]], output: Output) -> None:
    """What rows were refused for, or warned about, with the first few cells."""
    if output.as_json or not problems:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2))
    for title in (output.pick("Rows", "Righe"), output.pick("Cells", "Celle"), output.pick("What", "Che cosa")):
        table.add_column(title)
    for problem in problems:
        more = " …" if problem["count"] > len(problem["cells"]) else ""
        cells = ", ".join(map(str, problem["cells"])) + more
        table.add_row(f"{problem['count']:,}", Text(cells), Text(problem["sentence"]))
    Console().print(table)
