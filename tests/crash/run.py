"""The crash run: batches run while processes are killed and servers vanish; then the books are checked.

    python -m tests.crash.run [--faults N] [--batches B] [--rows R] [--seed S] [--plant BUG] [--json] ...

The sequence of files, faults and waits comes from the seed; whom a fault meets, and when a file is done, is up to the
machine. No chunk's holder is killed at its second attempt or later (a chunk is parked after the third by design).
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config import logging
from config.settings import Settings
from models.database import connect
from tests.crash.books import Answers, Books, differences
from tests.crash.faults import DECK, MEET_A_HOLDER, Faults, committed
from tests.crash.files import Plan, draw
from tests.crash.installations import Installation, installed, wait_for_workers
from tests.crash.planted import BUGS
from tests.crash.reports import Report, show
from tests.crash.sending import Sender
from tests.crash.stopping import stop_a_worker
from tests.crash.watching import Watcher

WORKERS = 3
LEASE_SECONDS = 3.0
SETTINGS = {
    "chunk_rows": 200,
    "lease_seconds": LEASE_SECONDS,
    "heartbeat_seconds": 0.5,
    "sweep_seconds": 0.5,
    "outage_wait_seconds": 0.5,
}
LONGEST_WAIT_SECONDS = 1.2  # before a fault
FILES_A_FAULT = 0.75
SPARE_FILES = 5  # for faults that meet nobody at first

Came = tuple[Answers, Answers]  # the answers of a run, and what its statements say


@dataclass(frozen=True)
class Storm:
    """What a run is asked to do: so many faults out of a deck, a planted bug, and how long nothing may happen.

    ``stopped``: for how many seconds a worker with the real lease is stopped afterwards.
    """

    count: int
    deck: dict[str, int]
    bug: str
    patience: float
    stopped: float


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and say by the exit code whether the books were right."""
    asked = _arguments().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and workers end with this process
    logging.configure(Settings(log_level="error"))
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    batches = asked.batches or max(8, int(asked.faults * FILES_A_FAULT) + SPARE_FILES)
    again = f"python -m tests.crash.run --faults {asked.faults} --batches {batches} --rows {asked.rows} --seed {seed}"
    again += "".join(f" --{name} {value}" for name in ("only", "plant") if (value := getattr(asked, name)))
    console = Console(stderr=True)
    console.print(f"Seed {seed}. The same run again: {again}", highlight=False, soft_wrap=True)
    home = Path(tempfile.mkdtemp(prefix="keymill-crash-"))
    home.chmod(0o755)
    plan = draw(seed, batches, asked.rows)
    with _bar(console, asked.json) as bar:
        deck = {name: times for name, times in DECK.items() if asked.only in ("", name)}
        report = run(plan, seed, Storm(asked.faults, deck, asked.plant, asked.patience, asked.stopped), home, bar)
    if asked.json:
        print(json.dumps(vars(report)))
    else:
        show(console, report)
    if report.wrong and not asked.plant:
        console.print(f"[red]Wrong.[/] Logs and data: {home}\nThe same run again: {again}", highlight=False)
        return 1
    shutil.rmtree(home)
    return int(bool(report.wrong))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.run", description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--batches", type=int, help="files; default: three for four faults and five more")
    parser.add_argument("--rows", type=int, default=800, help="rows of a file")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", choices=sorted(DECK), default="", help="faults of one sort only")
    parser.add_argument(
        "--stopped", type=float, default=90, help="seconds that a worker with the real lease is stopped"
    )
    parser.add_argument("--plant", choices=sorted(BUGS), default="", help="run with a bug, to see it found")
    parser.add_argument("--patience", type=float, default=30, help="seconds without progress that mean a standstill")
    parser.add_argument("--json", action="store_true")
    return parser


