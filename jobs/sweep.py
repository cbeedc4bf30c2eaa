"""The sweep: every few seconds, whatever a dead process, a lost message or a restart left lying is picked up again."""

from __future__ import annotations

import redis
import structlog

from config.wiring import App
from jobs import broker, parking, pipeline
from models import batches, chunks, leases, workers
from models.database import transaction

log = structlog.get_logger("keymill.sweep")


def sweep(app: App) -> None:
    """Give expired leases back, park what failed too often, advance what stands still, call workers. Repeatable."""
    with transaction(app.engine) as connection:
        for batch_id, chunk_id, worker in leases.release_expired(connection):
            log.warning("lease expired", batch=batch_id, chunk=chunk_id, worker=worker)
        workers.forget(connection, older_than_seconds=3600)
    parking.park_used_up(app)
    with app.engine.connect() as connection:
        unfinished = batches.unfinished(connection)
    for batch_id in unfinished:
        pipeline.advance(app, batch_id)
    call_workers(app)


def call_workers(app: App) -> None:
    """Send as many calls as there are chunks waiting, less those that wait to be taken already."""
    with app.engine.connect() as connection:
        waiting = chunks.waiting(connection, app.settings.attempts)
    if not waiting:
        return
    try:
        called = broker.calls_waiting(app.settings.redis_url)
    except (redis.RedisError, OSError) as error:
        log.warning("redis is away", error=str(error))
        return
    if called < waiting:
        broker.wake(app.settings.redis_url, 0, waiting - called)
