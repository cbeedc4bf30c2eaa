"""Waiting for a batch: somebody works on it meanwhile, a progress bar shows how far it is, and its report is told."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from cli import progress, serving
from cli.output import INTERRUPTED, Output

if TYPE_CHECKING:
    from config.wiring import App

BEATS = 3  # a worker that missed so many heartbeats does not count


def wait_for(app: App, batch_id: int, output: Output, *, stop_at_preview: bool = False) -> dict[str, Any]:
    """The report of a batch that has ended (or was previewed, where it then waits for a person)."""
    try:
        with Workforce(app, output) as workforce:
            return progress.follow(app, batch_id, output, stop_at_preview=stop_at_preview, meanwhile=workforce.look)
    except SystemExit as ending:
        if ending.code == INTERRUPTED:
            see = f"keymill show {batch_id}"
            output.say(
                f"Batch {batch_id} is recorded and goes on when a worker runs. See: {see}",
                f"Il lotto {batch_id} è registrato e prosegue quando un worker è attivo. Vedere: {see}",
            )
        raise


class Workforce:
    """Sees to it that somebody works: those that are alive or, on an embedded stack, some started for this command."""

    def __init__(self, app: App, output: Output) -> None:
        from config import settings

        self._app, self._output = app, output
        self._is_embedded = settings.load().is_embedded
        self._own = ExitStack()
        self._told = False

    def __enter__(self) -> Workforce:
        """Look for the first time."""
        self.look()
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started."""
        self._own.close()

    def look(self) -> None:
        """Look again whether anybody is there: whoever was may have gone since."""
        if self._told or self._somebody_works():
            return
        self._told = True
        if not self._is_embedded:
            self._output.say(
                "No worker is running: start one with: keymill worker",
                "Nessun worker attivo: avviarne uno con: keymill worker",
            )
            return
        count = self._app.settings.workers
        self._output.say(
            f"No worker is running; {count} are started for this command.",
            f"Nessun worker attivo; {count} vengono avviati per questo comando.",
        )
        self._own.enter_context(serving.processes(self._app, count))

    def _somebody_works(self) -> bool:
        from models import workers

        with self._app.engine.connect() as connection:
            found = workers.alive(connection, "worker", BEATS * self._app.settings.heartbeat_seconds)
        # Embedded servers have all their workers on this machine, where a killed one is known at once.
        return any(not self._is_embedded or _lives(pid) for _name, _host, pid, *_ in found)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
