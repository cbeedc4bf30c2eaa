"""Rows of submitted files, what a preview said of them, and the one outcome that each gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from models.database import copy_in, copy_line, fetch, metadata, raw, run, stream

# Rows and outcomes are written by the million and never changed (a trigger sees to it). They carry no foreign keys,
# which would cost a look-up per row; see docs/decisions/0006-schema.md.
rows = Table(
    "rows",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("sheet_row", Integer, nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("subject", BigInteger),
    Column("cells", Text, nullable=False),
)

_ANSWER = "batch_id, ordinal, code, detail, faults"

outcomes = Table(
    "outcomes",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("code", Text, nullable=False),
    Column("detail", Text),
    Column("faults", JSONB),
    Column("license_number", Text(collation="C")),
    Column("order_id", BigInteger),
)

previews = Table(
    "previews",
    metadata,
    Column("batch_id", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("code", Text, nullable=False),
    Column("detail", Text),
    Column("faults", JSONB),
)


class Row(NamedTuple):
    """One stored line of a file: where it stood, what it is about, and its packed cells as JSON text."""

    ordinal: int
    sheet_row: int
    lane: int
    subject: int | None
    cells: str


def read_in(connection: Connection, fill: Callable[[Callable[[bytes], None]], Any]) -> Any:
    """Store rows: ``fill`` is given a function that takes blocks of COPY lines. Answers with what ``fill`` does."""
    with (
        raw(connection)
        .cursor()
        .copy("COPY rows (batch_id, ordinal, sheet_row, lane, subject, cells) FROM STDIN") as copy
    ):
        return fill(copy.write)


def of_chunk(
    connection: Connection, batch_id: int, *, first: int, last: int, lane: int | None, limit: int | None = None
) -> list[Row]:
    """Rows of a batch from one ordinal to another, of one lane (None: every lane), in file order."""
    found = fetch(
        connection,
        "SELECT ordinal, sheet_row, lane, subject, cells FROM rows WHERE batch_id = %(batch)s"
        " AND ordinal BETWEEN %(first)s AND %(last)s AND (%(lane)s::int IS NULL OR lane = %(lane)s)"
        " ORDER BY ordinal LIMIT %(limit)s",
        {"batch": batch_id, "first": first, "last": last, "lane": lane, "limit": limit},
    )
    return list(map(Row._make, found))


def of_subjects_in_lane(connection: Connection, batch_id: int, lane: int) -> list[Row]:
    """All rows of the subjects that a lane holds, the first one of each (which is not in the lane) included.

    IS TRUE keeps the subjects a hashed list: as a join, on a table never analyzed, it took 10 s for 6,000 rows.
    """
    found = fetch(
        connection,
        "SELECT ordinal, sheet_row, lane, subject, cells FROM rows WHERE batch_id = %(batch)s AND (subject IN"
        " (SELECT subject FROM rows WHERE batch_id = %(batch)s AND lane = %(lane)s)) IS TRUE ORDER BY ordinal",
        {"batch": batch_id, "lane": lane},
    )
    return list(map(Row._make, found))


def equal_without_subject(connection: Connection, batch_id: int) -> list[int]:
    """The sheet rows of rows that repeat an earlier one, cell for cell, and have no subject to be compared by."""
    found = fetch(
        connection,
        "SELECT sheet_row FROM (SELECT sheet_row, row_number() OVER (PARTITION BY cells ORDER BY ordinal) AS time"
        "  FROM rows WHERE batch_id = %(batch)s AND subject IS NULL) r WHERE time > 1 ORDER BY sheet_row",
        {"batch": batch_id},
    )
    return [row[0] for row in found]


def lanes(connection: Connection, batch_id: int) -> list[tuple[int, int, int, int]]:
    """(lane, first ordinal, last ordinal, rows) of each lane of rows that repeat a subject."""
    found = fetch(
        connection,
        "SELECT lane, min(ordinal), max(ordinal), count(*) FROM rows WHERE batch_id = %(batch)s AND lane > 0"
        " GROUP BY lane ORDER BY lane",
        {"batch": batch_id},
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


def add_outcomes(connection: Connection, lines: Iterable[str]) -> None:
    """Write outcomes: COPY lines of batch id, ordinal, code, detail, faults, license number, order id."""
    copy_in(connection, "outcomes", _ANSWER + ", license_number, order_id", ["".join(lines)])


def add_previews(connection: Connection, lines: Iterable[str]) -> None:
    """Write what a preview says: COPY lines of batch id, ordinal, code, detail, faults."""
    copy_in(connection, "previews", _ANSWER, ["".join(lines)])


def licenses_answered(connection: Connection, batch_id: int, code: str) -> list[str]:
    """The licenses that rows were answered with by a code, each once, in file order."""
    query = (
        "SELECT license_number FROM outcomes WHERE batch_id = %(batch)s AND code = %(code)s"
        " GROUP BY license_number ORDER BY min(ordinal)"
    )
    return [row[0] for row in fetch(connection, query, {"batch": batch_id, "code": code})]


def previewed_codes(connection: Connection, batch_id: int, first: int, last: int) -> dict[int, str]:
    """The code that the preview named for each row of a range."""
    return {
        row[0]: row[1]
        for row in fetch(
            connection,
            "SELECT ordinal, code FROM previews WHERE batch_id = %(batch)s AND ordinal BETWEEN %(first)s AND %(last)s",
            {"batch": batch_id, "first": first, "last": last},
        )
    }


def skip_unanswered(
    connection: Connection, batch_id: int, code: str, detail: str, *, first: int, last: int, lane: int | None
) -> int:
    """Give every row of a range that has no outcome yet a ``skipped`` one; says how many."""
    return run(
        connection,
        "INSERT INTO outcomes (batch_id, ordinal, code, detail)"
        " SELECT r.batch_id, r.ordinal, %(code)s, nullif(%(detail)s, '') FROM rows r"
        " WHERE r.batch_id = %(batch)s AND r.ordinal BETWEEN %(first)s AND %(last)s"
        " AND (%(lane)s::int IS NULL OR r.lane = %(lane)s)"
        " ON CONFLICT (batch_id, ordinal) DO NOTHING",
        {"batch": batch_id, "code": code, "detail": detail, "first": first, "last": last, "lane": lane},
    )


def outcomes_with(connection: Connection, batch_id: int, codes: list[str]) -> list[str]:
    """The outcomes of a batch with these codes, as :func:`add_outcomes` takes them."""
    found = fetch(
        connection,
        f"SELECT {_ANSWER}, license_number, order_id FROM outcomes WHERE batch_id = %(batch)s AND code = ANY(%(codes)s)"
        " ORDER BY ordinal",
        {"batch": batch_id, "codes": codes},
    )
    return [copy_line(*row[:4], None if row[4] is None else json.dumps(row[4]), *row[5:]) for row in found]


class Answer(NamedTuple):
    """A row with its outcome and, where it has one, its license."""

    ordinal: int
    sheet_row: int
    cells: str
    code: str
    detail: str | None
    faults: list[list[Any]] | None
    license_number: str | None
    key: str | None
    sku: str | None
    quantity: int | None
    valid_until: Any


# OFFSET 0 has each row's outcome and license looked up by their keys. As plain joins they were planned for the one row
# that statistics expect of a batch they have not seen, which took 13 s for 1,000 rows and grew with the square.
_ANSWER_COLUMNS = (
    "SELECT r.ordinal, r.sheet_row, r.cells, coalesce(o.code, ''), o.detail, o.faults, l.number, l.key, l.sku,"
    " l.quantity, l.valid_until"
)
_LICENSE = (
    " LEFT JOIN LATERAL (SELECT l.number, l.key, p.sku, l.quantity, l.valid_until FROM licenses l"
    "  LEFT JOIN products p ON p.id = l.product_id WHERE l.number = o.license_number OFFSET 0) l ON true"
)
_ROW = " JOIN LATERAL (SELECT * FROM rows WHERE batch_id = o.batch_id AND ordinal = o.ordinal OFFSET 0) r ON true"
_ANSWERS = (
    f"{_ANSWER_COLUMNS} FROM rows r LEFT JOIN LATERAL (SELECT * FROM outcomes WHERE batch_id = r.batch_id"
    f" AND ordinal = r.ordinal OFFSET 0) o ON true{_LICENSE}"
    " WHERE r.batch_id = %(batch)s AND r.ordinal BETWEEN %(first)s AND %(last)s ORDER BY r.ordinal"
)


def answers(connection: Connection, batch_id: int, first: int, last: int) -> Iterator[Answer]:
    """Rows with their outcomes in file order, fetched some thousand at a time."""
    step = 5000
    for start in range(first, last + 1, step):
        for row in fetch(
            connection,
            _ANSWERS,
            {"batch": batch_id, "first": start, "last": min(start + step - 1, last)},
        ):
            yield Answer(*row)


def page(
    connection: Connection, batch_id: int, table: str, *, after: int, limit: int, codes: list[str] | None
) -> list[Answer]:
    """Rows after an ordinal, in file order, so many at most; of these codes only, where some are given.

    ``table`` is ``previews`` or ``outcomes``; a row without an answer yet has the code "".
    """
    assert table in ("previews", "outcomes")
    number = "o.license_number" if table == "outcomes" else "NULL"
    found = fetch(
        connection,
        "SELECT r.ordinal, r.sheet_row, r.cells, coalesce(o.code, ''), o.detail, o.faults, l.number, l.key, p.sku,"
        f" l.quantity, l.valid_until FROM rows r LEFT JOIN {table} o ON o.batch_id = r.batch_id"
        f" AND o.ordinal = r.ordinal LEFT JOIN licenses l ON l.number = {number}"
        " LEFT JOIN products p ON p.id = l.product_id"
        " WHERE r.batch_id = %(batch)s AND r.ordinal > %(after)s"
        " AND (%(codes)s::text[] IS NULL OR o.code = ANY(%(codes)s::text[])) ORDER BY r.ordinal LIMIT %(limit)s",
        {"batch": batch_id, "after": after, "codes": codes, "limit": limit},
    )
    return [Answer(*row) for row in found]


def unsuccessful(connection: Connection, batch_id: int, codes: list[str]) -> Iterator[Answer]:
    """The rows of a batch whose outcome is one of these codes, in file order, streamed."""
    query = (
        f"{_ANSWER_COLUMNS} FROM outcomes o{_ROW}{_LICENSE}"
        " WHERE o.batch_id = %(batch)s AND o.code = ANY(%(codes)s) ORDER BY o.ordinal"
    )
    for row in stream(connection, query, {"batch": batch_id, "codes": codes}):
        yield Answer(*row)


def problems(connection: Connection, batch_id: int, table: str, codes: list[str], limit: int) -> list[tuple[Any, ...]]:
    """(code, column, rows, first sheet rows) of the rows with these codes, most frequent first.

    ``table`` is ``previews`` or ``outcomes``.
    """
    assert table in ("previews", "outcomes")
    return fetch(
        connection,
        "SELECT code, min(at), count(*), (array_agg(sheet_row ORDER BY ordinal))[1:%(limit)s],"
        " (array_agg(detail ORDER BY ordinal))[1] FROM"
        " (SELECT o.ordinal, o.code, (o.faults -> 0 ->> 0)::int AS at, o.detail, r.sheet_row FROM "
        + table
        + " o"
        + _ROW
        + "  WHERE o.batch_id = %(batch)s AND o.code = ANY(%(codes)s)) p"
        " GROUP BY code, coalesce(at, -1) ORDER BY count(*) DESC, code",
        {"batch": batch_id, "codes": codes, "limit": limit},
    )


def outcome_counts(connection: Connection, batch_id: int) -> dict[str, int]:
    """How many rows of a batch have each code, counted from the outcomes themselves."""
    return {
        row[0]: row[1]
        for row in fetch(
            connection,
            "SELECT code, count(*) FROM outcomes WHERE batch_id = %(batch)s GROUP BY code ORDER BY code",
            {"batch": batch_id},
        )
    }


def delete(connection: Connection, batch_id: int, most: int) -> int:
    """Delete rows of a batch with what was said of them, at most so many; says how many."""
    gone = {"batch": batch_id, "most": most}
    counts = [
        run(
            connection,
            f"DELETE FROM {table} WHERE batch_id = %(batch)s AND ordinal IN (SELECT ordinal FROM {table}"
            " WHERE batch_id = %(batch)s ORDER BY ordinal LIMIT %(most)s)",
            gone,
        )
        for table in ("rows", "previews", "outcomes")
    ]
    return max(counts)
