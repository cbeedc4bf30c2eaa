"""The books, checked when everything has ended: from the database and from the files, against each other."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from config.wiring import App
from jobs import keys
from licensing.outcomes import CODES
from models.database import fetch
from signing.key_sets import parse_key_set
from signing.verification import verify
from tests.crash import pools
from tests.crash.files import Upload

Answers = dict[int, list[str]]  # the code of every row, or what every statement says, by the number of its file
OUTCOME_COLUMNS = 7
PUBLISHED_WITHIN_SECONDS = 15.0
ISSUED = ("issued", "issued_in_part", "issued_beyond_commitment")

RETURNED = "coalesce((SELECT -sum(quantity) FROM draw_downs WHERE license_number = p.number AND quantity < 0), 0)"

# Each finds what must not be there.
NOTHING = {
    "chunks that were set aside": "SELECT id, stage, reason FROM chunks WHERE state = 'parked'",
    "chunks that nobody finished": "SELECT id, stage, state FROM chunks WHERE state IN ('waiting', 'leased')",
    "batches that are not done": "SELECT id, state, reason FROM batches WHERE state <> 'done'",
    "rows without an outcome": "SELECT r.batch_id, r.ordinal FROM rows r LEFT JOIN outcomes o USING (batch_id, ordinal)"
    " WHERE o.code IS NULL",
    "outcomes without a row": "SELECT o.batch_id, o.ordinal FROM outcomes o LEFT JOIN rows r USING (batch_id, ordinal)"
    " WHERE r.cells IS NULL",
    "batches with other rows than they say": "SELECT b.id, b.row_count FROM batches b"
    " WHERE b.row_count <> (SELECT count(*) FROM rows r WHERE r.batch_id = b.id)",
    "redeemed vouchers without exactly one license": "SELECT v.id, count(l.number) FROM vouchers v"
    " LEFT JOIN licenses l ON l.voucher_id = v.id WHERE v.state = 'redeemed' GROUP BY v.id HAVING count(l.number) <> 1",
    "licenses whose voucher is not redeemed": "SELECT l.number FROM licenses l LEFT JOIN vouchers v"
    " ON v.id = l.voucher_id WHERE l.serial_id IS NULL AND l.contract_line_id IS NULL"
    " AND v.state IS DISTINCT FROM 'redeemed'",
    "certificates of which more or less was issued than is gone": "SELECT s.code, s.quantity, s.remaining,"
    " coalesce(sum(l.quantity), 0) FROM serials s LEFT JOIN licenses l ON l.serial_id = s.id AND l.state = 'active'"
    " GROUP BY s.id HAVING s.remaining + coalesce(sum(l.quantity), 0) <> s.quantity",
    "licenses of which more or less was made than they were": "SELECT p.number, p.quantity, sum(l.quantity)"
    " FROM licenses p JOIN licenses l ON l.parent_number = p.number GROUP BY p.number"
    f" HAVING sum(l.quantity) + {RETURNED} <> p.quantity OR p.state = 'active'",
    "ended licenses that nothing was made of and that were not given back": "SELECT p.number FROM licenses p"
    " WHERE p.state <> 'active' AND NOT EXISTS (SELECT FROM licenses l WHERE l.parent_number = p.number)"
    f" AND {RETURNED} <> p.quantity",
    "licenses without the row that was answered with them": "SELECT l.number FROM licenses l LEFT JOIN outcomes o"
    " ON o.batch_id = l.batch_id AND o.ordinal = l.ordinal WHERE (l.cause IS DISTINCT FROM 'split'"
    " AND o.license_number IS DISTINCT FROM l.number) OR (l.cause = 'split' AND o.detail IS DISTINCT FROM l.number"
    " AND o.license_number IS DISTINCT FROM l.number)"
    " OR o.code NOT IN ('issued', 'issued_in_part', 'issued_beyond_commitment', 'returned_in_part')",
    "rows that issued a license that is not theirs": "SELECT o.batch_id, o.ordinal FROM outcomes o LEFT JOIN licenses l"
    " ON l.number = o.license_number WHERE (o.code IN ('issued', 'issued_in_part', 'issued_beyond_commitment',"
    " 'returned_in_part') AND (l.batch_id, l.ordinal) IS DISTINCT FROM (o.batch_id, o.ordinal))"
    " OR (o.code IN ('already_issued', 'returned') AND l.number IS NULL)",
    "pools that are overdrawn in spite of a hard stop": pools.OVERDRAWN,
    "pools of which more or less is drawn than their licenses are": pools.UNEVEN,
    "draw-downs without the row that brought them": "SELECT d.id FROM draw_downs d LEFT JOIN outcomes o"
    " ON o.batch_id = d.batch_id AND o.ordinal = d.ordinal WHERE d.license_number <> 'BEFORE' AND coalesce(o.code, '')"
    " NOT IN ('issued', 'issued_beyond_commitment', 'returned', 'returned_in_part')",
    "rows that drew or gave back without exactly one movement": "SELECT o.batch_id, o.ordinal FROM outcomes o"
    " JOIN batches b ON b.id = o.batch_id AND b.kind = 'draw-down' LEFT JOIN draw_downs d ON d.batch_id = o.batch_id"
    " AND d.ordinal = o.ordinal WHERE o.code IN ('issued', 'issued_beyond_commitment', 'returned', 'returned_in_part')"
    " GROUP BY o.batch_id, o.ordinal HAVING count(d.id) <> 1",
    "orders without exactly the codes that were ordered": "SELECT o.id, o.count, o.minted, count(v.id)"
    " FROM mint_orders o LEFT JOIN vouchers v ON v.order_id = o.id GROUP BY o.id"
    " HAVING o.count <> o.minted OR o.count <> count(v.id)",
    "rows that minted without an order of their own": "SELECT o.batch_id, o.ordinal FROM outcomes o LEFT JOIN"
    " mint_orders m ON m.batch_id = o.batch_id AND m.ordinal = o.ordinal"
    " WHERE o.code = 'minted' AND (m.id IS NULL OR o.order_id IS DISTINCT FROM m.id)",
}


class Books:
    """What an installation holds after a run, and what is wrong with it."""

    def __init__(
        self, app: App, sent: dict[int, int], uploads: list[Upload], rows: dict[int, list[tuple[str, ...]]]
    ) -> None:
        """``sent``, ``rows``: batches and rows as they were sent, by the numbers of their files."""
        self.app, self._rows = app, rows
        self.sent = {upload.number: (upload, sent[upload.number]) for upload in uploads if upload.number in sent}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._key_set = parse_key_set(keys.public_key_set(app.engine))
        self._issued: Counter[str] = Counter()
        self._named: set[str] = set()  # objects that results name

    def _wait_for_what_belongs_to_no_batch(self) -> None:
        """Revocations are published after their batch has ended: for a few leases that may be under way."""
        limit = time.monotonic() + PUBLISHED_WITHIN_SECONDS
        while time.monotonic() < limit:
            with self.app.engine.connect() as connection:
                if not fetch(connection, NOTHING["chunks that nobody finished"] + " AND stage = 'publish'", {}):
                    return
            time.sleep(0.1)

    def check(self, step: Callable[[], None] = lambda: None) -> list[str]:
        """Everything that is wrong, as sentences. ``step`` is called after each file."""
        self._wait_for_what_belongs_to_no_batch()
        with self.app.engine.connect() as connection:
            for what, query in NOTHING.items():
                found = fetch(connection, query + " LIMIT 3", {})
                self._expect(not found, f"{what}: {found}")
        for upload, batch_id in self.sent.values():
            self._check_files(upload, batch_id)
            step()
        twice = [number for number, times in self._issued.items() if times > 1]
        self._expect(not twice, f"issued more than once: {twice[:3]}")
        with self.app.engine.connect() as connection:
            query = "SELECT count(*) FROM licenses WHERE cause IS DISTINCT FROM 'split'"  # what is left is only named
            ((licenses,),) = fetch(connection, query, {})
        self._expect(licenses == len(self._issued), f"{licenses} licenses, {len(self._issued)} issued in the files")
        self.counts["licenses"] = licenses
        stored = {name for prefix in ("results/", "pieces/") for name in self.app.store.list(prefix)}
        self.counts["objects left over"] = len(stored - self._named)  # of killed workers: they only take room
        return self.wrong

    def answers(self) -> Answers:
        """The code of every row of every file whose answers are not up to the machine."""
        found: Answers = {}
        with self.app.engine.connect() as connection:
            for number, (upload, batch_id) in self.sent.items():
                if upload.is_race:
                    continue
                query = "SELECT code FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
                found[number] = [row[0] for row in fetch(connection, query, {"b": batch_id})]
        return found

    def statements(self) -> Answers:
        """What every statement says, by the file that it came of."""
        written = pools.statements(self.app)
        self.counts["statements"] = sum(map(len, written.values()))
        return {number: written[batch_id] for number, (_, batch_id) in self.sent.items() if batch_id in written}

    def _expect(self, holds: bool, what: str) -> None:
        self.counts["checks"] += 1
        if not holds:
            self.wrong.append(what)

    def _check_files(self, upload: Upload, batch_id: int) -> None:
        with self.app.engine.connect() as connection:
            ((results,),) = fetch(connection, "SELECT results FROM batches WHERE id = %(b)s", {"b": batch_id})
            query = "SELECT code, count(*) FROM outcomes WHERE batch_id = %(b)s GROUP BY code"
            codes = dict(fetch(connection, query, {"b": batch_id}))
        files = {file["role"]: file for file in (results or {}).get("files", ())}
        stored = {role: self._fetch(upload, file) for role, file in files.items()}
        if not {"result", "manifest"} <= set(stored):
            self._expect(False, f"{upload.name}: the results are {sorted(stored)}")
            return
        self._check_manifest(upload, json.loads(stored["manifest"]), files, codes)
        answers = list(self._stored_answers(batch_id))
        self._check_table(upload, _table(files["result"]["file"], stored["result"]), answers)
        bad = sum(CODES[answer[0]].outcome in ("rejected", "skipped") for answer in answers)
        listed = len(_table(files["rejected"]["file"], stored["rejected"])) - 1 if "rejected" in files else 0
        self._expect(listed == bad, f"{upload.name}: {listed} rows in the rejected file, {bad} were")
        if upload.kind == "mint-vouchers":
            self._check_codes(upload, batch_id, stored.get("codes", b""))

    def _fetch(self, upload: Upload, file: dict[str, Any]) -> bytes:
        self.counts["files"] += 1
        self._named.add(file["name"])
        try:
            content = b"".join(self.app.store.get(file["name"]))
        except Exception as error:
            self._expect(False, f"{upload.name}: {file['name']} cannot be fetched: {error}")
            return b""
        is_whole = (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
        self._expect(is_whole, f"{upload.name}: {file['name']} is not what was stored")
        return content

    def _check_manifest(
        self, upload: Upload, manifest: dict[str, Any], files: dict[str, Any], codes: dict[str, int]
    ) -> None:
        told = {file["what"]: (file["size"], file["sha256"]) for file in manifest["files"]}
        held = {role: (file["size"], file["sha256"]) for role, file in files.items() if role != "manifest"}
        self._expect(told == held, f"{upload.name}: the manifest tells of other files than are stored")
        counted = manifest["codes"] == codes and manifest["rows"] == len(upload.rows) == sum(codes.values())
        self._expect(counted, f"{upload.name}: the manifest counts {manifest['codes']}, the database {codes}")

    def _stored_answers(self, batch_id: int) -> Iterator[tuple[Any, ...]]:
        with self.app.engine.connect() as connection:
            yield from fetch(
                connection,
                "SELECT o.code, l.number, l.key, coalesce(v.code, CASE WHEN l.cause IS NULL THEN s.code END)"
                " FROM outcomes o LEFT JOIN licenses l ON l.number = o.license_number"
                " LEFT JOIN vouchers v ON v.id = l.voucher_id LEFT JOIN serials s ON s.id = l.serial_id"
                " WHERE o.batch_id = %(b)s ORDER BY o.ordinal",
                {"b": batch_id},
            )

    def _check_table(self, upload: Upload, table: list[list[str]], answers: list[tuple[Any, ...]]) -> None:
        """Every row as it was sent, with its own answer, and a key that is valid and made for this code."""
        width, now, rows = len(upload.header), time.time(), self._rows[upload.number]
        originals = [tuple(line[:width]) for line in table[1:]]
        self._expect(originals == [tuple(row) for row in rows], f"{upload.name}: the rows came back changed")
        told = [tuple(line[width:][index] for index in (0, 2, 3)) for line in table[1:]]
        stored = [(code, number or "", key or "") for code, number, key, _ in answers]
        self._expect(told == stored, f"{upload.name}: the result file tells other answers than the database")
        for row, (code, number, key, source) in zip(rows, answers, strict=False):
            self.counts["rows"] += 1
            if key is None:
                continue
            verdict = verify(key, self._key_set, now=now)
            self._expect(verdict.valid, f"{upload.name}: the key of {number} is {verdict.code}")
            self._expect(
                verdict.claims.get("jti") == number, f"{upload.name}: the key of {number} names another license"
            )
            if source is not None:  # else it came of a license that moved
                self._expect(_bare(row[0]) == _bare(source), f"{upload.name}: {row[0]} got the license of {source}")
            if code in ISSUED:
                self._issued[number] += 1

    def _check_codes(self, upload: Upload, batch_id: int, content: bytes) -> None:
        listed = [line[0] for line in _table("codes.csv", content)[1:]]
        with self.app.engine.connect() as connection:
            query = (
                "SELECT code FROM vouchers WHERE order_id IN"
                " (SELECT order_id FROM outcomes WHERE batch_id = %(b)s AND order_id IS NOT NULL)"
            )
            minted = [row[0] for row in fetch(connection, query, {"b": batch_id})]
        self.counts["codes"] += len(listed)
        self._expect(
            sorted(listed) == sorted(minted), f"{upload.name}: {len(listed)} codes listed, {len(minted)} minted"
        )


def differences(answers: Answers, undisturbed: Answers, uploads: list[Upload]) -> list[str]:
    """Where a run's answers are not those of the uninterrupted run, row for row."""
    found = []
    for number in sorted(answers.keys() | undisturbed.keys()):
        codes, other = answers.get(number, []), undisturbed.get(number, [])
        if codes != other:
            pairs = enumerate(zip(codes, other, strict=False), 1)
            first = next(((row, pair) for row, pair in pairs if pair[0] != pair[1]), (0, (len(codes), len(other))))
            found.append(
                f"file {number} ({uploads[number].name}) row {first[0]}: {first[1][0]}, undisturbed {first[1][1]}"
            )
    return found


def _bare(code: str | None) -> str:
    return re.sub("[^A-Z0-9]", "", (code or "").upper())


def _table(name: str, content: bytes) -> list[list[str]]:
    """The cells of a CSV or XLSX file as texts."""
    if not name.endswith(".xlsx"):
        text = content.decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text), delimiter=";" if ";" in text.split("\n", 1)[0] else ","))
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        file.write(content)
        file.flush()
        rows = CalamineWorkbook.from_path(Path(file.name)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    return [[str(cell) for cell in row] for row in rows]
