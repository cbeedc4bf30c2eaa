"""Whether the servers that work needs can be reached."""

from __future__ import annotations

import structlog

from config.wiring import App
from jobs import broker
from models import schema, workers
from models.database import is_outage
from storage.objects import StoreProblem

ALIVE_SECONDS = 30
log = structlog.get_logger("keymill.readiness")


def check(app: App) -> dict[str, bool]:
    """Which of ``database``, ``store`` and ``broker`` answer as they should. Asks all three; the reasons are logged."""
    return {
        "database": _database(app),
        "store": _store(app),
        "broker": broker.answers(app.settings.redis_url),
    }


def is_alive(app: App, role: str, host: str) -> bool:
    """Whether a process of a role on a machine has given a sign of life lately."""
    with app.engine.connect() as connection:
        return any(one[1] == host for one in workers.alive(connection, role, ALIVE_SECONDS))


def _database(app: App) -> bool:
    try:
        return schema.is_current(app.engine)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("database is away", error=str(error)[:500])
        return False


def _store(app: App) -> bool:
    try:
        app.store.exists("check/ready")
    except StoreProblem as problem:
        log.warning("store is away", error=problem.en)
        return False
    return True