@contextmanager
def _bar(console: Console, quiet: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as bar:
        yield bar


def run(plan: Plan, seed: int, storm: Storm, home: Path, bar: Progress) -> Report:
    """The disturbed run and its books; the same files once more undisturbed, and meanwhile a worker that is stopped."""
    report = Report(seed)
    came = _disturbed(plan, report, storm, home, bar)
    if came is None or report.wrong:
        return report
    with ThreadPoolExecutor(1) as aside:
        stopping = aside.submit(stop_a_worker, home / "stopped", storm.stopped, seed) if storm.stopped else None
        undisturbed = _undisturbed(plan, report, storm.patience, home, bar)
        for one, other in zip(came, undisturbed, strict=True):
            report.wrong += differences(one, other, plan.uploads)
        if stopping is not None:
            report.seconds["stopped worker's chunk done"], wrong = stopping.result()
            report.wrong += wrong
    return report


def _disturbed(plan: Plan, report: Report, storm: Storm, home: Path, bar: Progress) -> Came | None:
    start = time.monotonic()
    with installed(home / "disturbed", plan, processes=WORKERS, on_s3=True, bug=storm.bug, **SETTINGS) as site:
        wait_for_workers(site.app, WORKERS)
        report.seconds["ready"] = round(time.monotonic() - start, 1)
        sender = _storm(plan, report, storm, site, home, bar)
        report.seconds["disturbed"] = round(time.monotonic() - start, 1)
        if sender is None:
            return None
        books = Books(site.app, sender.batches, plan.uploads, sender.rows)
        task = bar.add_task("books", total=len(plan.uploads))
        report.wrong += books.check(lambda: bar.advance(task))
        came = answers, _ = books.answers(), books.statements()
        report.counts |= books.counts
    report.codes = dict(Counter(code for codes in answers.values() for code in codes))
    report.seconds["checked"] = round(time.monotonic() - start, 1)
    return came


def _storm(plan: Plan, report: Report, storm: Storm, site: Installation, home: Path, bar: Progress) -> Sender | None:
    """Faults while files are sent and readers look; who sent them, or None for a standstill."""
    faults = Faults(site, LEASE_SECONDS)
    over = Event()
    task = bar.add_task("faults", total=storm.count)

    def allowed() -> int:
        """Files that may be sent by now; one more for each fault that met nobody, or nobody would ever be met."""
        if over.is_set():
            return len(plan.uploads)
        return 3 + int(FILES_A_FAULT * sum(faults.applied.values())) + sum(faults.passed_over.values())

    sender = Sender(site.app, plan.uploads, home, allowed)
    readers = connect(site.app.settings.database_url, pool_size=2)
    watcher = Watcher(readers, len(plan.stock), storm.patience)
    watcher.start()
    sender.start()
    sender.first_done.wait(storm.patience)
    for name, rng in _sequence(report.seed, storm, faults, sender.ended):
        time.sleep(rng.uniform(0.1, LONGEST_WAIT_SECONDS))
        if sender.error or watcher.error or watcher.wrong:
            break
        faults.strike(name, rng)
        bar.update(task, completed=sum(faults.applied.values()))
    over.set()
    faults.calm()
    ended = _wait(sender, watcher, report, bar)
    readers.dispose()
    report.faults, report.passed_over = faults.applied, faults.passed_over
    report.counts |= {"looks": watcher.looks, "frozen and overtaken": len(faults.doomed)}
    report.seconds["longest pause"] = watcher.longest_pause
    report.wrong += committed(site, faults.doomed)
    return sender if ended else None


def _sequence(seed: int, storm: Storm, faults: Faults, idle: Event) -> Iterator[tuple[str, random.Random]]:
    """The faults of a seed; one that met nobody is tried again after the others that wait, unless all work is done."""
    rng = random.Random(f"faults {seed}")
    waiting: list[str] = []
    for number in range(6 * storm.count):
        if sum(faults.applied.values()) >= storm.count:
            return
        if len(waiting) < 4:
            deck = [name for name, times in storm.deck.items() for _ in range(times)]
            rng.shuffle(deck)
            waiting += deck
        name = waiting.pop(0)
        if idle.is_set() and name in MEET_A_HOLDER:
            continue
        before = faults.applied[name]
        yield name, random.Random(f"fault {seed} {number}")
        if faults.applied[name] == before:
            waiting.append(name)


def _wait(sender: Sender, watcher: Watcher, report: Report, bar: Progress) -> bool:
    """Wait until every batch of a sender is final; false when the watcher saw something wrong, or nothing happen."""
    task = bar.add_task("files", total=len(sender.uploads))
    while not sender.ended.wait(0.2) and not watcher.wrong and not watcher.error:
        bar.update(task, completed=len(sender.batches) - sender.unfinished)
    bar.update(task, completed=len(sender.batches) - sender.unfinished)
    if not sender.ended.is_set():
        report.wrong.append(f"batches by state when it was given up: {sender.states_now()}")
    sender.stopped.set()
    watcher.stopped.set()
    watcher.join()
    report.wrong += watcher.wrong + [f"{error!r}" for error in (sender.error, watcher.error) if error]
    return sender.ended.is_set() and sender.error is None


def _undisturbed(plan: Plan, report: Report, patience: float, home: Path, bar: Progress) -> Came:
    """The same files with large chunks, a folder for a store, and nobody killed."""
    start = time.monotonic()
    with installed(home / "undisturbed", plan, processes=2, on_s3=False) as site:
        sender = Sender(site.app, plan.uploads, home, lambda: len(plan.uploads))
        watcher = Watcher(site.app.engine, len(plan.stock), patience)
        sender.start()
        watcher.start()
        if not _wait(sender, watcher, report, bar):
            report.wrong.append("the undisturbed run did not end")
        books = Books(site.app, sender.batches, plan.uploads, sender.rows)
        came = books.answers(), books.statements()
    report.seconds["undisturbed"] = round(time.monotonic() - start, 1)
    return came


if __name__ == "__main__":
    sys.exit(main())
