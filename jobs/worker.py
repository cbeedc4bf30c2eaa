"""A worker process: one dramatiq worker with one thread, a heartbeat beside it. One process a core."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import sys
import threading

import structlog

# Read by dramatiq when it is imported: a second message fetched early would wait behind the first one's chunk.
os.environ.setdefault("dramatiq_queue_prefetch", "1")

import dramatiq

from config.wiring import App
from jobs import actors, broker, reports
from jobs.working import Heartbeat

log = structlog.get_logger("keymill.worker")
IDLE_POLL_MS = 100
# A thread that makes a report waits so long for its turn each time that PostgreSQL has answered it.
_SWITCH_SECONDS = 0.0005
LOOK_SECONDS = 1.0  # how often it looks whether it was told to stop


def serve(app: App, ended: threading.Event) -> None:
    """Work off chunks until ``ended`` is set; the chunk in hand is finished first."""
    host, pid = socket.gethostname(), os.getpid()
    heartbeat = Heartbeat(app, f"{host}:{pid}:{secrets.token_hex(3)}", "worker", host, pid)
    connected = broker.connect(app.settings.redis_url)
    actors.bind(connected, app, heartbeat, ended)
    worker = dramatiq.Worker(connected, worker_threads=1, worker_timeout=IDLE_POLL_MS)
    heartbeat.start()
    worker.start()
    threading.Thread(target=reports.get_ready, args=(app,), daemon=True).start()
    sys.setswitchinterval(_SWITCH_SECONDS)
    _search_for_cycles_seldom()
    for warning in broker.warnings(app.settings.redis_url):
        log.warning(warning)
    log.info("worker started", worker=heartbeat.name)
    while not ended.wait(LOOK_SECONDS):
        pass  # a signal that another thread takes does not wake this one
    log.info("worker ends after the chunk in hand")
    worker.stop(timeout=int(app.settings.stop_seconds * 1000))
    heartbeat.stop()


def _search_for_cycles_seldom() -> None:
    """A chunk makes a hundred thousand objects and no reference cycle among them: looking for one again and again would
    cost a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)
