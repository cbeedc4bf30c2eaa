"""The files of releases, and which of them a license covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Identity, Table, Text, UniqueConstraint

from models.database import fetch, metadata, run, stream

release_files = Table(
    "release_files",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("release_id", ForeignKey("releases.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("platform", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("object_name", Text, nullable=False),
    UniqueConstraint("release_id", "name", "platform", "language"),
)


class ReleaseFile(NamedTuple):
    """A file of a release; ``platform`` and ``language`` "" where it is for all. ``size`` in bytes."""

    name: str
    platform: str
    language: str
    size: int
    sha256: str
    object_name: str


def files_of(connection: Connection, product_ids: Sequence[int]) -> list[tuple[int, str, ReleaseFile]]:
    """The files of products' releases: (product id, version, file)."""
    rows = fetch(
        connection,
        "SELECT r.product_id, r.version, f.name, f.platform, f.language, f.size, f.sha256, f.object_name"
        " FROM release_files f JOIN releases r ON r.id = f.release_id WHERE r.product_id = ANY(%(ids)s)",
        {"ids": list(product_ids)},
    )
    return [(row[0], row[1], ReleaseFile(*row[2:])) for row in rows]


def save(connection: Connection, sku: str, version: str, file: ReleaseFile) -> None:
    """Add a file to a release, or change it."""
    run(
        connection,
        "INSERT INTO release_files (release_id, name, platform, language, size, sha256, object_name)"
        " SELECT r.id, %(name)s, %(platform)s, %(language)s, %(size)s, %(sha256)s, %(object_name)s"
        " FROM releases r JOIN products p ON p.id = r.product_id WHERE p.sku = %(sku)s AND r.version = %(version)s"
        " ON CONFLICT (release_id, name, platform, language) DO UPDATE SET size = excluded.size,"
        " sha256 = excluded.sha256, object_name = excluded.object_name",
        {"sku": sku, "version": version} | file._asdict(),
    )


# The version that was bought, and those that came out while the license, or one that it comes from, was maintained.
_COVERED = """
WITH RECURSIVE line AS (
    SELECT number AS start, number, parent_number FROM licenses WHERE number = ANY(%(numbers)s)
    UNION ALL SELECT line.start, l.number, l.parent_number FROM line JOIN licenses l ON l.number = line.parent_number),
period AS (
    SELECT number AS start, maintained_from AS starts, maintained_until AS ends FROM licenses
           WHERE number = ANY(%(numbers)s)
    UNION SELECT line.start, n.starts, n.ends FROM line JOIN renewals n ON n.license_number = line.number
    UNION SELECT line.start, n.previous_starts, n.previous_ends FROM line
          JOIN renewals n ON n.license_number = line.number WHERE n.previous_starts IS NOT NULL)
SELECT l.number, p.sku, r.id, r.version, r.release_date FROM licenses l
JOIN products p ON p.id = l.product_id
JOIN releases r ON r.product_id = l.product_id
WHERE l.number = ANY(%(numbers)s)
  AND (r.version = l.version OR (r.release_date <= %(today)s AND EXISTS (
       SELECT FROM period WHERE period.start = l.number AND r.release_date BETWEEN period.starts AND period.ends)))
"""


def counts(connection: Connection, numbers: Sequence[str], today: date) -> dict[str, int]:
    """How many files each of these licenses covers; those that cover none are left out."""
    query = (
        f"WITH covered AS ({_COVERED}) SELECT c.number, count(*) FROM covered c"
        " JOIN release_files f ON f.release_id = c.id GROUP BY c.number"
    )
    return {row[0]: row[1] for row in fetch(connection, query, {"numbers": list(numbers), "today": today})}


class Download(NamedTuple):
    """A file that a license covers."""

    license_number: str
    sku: str
    version: str
    release_date: date | None
    file: ReleaseFile


def covered(connection: Connection, numbers: Sequence[str], today: date) -> Iterator[Download]:
    """The files that these licenses cover, license by license in the order given, newest release first; streamed."""
    for row in stream(
        connection,
        f"WITH covered AS ({_COVERED}) SELECT c.number, c.sku, c.version, c.release_date, f.name, f.platform,"
        " f.language, f.size, f.sha256, f.object_name FROM covered c JOIN release_files f ON f.release_id = c.id"
        " ORDER BY array_position(%(numbers)s, c.number), c.release_date DESC NULLS LAST, c.id DESC, f.name,"
        " f.platform, f.language",
        {"numbers": list(numbers), "today": today},
    ):
        number, sku, version, released, *file = row
        yield Download(number, sku, version, released, ReleaseFile(*file))
