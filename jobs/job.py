"""What a scheduled job is: its arguments, and what a run of it does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection

from config.wiring import App
from licensing.fields import Language
from models import schedule_runs
from models.database import transaction
from models.schedule_runs import Run
from models.schedules import Missed


class Stopped(Exception):
    """The scheduler was told to end: the rest of the run is another one's."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a schedule may tell its job. ``least``: a whole number, not below this; None: any text.

    ``default`` None: there is none, and ``is_needed`` says whether the job can do without.
    """

    name: str
    title: dict[Language, str]
    default: str | None = None
    least: int | None = None
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """One run as its job sees it. ``arguments`` has every argument that was given or has a default.

    ``counts``: what was done, by name; it begins with what earlier attempts of the run did and counted in a step.
    """

    app: App
    run: Run
    arguments: Mapping[str, str]
    ended: threading.Event
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def at(self) -> datetime:
        """The due time (UTC)."""
        return self.run.due_at.astimezone(UTC)

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """A transaction of the run; its counts are stored with what it did, and the run goes on after it if it dies.

        It commits only while the run is still this scheduler's. Raises ``RunLost``, and :class:`Stopped` at its start.
        """
        if self.ended.is_set():
            raise Stopped
        with transaction(self.app.engine) as connection:
            schedule_runs.begin_step(connection, self.run, self.app.settings.lease_seconds)
            yield connection
            schedule_runs.count(connection, self.run, self.counts)


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of work that schedules start.

    ``run`` does it and answers with the id of the batch that it handed in, if any. It may be called again for the same
    due time (after a failure, or when its scheduler died) and must then do nothing twice: a batch under the due time's
    request key, everything else in steps (:meth:`Due.step`). ``told`` says what was done, with the counts by name.
    ``missed``: what schedules of it do about due times that nobody was there for, unless they say otherwise.
    """

    name: str
    title: dict[Language, str]
    run: Callable[[Due], int | None]
    told: dict[Language, str]
    arguments: tuple[Argument, ...] = ()
    missed: Missed = "skip"

    def sentence(self, counts: Mapping[str, int], language: Language) -> str:
        """What a run did, in a sentence."""
        return self.told[language].format_map(Counter(counts))
