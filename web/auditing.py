"""Whoever sees a license key stands in the audit log."""

from __future__ import annotations

from models import audit
from models.database import transaction
from web.callers import Caller


def saw_keys(caller: Caller, action: str, subject: str, **detail: object) -> None:
    """Write down that a caller is given keys, before they are given."""
    with transaction(caller.app.engine) as connection:
        audit.record(connection, caller.actor, action, subject, address=caller.address, **detail)
