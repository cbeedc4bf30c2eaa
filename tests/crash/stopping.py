"""A worker that is stopped for long in the middle of a chunk, with the real lease, and then goes on."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import NamedTuple

from models.database import fetch
from tests.crash.books import Books
from tests.crash.faults import Faults, committed
from tests.crash.files import Plan, draw
from tests.crash.installations import Installation, installed, wait_for_workers
from tests.crash.sending import Sender

ROWS, FILES = 6_000, 5  # files after the stop: so many that the stopped worker gets some of the work
PATIENCE_SECONDS = 120


class Stopped(NamedTuple):
    """What came of it: seconds from the stop until all that was sent was done, and what is wrong."""

    done_after_seconds: float
    wrong: list[str]


def stop_a_worker(home: Path, seconds: float, seed: int) -> Stopped:
    """Stop one of two workers in the middle of a chunk, let it go on, and look whether it committed anything."""
    plan = draw(seed, FILES, ROWS)
    with installed(home, plan, processes=2, on_s3=False) as site:
        wait_for_workers(site.app, 2)
        return _stop(site, plan, home, seconds)


def _stop(site: Installation, plan: Plan, home: Path, seconds: float) -> Stopped:
    faults, going = Faults(site, site.app.settings.lease_seconds), {"files": 2}
    sender = Sender(site.app, plan.uploads, home, lambda: going["files"])
    sender.start()
    found = None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while found is None and time.monotonic() < deadline:
        found = faults.stopped_in_a_chunk(random.Random(0), writing=True)
        if found is None and not sender.unfinished:
            going["files"] += 1
    if found is None:
        return Stopped(0, ["no worker was met in the middle of a chunk"])
    pid, held = found
    start, transaction = time.monotonic(), faults.transaction_of(held)
    done_after = 0.0
    while time.monotonic() - start < seconds:
        if not done_after and _is_done(site, held.chunk):
            done_after = time.monotonic() - start
        time.sleep(0.2)
    os.kill(pid, signal.SIGCONT)
    wrong = [] if done_after else [f"nobody did the chunk of the stopped worker within {seconds:.0f} seconds"]
    wrong += committed(site, [(transaction or 0, held.chunk)]) if done_after else []
    going["files"] = len(plan.uploads)
    wrong += _goes_on(site, sender, pid, held.fence)
    if not wrong:
        wrong += Books(site.app, sender.batches, plan.uploads, sender.rows).check()
    return Stopped(round(done_after, 1), wrong)


def _is_done(site: Installation, chunk: int) -> bool:
    with site.app.engine.connect() as connection:
        return bool(fetch(connection, "SELECT FROM chunks WHERE id = %(id)s AND state = 'done'", {"id": chunk}))


def _goes_on(site: Installation, sender: Sender, pid: int, fence: int) -> list[str]:
    """The rest is sent: it must all be done, some of it by the worker that was stopped."""
    if not sender.ended.wait(PATIENCE_SECONDS) or sender.error:
        return [f"the rest of the files was not done: {sender.error!r}"]
    with site.app.engine.connect() as connection:
        query = "SELECT FROM chunks WHERE split_part(worker, ':', 2) = %(pid)s AND fence > %(fence)s AND state = 'done'"
        by_it = fetch(connection, query + " LIMIT 1", {"pid": str(pid), "fence": fence})
    return [] if by_it else ["the worker that was stopped does no more work"]
