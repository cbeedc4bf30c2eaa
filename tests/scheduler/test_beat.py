"""The scheduler process: it sweeps on, and gives the living time after an outage."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from config.wiring import App
from jobs import endpoints, working
from models import chunks, leases, workers
from models.database import scalar, transaction
from scheduler import beat
from tests.apps import account
from tests.receivers import Receiver
from tests.telling import add_event, with_settings

Submit = Callable[..., int]
LIST = "code;company\nABC-1234;Rossi\n"


def _serve(app: App) -> tuple[threading.Thread, threading.Event]:
    ended = threading.Event()
    thread = threading.Thread(target=beat.serve, args=(app, ended))
    thread.start()
    return thread, ended


def _until(app: App, query: str, value: object) -> None:
    for _ in range(600):
        with app.engine.connect() as connection:
            if scalar(connection, query) == value:
                return
        threading.Event().wait(0.05)
    raise AssertionError(f"never: {query} = {value}")


def test_an_expired_lease_is_given_back_and_the_process_signs_off(app: App, submit: Submit) -> None:
    """A chunk whose holder is gone waits again after a sweep; a scheduler that ends leaves no sign of life."""
    account(app, "OEM")
    submit(LIST, work=False)
    object.__setattr__(app, "settings", app.settings.model_copy(update={"sweep_seconds": 0.1}))
    thread, ended = _serve(app)
    try:
        _until(app, "SELECT count(*) FROM chunks WHERE state = 'waiting'", 1)
        with transaction(app.engine) as connection:
            assert leases.claim(connection, "dead", 0.2, attempts=3) is not None
        _until(app, "SELECT reason FROM chunks", "the worker dead went away in the middle of it")
    finally:
        ended.set()
        thread.join()
    with app.engine.connect() as connection:
        assert workers.alive(connection, "scheduler", 60) == []
        assert chunks.waiting(connection, 3) == 1


def test_after_an_outage_the_living_renew_their_leases_first(app: App, submit: Submit) -> None:
    """Leases that ran out while the database was away are kept by workers that are still there."""
    account(app, "OEM")
    submit(LIST, work=False)
    quick = {"sweep_seconds": 0.1, "heartbeat_seconds": 0.3, "lease_seconds": 30.0}
    object.__setattr__(app, "settings", app.settings.model_copy(update=quick))
    thread, ended = _serve(app)
    heartbeat = working.Heartbeat(app, "alive", "worker", "here", os.getpid())
    try:
        _until(app, "SELECT count(*) FROM chunks WHERE state = 'waiting'", 1)
        with transaction(app.engine) as connection:
            chunk = leases.claim(connection, "alive", 1, attempts=3)
            assert chunk is not None
            connection.exec_driver_sql("ALTER TABLE workers RENAME TO away")  # every sweep fails from here on
        threading.Event().wait(1.2)  # the lease runs out
        with transaction(app.engine) as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO workers")
        threading.Event().wait(0.25)  # more than a sweep, less than the time that the living get
        with heartbeat.keeping(chunk):
            heartbeat.start()
            threading.Event().wait(1.5)  # several sweeps
            with app.engine.connect() as connection:
                assert scalar(connection, "SELECT state FROM chunks") == "leased"
                assert scalar(connection, "SELECT attempts FROM chunks") == 1
    finally:
        ended.set()
        thread.join()
        heartbeat.stop()


def test_the_scheduler_delivers_beside_the_sweep(app: App, receiver: Receiver) -> None:
    """What waits in the outbox goes out, also while a sweep takes its time."""
    account(app, "OEM")
    app = with_settings(app, webhooks_private=True, sweep_seconds=600.0)
    endpoints.add(app, "OEM", receiver.url, None, actor="test")
    thread, ended = _serve(app)
    try:
        add_event(app, "OEM", "batch 1")
        _until(app, "SELECT state FROM deliveries", "delivered")
    finally:
        ended.set()
        thread.join()
    assert len(receiver.received) == 1
