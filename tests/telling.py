"""Steps that tests of events and deliveries share."""

from __future__ import annotations

from typing import Any

from config.wiring import App
from jobs import delivering
from models import outbox
from models.database import fetch, run, transaction


def with_settings(app: App, **settings: Any) -> App:
    """The app with other settings."""
    return App(app.settings.model_copy(update=settings), app.engine, app.store, app.kek)


def told(app: App, type_: str) -> list[tuple[str, dict[str, Any]]]:
    """Who was told of events of a type, oldest first: account number and data."""
    query = (
        "SELECT a.number, e.data FROM events e JOIN accounts a ON a.id = e.account_id WHERE e.type = %(type)s"
        " ORDER BY e.id"
    )
    with app.engine.connect() as connection:
        return [(number, data) for number, data in fetch(connection, query, {"type": type_})]


def receivers(app: App) -> list[tuple[str, str, str | None]]:
    """Every delivery, oldest first: type of the event, where to, and in which language."""
    with app.engine.connect() as connection:
        query = (
            "SELECT e.type, coalesce(w.url, d.address), d.language FROM deliveries d JOIN events e ON e.id = d.event_id"
            " LEFT JOIN webhook_endpoints w ON w.id = d.endpoint_id ORDER BY e.id, 2"
        )
        return [(row[0], row[1], row[2]) for row in fetch(connection, query, {})]


def deliver_all(app: App) -> int:
    """Try everything that is due now: how many attempts that were."""
    count = 0
    while delivering.deliver_next(app):
        count += 1
    return count


def let_time_pass(app: App) -> None:
    """Waits and leases of deliveries are over."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE deliveries SET next_at = now() WHERE state = 'waiting'", {})
        run(connection, "UPDATE deliveries SET lease_until = now() WHERE lease_until IS NOT NULL", {})


def deliveries(app: App) -> list[dict[str, Any]]:
    """The delivery log, oldest first."""
    with app.engine.connect() as connection:
        return outbox.log(connection, account_id=None, endpoint_id=None, state=None, limit=1000)[::-1]


def add_event(app: App, account: str, subject: str, type_: outbox.EventType = "batch.ended") -> None:
    """Tell an account something, by webhooks and mails."""
    data = {
        "batch": 1, "kind": "redeem-vouchers", "file": "list.csv", "state": "done", "rows": 2, "reason": None,
        "codes": {"issued": 2}, "links": {"page": "http://localhost:8000/batches/1"},
        "outcomes": {"issued": 2, "unchanged": 0, "accepted": 0, "rejected": 0, "skipped": 0},
    }  # fmt: skip
    with transaction(app.engine) as connection:
        account_id = fetch(connection, "SELECT id FROM accounts WHERE number = %(n)s", {"n": account})[0][0]
        outbox.add(connection, account_id, type_, subject, data, mails=True)
