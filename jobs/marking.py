"""Marking what has expired, in steps of one transaction each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy import Connection

from jobs.job import Due
from models import audit

AT_ONCE = 10_000

Mark = Callable[[Connection, date, str, int], tuple[int, str]]


def mark_expired(due: Due, noun: str, mark: Mark) -> None:
    """Mark everything whose last day lies before the day (UTC) of the due time; each step leaves an audit entry."""
    after, before = "", None
    while after != before:
        before = after
        with due.step() as connection:
            count, after = mark(connection, due.at.date(), before, AT_ONCE)
            due.counts["expired"] += count
            if count:
                audit.record(connection, "keymill", f"{noun}.expired", f"schedule {due.run.schedule}", count=count)
