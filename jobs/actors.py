"""The actors: plain functions that a message wakes. Each is safe to run any number of times, in any order."""

from __future__ import annotations

import threading
from collections.abc import Callable

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker

from config.wiring import App
from jobs import pipeline, working
from jobs.broker import ADVANCE, QUEUE, WORK

log = structlog.get_logger("keymill.actors")


def bind(broker: RedisBroker, app: App, heartbeat: working.Heartbeat, ended: threading.Event) -> None:
    """Tie the actors to a broker, explicitly: never to the global one, which would be Redis on localhost.

    ``ended``: set when this process is told to stop.
    """

    def work(batch_id: int) -> None:
        working.work_on(app, heartbeat, ended)

    def advance(batch_id: int) -> None:
        pipeline.advance(app, batch_id)

    for name, function in ((WORK, work), (ADVANCE, advance)):
        dramatiq.actor(actor_name=name, queue_name=QUEUE, broker=broker)(_logged(function))


def _logged(function: Callable[[int], None]) -> Callable[[int], None]:
    """A failed message is only logged: what it was about stands in the database, and the sweep finds it there."""

    def actor(batch_id: int) -> None:
        try:
            function(batch_id)
        except Exception as error:
            log.warning("message failed", error=f"{type(error).__name__}: {error}"[:500])

    actor.__name__ = function.__name__
    return actor
