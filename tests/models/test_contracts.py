"""What is asked of contracts at once for many lines."""

from __future__ import annotations

from sqlalchemy import Engine

from models import contracts
from models.database import run, transaction


def test_lines_that_anything_was_drawn_from_are_told_from_the_others(engine: Engine) -> None:
    """Whatever numbers the draw-downs themselves have."""
    with transaction(engine) as connection:
        run(
            connection,
            "INSERT INTO draw_downs (line_id, day, quantity, license_number, batch_id, ordinal)"
            " VALUES (7, '2026-01-01', 3, 'A', 0, 1), (9, '2026-01-01', 5, 'B', 0, 2),"
            " (9, '2026-01-02', -5, 'B', 0, 3)",
            {},
        )
        assert contracts.drawn_from(connection, [1, 2, 3, 7, 8, 9]) == {7, 9}
