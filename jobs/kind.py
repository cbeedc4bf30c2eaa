"""What a batch kind is: columns, who may send it, and how its rows are decided and made true."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from config.wiring import App
from exporters.listings import MEDIA_TYPE
from licensing.cells import PackedCell
from licensing.decisions import Decision
from licensing.fields import Field, Language
from licensing.reverting import Effect
from models.accounts import Account
from models.batches import Batch
from models.licenses import Shown
from signing.tokens import Signer

Values = Sequence[Any]
Issued = Mapping[str, Shown]

NOT_YET = Decision("")


@dataclass(slots=True)
class Asked:
    """One row on its way: its typed values in the order of the kind's fields, then its decision.

    ``others``: the titles and cells of all other columns, for a kind that takes any column.
    """

    ordinal: int
    values: Values
    decision: Decision = NOT_YET
    others: Sequence[tuple[str, PackedCell]] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What the rows of a batch are decided with. ``signer`` None means a preview: facts are not locked.

    ``today`` is the day (UTC) of ``at``, the batch's confirmation, for all its rows alike. ``kinds``: every kind by its
    name, for one whose rows are about batches of others.
    """

    batch: Batch
    account: Account
    engine: Engine
    at: datetime
    today: date
    signer: Signer | None
    kinds: Mapping[str, Kind]

    @property
    def is_preview(self) -> bool:
        """Whether this is a preview: nothing is locked, nothing is written."""
        return self.signer is None


class Rules(Protocol):
    """The facts of one slice, loaded at once. ``decide`` goes row by row in file order and remembers what it gave."""

    def decide(self, row: Asked) -> Decision:
        """The answer to one row."""

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Make the answers true in bulk; says how the licenses look that were issued, by number."""


class Load(Protocol):
    """Reads the facts that the rows of a slice need, with one query each.

    ``before`` is given in a preview only, where nothing is written: the rules of the slice before, whose answers the
    rows of this slice must reckon with.
    """

    def __call__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Any = None) -> Rules:
        """The rules of one slice."""


class Produce(Protocol):
    """Makes the next part of what a row asks for, at most so many things; says how many, and how many are left."""

    def __call__(self, connection: Connection, work: Work, row: Asked, most: int) -> tuple[int, int]:
        """(made now, still to come)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A file beside the result table: its role (part of its name), its rows, and what is to be known about it."""

    role: str
    rows: int
    blocks: Iterable[bytes]
    suffix: str = ".csv"
    media_type: str = MEDIA_TYPE
    how: str = ""


@dataclass(frozen=True, slots=True)
class Reports:
    """Files for people who never saw the uploaded table, and what the manifest says of them."""

    files: Sequence[Listing]
    notes: Sequence[str]


@dataclass(frozen=True)
class Kind:
    """One batch kind.

    ``subject``: the fields that name what a row is about (``a|b``: b where a is blank); rows of one subject are never
    worked on at the same time.
    ``domain``: kinds of one domain compete for the same subjects. ``load`` reads the facts of a slice with one query
    each. ``is_sequential``: rows may lean on earlier rows of other subjects, so one worker goes through them in file
    order. ``produce``: for rows whose effect is too large for one transaction.
    ``issues_licenses``: rows are answered with license keys, which come as license files too.
    ``ends_licenses``: licenses end by it, so that the revocation list is written anew.
    ``takes_back``: what answers did, by their codes, where it can be undone.
    ``listing``: a list for answers that are more than one thing a row. ``reports``: files about what the batch wrote,
    made in a local folder, by threads beside the result; what they store for customers is the same each time.
    ``most_rows_a_chunk``: for rows with so much behind each that fewer of them make a chunk.
    """

    name: str
    title: dict[Language, str]
    senders: frozenset[str]
    fields: tuple[Field, ...]
    load: Load
    subject: tuple[str, ...] = ()
    domain: str = ""
    is_sequential: bool = False
    produce: Produce | None = None
    issues_licenses: bool = False
    ends_licenses: bool = False
    takes_any_column: bool = False
    takes_back: Mapping[str, Effect] = field(default_factory=dict)
    listing: Callable[[App, Connection, Batch], Listing | None] | None = None
    reports: Callable[[App, Batch, Path], Future[Reports]] | None = None
    most_rows_a_chunk: int = sys.maxsize

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in the order of a row's values."""
        return tuple(field.name for field in self.fields)

    def chunk_rows(self, app: App) -> int:
        """How many rows make a chunk, or a slice of a larger one."""
        return min(app.settings.chunk_rows, self.most_rows_a_chunk)

    def least_chunk_rows(self, app: App) -> int:
        """How many make one of the small chunks towards the end; where all are small, the next one costs too much."""
        size = self.chunk_rows(app)
        return size // 8 if self.most_rows_a_chunk == sys.maxsize else size
