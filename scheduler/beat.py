"""The scheduler process: every few seconds the sweep, and schedules when they are due.

Any number of them may run; each one alone is enough.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading

import structlog

from config.wiring import App
from jobs.sweep import sweep
from jobs.working import Heartbeat
from models import workers
from scheduler.running import Clockwork

log = structlog.get_logger("keymill.scheduler")


def serve(app: App, ended: threading.Event) -> None:
    """Sweep and run schedules until ``ended`` is set. A sweep that fails (the database is away) is tried again."""
    host, pid = socket.gethostname(), os.getpid()
    heartbeat = Heartbeat(app, f"{host}:{pid}:{secrets.token_hex(3)}", "scheduler", host, pid)
    clockwork = threading.Thread(target=Clockwork(app, heartbeat.name, ended).serve, name="schedules")
    heartbeat.start()
    clockwork.start()
    log.info("scheduler started", scheduler=heartbeat.name)
    was_away = False
    while not ended.is_set():
        try:
            if was_away:
                _let_the_living_go_first(app, ended)
                was_away = False
            sweep(app)
        except Exception as error:
            log.warning("sweep failed", error=f"{type(error).__name__}: {error}"[:500])
            was_away = True
        ended.wait(app.settings.sweep_seconds)
    clockwork.join()
    heartbeat.stop()


def _let_the_living_go_first(app: App, ended: threading.Event) -> None:
    """Once the database is back, wait two heartbeats: leases ran out because nobody could renew them."""
    with app.engine.connect() as connection:
        workers.alive(connection, "worker", app.settings.lease_seconds)
    ended.wait(2 * app.settings.heartbeat_seconds)
