"""The connection to PostgreSQL: engine, transactions, and COPY in both directions."""

from __future__ import annotations

import itertools
import sys
from array import array as packed
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.dialects.postgresql import base as postgresql
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NULL = "\\N"  # as COPY's text format writes it
IDLE_SECONDS = 10  # that a transaction may stand still
_cursor_numbers = itertools.count(1)
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Xid8(UserDefinedType[str]):
    """The id of a transaction, with which PostgreSQL tells whether a snapshot sees it."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type as SQL names it."""
        return "xid8"


class PgSnapshot(UserDefinedType[str]):
    """Which transactions were over at a moment."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type as SQL names it."""
        return "pg_snapshot"


postgresql.ischema_names |= {"xid8": Xid8, "pg_snapshot": PgSnapshot}


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be reached or dropped the connection; the work can be tried again."""


def connect(url: str, *, pool_size: int = 5) -> Engine:
    """An engine for a ``postgresql://`` URL. Connects at first use, checks a pooled connection before lending it.

    A transaction that stands still is ended by PostgreSQL: a frozen process must not keep rows locked. Work under a
    lease may stand still for as long as its lease lasts (``models.leases.still_held``). What is streamed is read to its
    end: planned for the first tenth, as PostgreSQL does by itself, a list of 120,000 statements took six seconds. The
    connection that was used last is lent first: its plans and PostgreSQL's caches are ready.
    """
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=pool_size,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "keymill",
            "options": f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s -c cursor_tuple_fraction=1",
        },
    )


def connect_ahead(engine: Engine, count: int) -> None:
    """Have so many connections ready; while the database is away, they are made when they are needed."""
    try:
        with ExitStack() as connected:
            for _ in range(count):
                connected.enter_context(engine.connect())
    except Exception as error:
        if not is_outage(error):
            raise


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One unit of work: commits at the end, rolls back on any exception."""
    with engine.begin() as connection:
        yield connection


def is_outage(error: BaseException) -> bool:
    """Whether an exception says that the database went away, as against a mistake in the work."""
    if isinstance(error, DatabaseUnavailable):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, OperationalError | InterfaceError):
        error = error.orig or error
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not isinstance(
        error, psycopg.errors.QueryCanceled | psycopg.errors.DeadlockDetected | psycopg.errors.LockNotAvailable
    )


@contextmanager
def without_nested_loops(connection: Connection) -> Iterator[None]:
    """What is asked meanwhile is planned for many rows: no statistics know a batch of today."""
    run(connection, "SET LOCAL enable_nestloop = off", {})
    yield
    run(connection, "SET LOCAL enable_nestloop = on", {})


def raw(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection under a SQLAlchemy one, inside the same transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    if not connection.in_transaction():
        connection.begin()
    return driver


def copy_text(value: str) -> str:
    """A string as a field of COPY's text format."""
    return value.translate(ESCAPED) if "\\" in value or "\n" in value or "\t" in value or "\r" in value else value


def copy_line(*values: object) -> str:
    """A line of COPY's text format; None is NULL, everything else its ``str``."""
    return "\t".join([NULL if value is None else copy_text(str(value)) for value in values]) + "\n"


def copy_in(connection: Connection, table: str, columns: str, blocks: Iterable[str | bytes]) -> None:
    """Send rows that are already in COPY's text format. ``table`` and ``columns`` come from code, never from input."""
    with raw(connection).cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for block in blocks:
            copy.write(block)


def array(values: Sequence[Any]) -> str:
    """A list as PostgreSQL writes an array, many times as fast as psycopg does it; its type is found by the query."""
    if values and type(values[0]) in (int, date) and None not in values:
        return f"{{{','.join(map(str, values))}}}"
    try:
        joined = '","'.join(values)
    except TypeError:  # not all of them are texts
        return f"{{{','.join(map(_element, values))}}}"
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return f"{{{','.join(map(_element, values))}}}"
    return f'{{"{joined}"}}' if values else "{}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _arrays(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: array(value) if type(value) is list else value for name, value in parameters.items()}


def fetch(connection: Connection, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of a query as plain tuples: the fast way for a chunk's facts. Parameters as ``%(name)s``."""
    cursor = raw(connection).cursor()
    cursor.execute(query, _arrays(parameters))
    return cursor.fetchall()


def fetch_bytes(connection: Connection, query: str, parameters: dict[str, Any]) -> bytes:
    """The one value of a query, a ``bytea``, as it is; nothing where it is NULL."""
    cursor = raw(connection).cursor(binary=True)
    cursor.execute(query, _arrays(parameters))
    (value,) = cursor.fetchone() or (None,)
    return value or b""


def fetch_pairs(
    connection: Connection, query: str, parameters: dict[str, Any]
) -> dict[int, tuple[packed[int], packed[int]]]:
    """The rows of a query of an id and a ``string_agg`` of ``int8send``, by id: the upper and the lower halves.

    For millions of numbers: they are taken over as a whole, no Python object is made for one.
    """
    cursor = raw(connection).cursor(binary=True)
    cursor.execute(query, _arrays(parameters))
    found = {}
    for number, sent in cursor:
        words = packed("i", sent)
        if sys.byteorder == "little":
            words.byteswap()
        found[number] = words[::2], words[1::2]
    return found


def records(
    connection: Connection, query: str, names: Sequence[str], parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    """All rows of a query with names for their columns: for what people look at."""
    return [dict(zip(names, row, strict=True)) for row in fetch(connection, query, parameters)]


def stream(connection: Connection, query: str, parameters: dict[str, Any], at_once: int = 5000) -> Iterator[Any]:
    """The rows of a query as plain tuples, so many at a time, however many there are. It is planned at once."""
    cursor = raw(connection).cursor(name=f"stream_{next(_cursor_numbers)}")
    cursor.itersize = at_once
    cursor.execute(query, _arrays(parameters))
    return _rows_of(cursor)


def _rows_of(cursor: psycopg.ServerCursor[Any]) -> Iterator[Any]:
    with cursor:
        yield from cursor


def run(connection: Connection, query: str, parameters: dict[str, Any]) -> int:
    """Run a statement the fast way and say how many rows it touched. Parameters as ``%(name)s``."""
    return raw(connection).cursor().execute(query, _arrays(parameters)).rowcount


def scalar(connection: Connection, query: str, **parameters: Any) -> Any:
    """The first column of the first row, or None."""
    return connection.execute(text(query), parameters).scalar()
