"""How statements are stored."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import Engine

from licensing.contracts import Period
from models import quiet_periods, statements
from models.database import fetch, transaction
from models.quiet_periods import Asked, Terms
from models.statements import Figures, New

STARTS, ENDS = date(2026, 1, 1), date(2026, 1, 31)
LINES = 200
FIGURES = Figures(
    10, 0, Decimal(5), 5, STARTS, Decimal(0), Decimal(5), is_tolerated=False, owed=Decimal(0), owed_from=None,
    missing_days=0,
)  # fmt: skip


def test_open_statements_change_in_their_place(engine: Engine) -> None:
    """Night by night, decided one by one or together: next to no index entry is written until the period closes."""
    asked = [Asked(Terms(1, STARTS, 12, "month", "peak", 0), Period(STARTS, ENDS), date(2026, 1, 3), date(2026, 1, 2))]
    with transaction(engine) as connection:
        fresh = [New(None, line, STARTS, ENDS, "open", STARTS, FIGURES, 1) for line in range(LINES)]
        statements.write(connection, fresh, 1)
        ids = [row[0] for row in fetch(connection, "SELECT id FROM statements ORDER BY id", {})]
        later = [one._replace(replaces=number, until=date(2026, 1, 2)) for number, one in zip(ids, fresh, strict=True)]
        statements.write(connection, later, 2)
    with transaction(engine) as connection:
        made = [(line, 0, 10, 600, 400, 6, 3, number) for line, number in enumerate(ids)]
        quiet_periods.write(connection, made, asked, {1: 1}, 3)
        query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'statements'"
        ((changed, in_place),) = fetch(connection, query, {})
        assert in_place > 0.9 * changed > LINES
        assert fetch(connection, "SELECT DISTINCT batch_id, until, peak FROM statements", {}) == [
            (3, date(2026, 1, 3), 6)
        ]
