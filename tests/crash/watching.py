"""Readers that look at the books while batches run and processes die: they must be right at every moment."""

from __future__ import annotations

import threading
import time
from typing import Any

from sqlalchemy import Engine

from models import vouchers
from models.database import fetch, is_outage
from tests.crash import pools

PAUSE_SECONDS = 0.25

# What one reader sees in one snapshot: nothing that is ever half done.
BALANCE = f"""
SELECT (SELECT count(*) FROM vouchers WHERE order_id IS NULL) AS stock,
       (SELECT count(*) FROM vouchers WHERE order_id IS NOT NULL) AS coded,
       (SELECT coalesce(sum(minted), 0) FROM mint_orders) AS ordered,
       (SELECT count(*) FROM licenses WHERE voucher_id IS NOT NULL) AS licenses,
       (SELECT count(*) FROM outcomes o JOIN batches b ON b.id = o.batch_id
        WHERE o.code = 'issued' AND b.kind = 'redeem-vouchers') AS issued,
       (SELECT count(*) FROM (SELECT FROM serials s LEFT JOIN licenses l ON l.serial_id = s.id AND l.state = 'active'
        GROUP BY s.id HAVING s.remaining + coalesce(sum(l.quantity), 0) <> s.quantity) uneven) AS uneven,
       (SELECT count(*) FROM ({pools.OVERDRAWN}) pools) AS overdrawn,
       (SELECT count(*) FROM ({pools.UNEVEN}) pools) AS unlicensed
"""
# What changes as long as work goes on; empty when there is none.
LIFE = """
SELECT count(*), max(fence), count(*) FILTER (WHERE state = 'done'), sum(position) FROM chunks
HAVING count(*) FILTER (WHERE state IN ('waiting', 'leased')) > 0
"""


class Watcher(threading.Thread):
    """One reader with a connection of its own."""

    def __init__(self, engine: Engine, stock: int, patience: float) -> None:
        super().__init__(name="watcher", daemon=True)
        self._engine, self._stock, self._patience = engine, stock, patience
        self._life: tuple[list[Any], float] = ([], 0.0)
        self.longest_pause = 0.0
        self._answers: dict[int, dict[int, str]] = {}  # code by ordinal by batch, as seen before
        self._closed: set[int] = set()
        self._most = {"redeemed": 0, "total": 0}
        self.looks = 0
        self.wrong: list[str] = []
        self.error: BaseException | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.stopped.wait(PAUSE_SECONDS):
            try:
                self.look()
            except Exception as error:
                if not is_outage(error):
                    self.error = error
                    return

    def look(self) -> None:
        """Read everything in one snapshot, then compare."""
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            sums = vouchers.sums(connection)
            (balance,) = fetch(connection, BALANCE, {})
            life = fetch(connection, LIFE, {})
            batches = fetch(connection, "SELECT id, state, coalesce(row_count, 0) FROM batches", {})
            answers = {
                batch_id: dict(
                    fetch(connection, "SELECT ordinal, code FROM outcomes WHERE batch_id = %(b)s", {"b": batch_id})
                )
                for batch_id, _, _ in batches
                if batch_id not in self._closed
            }
        self._check_life(life)
        self._check_sums(sums, *balance)
        for batch_id, state, rows in batches:
            if batch_id in answers:
                self._check_answers(batch_id, rows, answers[batch_id])
                if state in ("done", "failed", "cancelled"):
                    self._closed.add(batch_id)
        self.looks += 1

    def _check_life(self, life: list[Any]) -> None:
        """Work that waits must go on soon, whatever was killed."""
        before, since = self._life
        if not life or life != before:
            self._life = (life, time.monotonic())
            return
        pause = time.monotonic() - since
        self.longest_pause = max(self.longest_pause, round(pause, 1))
        if pause > self._patience:
            self._tell(f"nothing happened for {pause:.0f} seconds though there is work")

    def _check_sums(
        self,
        sums: dict[str, int],
        stock: int,
        coded: int,
        ordered: int,
        licenses: int,
        issued: int,
        uneven: int,
        overdrawn: int,
        unlicensed: int,
    ) -> None:
        if overdrawn:
            self._tell(f"{overdrawn} pools are overdrawn in spite of a hard stop")
        if unlicensed:
            self._tell(f"{unlicensed} pools of which more or less is drawn than their licenses are")
        if uneven:
            self._tell(f"{uneven} certificates of which issued and left are not what was bought")
        if stock != self._stock:
            self._tell(f"{self._stock} vouchers were loaded and {stock} are there")
        if coded != ordered:
            self._tell(f"the orders say {ordered} codes and {coded} are there")
        if sums["minted"] + sums["redeemed"] != self._stock + ordered:
            self._tell(f"minted {self._stock + ordered} is not redeemed {sums['redeemed']} + left {sums['minted']}")
        if not sums["redeemed"] == licenses == issued:
            self._tell(f"{sums['redeemed']} vouchers redeemed, {licenses} licenses, {issued} rows told of one")
        for name, most in self._most.items():
            if sums[name] < most:
                self._tell(f"{name} went back from {most} to {sums[name]}")
            self._most[name] = max(most, sums[name])

    def _check_answers(self, batch_id: int, rows: int, answers: dict[int, str]) -> None:
        if len(answers) > rows:
            self._tell(f"batch {batch_id}: {len(answers)} answers to {rows} rows")
        before: dict[int, Any] = self._answers.get(batch_id, {})
        changed = [ordinal for ordinal, code in before.items() if answers.get(ordinal) != code]
        if changed:
            self._tell(f"batch {batch_id}: the answers to {len(changed)} rows changed, the first to row {changed[0]}")
        self._answers[batch_id] = answers

    def _tell(self, what: str) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(what)
