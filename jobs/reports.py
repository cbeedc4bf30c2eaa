"""The files of a reconciliation: lists, a workbook, a page for each contract, and each customer's own of them.

Lists (CSV, JSON) and the workbook's summary tell what the batch wrote; a contract's page and sheet tell of all its
periods. What makes pages and workbooks is imported when it is needed, so that workers that make none stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection

from config.wiring import App
from exporters import license_bundles, listings, statement_lists, statements_json
from exporters.license_bundles import Names
from exporters.statements import Entry, ReportedContract
from jobs import copies, statements
from jobs.copies import Copy
from jobs.kind import Listing, Reports
from licensing.fields import Language
from models import statement_reports
from models import statements as statement_rows
from models.batches import Batch
from models.database import connect_ahead
from models.statement_reports import Grave, Reported
from storage.objects import file_blocks

if TYPE_CHECKING:
    from exporters.statement_workbooks import Listed, StatementBook

T = TypeVar("T")
_CONNECTIONS = 4  # that reports are made with, the one that ends the batch among them
_LONG_LIST, _IN_MEMORY = 50_000, 20_000  # statements
_NOTHING = {
    "en": "No statement was new or changed, so there is nothing to report.",
    "it": "Nessun estratto è nuovo o cambiato: non c'è nulla da riferire.",
}
_COPIES = {
    "en": "Each customer's own statements (customers: {}) are stored under customers/NUMBER/{}/ too.",
    "it": "Gli estratti di ciascun cliente (clienti: {}) sono anche in customers/NUMERO/{}/.",
}
_NO_PAGES = {
    "en": "Contracts have no pages, sheets and JSON and customers no copies, because there are more than {:,} "
    "contracts: `keymill statement --batch {} --to FOLDER` makes the pages.",
    "it": "I contratti non hanno pagine, fogli e JSON e i clienti non hanno copie, perché i contratti sono più di "
    "{:,}: produce le pagine `keymill statement --batch {} --to CARTELLA`.",
}


def get_ready(app: App) -> None:
    """Import what the workbook needs, and connect: as long as a report takes, so not in the middle of a night."""
    import exporters.statement_workbooks  # noqa: F401

    connect_ahead(app.engine, _CONNECTIONS)


def of_batch(app: App, batch: Batch, folder: Path) -> Future[Reports]:
    """The reports of a batch, made by threads in a folder; customers' copies are stored, too.

    Where the batch wrote nothing, or of very many contracts, a note tells what is not there. The future raises
    ``StoreUnavailable``.
    """
    return _begun(lambda: _made(app, _Making(app, batch, folder)))


def _made(app: App, making: _Making) -> Reports:
    language, found, most = making.language, making.found, app.settings.statement_pages
    if not found:
        return Reports((), (_NOTHING[language],))
    if len(found) > most:
        note = _NO_PAGES[language].format(most, making.batch_id)
        return Reports(making.at_once(note), (note,))
    pages: dict[str, Path] = {}
    workbook = making.workbook(pages)
    copies.put_all(app, making.copies(pages))
    customers = len({contract.customer_number for contract in making.contracts})
    files = [making.table(), making.figures(), workbook, making.bundle(pages)]
    return Reports(files, (_COPIES[language].format(customers, making.batch_id),))


def _begun(make: Callable[[], T]) -> Future[T]:
    """What a thread makes meanwhile, on a connection of its own: a batch's statements do not change while it ends."""
    pool = ThreadPoolExecutor(1)
    making = pool.submit(make)
    pool.shutdown(wait=False)
    return making


def _aside(make: Callable[[], Path]) -> Iterator[bytes]:
    """A file that a thread makes meanwhile."""
    return (block for made in (_begun(make),) for block in file_blocks(made.result()))


class _Making:
    """The making of one batch's reports."""

    def __init__(self, app: App, batch: Batch, folder: Path) -> None:
        self._app, self._folder, self._issuer = app, folder, app.settings.issuer
        self.batch_id = batch.id
        self.language: Language = batch.options["language"]
        self._flagged = _begun(lambda: self._gravest(is_flagged=True))
        with app.engine.connect() as connection:
            self.contracts, self._wares = statement_reports.subjects_of(connection, batch.id)
        self.found = {contract.key: contract.code for contract in self.contracts}
        self._count = sum(contract.statements for contract in self.contracts)

    def _gravest(self, *, is_flagged: bool) -> list[tuple[Grave, tuple[Any, ...]]]:
        """Statements for the workbook's list: those to be looked at, or the others."""
        from exporters.statement_workbooks import MOST_LISTED

        with self._app.engine.connect() as connection:
            return statement_reports.gravest(connection, self.batch_id, MOST_LISTED, is_flagged=is_flagged)

    def table(self) -> Listing:
        """All statements that the batch wrote, a line each, by a thread; a long list by two, so that PostgreSQL has two
        things to do.
        """
        size = len(self.contracts) if self._count < _LONG_LIST else -(-len(self.contracts) // 2)
        parts = []
        for first in range(0, len(self.contracts), size):
            connection = self._app.engine.connect()  # the thread hangs up
            texts = self._texts(connection, self.contracts[first : first + size])
            parts.append(_aside(partial(self._part, self._folder / f"list-{first}.csv", connection, texts)))
        return Listing("statements", self._count, chain(statement_lists.table(()), *parts))

    def figures(self) -> Listing:
        """The same as JSON, with the terms of each line."""
        blocks = self._figures(self._written())
        return Listing("figures", self._count, blocks, ".json", statements_json.MEDIA_TYPE)

    def _written(self) -> Iterator[ReportedContract]:
        """What the batch wrote, customer by customer."""
        with self._app.engine.connect() as connection:
            yield from statements.gather(connection, list(self.found), batch_id=self.batch_id)

    def _texts(self, connection: Connection, contracts: Sequence[Reported]) -> Iterator[tuple[str, str]]:
        """The customer's number and the lines in the list of what the batch wrote of contracts, in their order."""
        cells = statement_lists.cells
        named = {one.id: (cells(one.customer, one.customer_number), cells(one.code)) for one in contracts}
        customers = {one.id: one.customer_number for one in contracts}
        wares = {
            (one.product_id, one.currency): (cells(one.name, one.sku), cells(one.currency) if one.currency else "")
            for one in self._wares
        }
        at_once = max(_IN_MEMORY * len(self.contracts) // self._count, 1)
        texts = statement_rows.texts_of_batch(connection, self.batch_id, named, wares, at_once=at_once)
        return ((customers[contract_id], text) for contract_id, text in texts)

    def _figures(self, found: Iterable[ReportedContract]) -> Iterator[bytes]:
        return statements_json.document(found, issuer=self._issuer, batch=self.batch_id)

    def workbook(self, pages: dict[str, Path]) -> Listing:
        """The workbook, with a sheet for each contract; the pages of these are made with it, by contract."""
        from exporters.statement_pages import page
        from exporters.statement_words import Writing

        with self._app.engine.connect() as connection:
            flagged = statement_reports.flagged_of(connection, self.batch_id)
            keys = [one.key for one in sorted(self.contracts, key=lambda contract: contract.id not in flagged)]
            book, names = self._book([self.found[key] for key in keys]), Names()
            for contract in statements.gather(connection, keys, with_usage=True):
                book.add(contract)
                path = self._folder / statements.file_name(names, contract.code, ".pdf")
                path.write_bytes(page(contract, Writing(self.language, contract.locale), issuer=self._issuer))
                pages[contract.code] = path
        return self._summary(file_blocks(self._saved(book)))

    def at_once(self, remark: str) -> list[Listing]:
        """The list of very many statements and the workbook without sheets of contracts."""
        table = self.table()
        self._flagged.result()  # by now PostgreSQL writes the list, which it would wait with while Python is busy
        book = _aside(lambda: self._saved(self._book(remarks=(remark,))))
        return [table, self._summary(book)]

    def _part(self, path: Path, connection: Connection, texts: Iterator[tuple[str, str]]) -> Path:
        """Lines of the list, on disk: their transaction must not wait for the store."""
        with connection, path.open("wb") as file:
            file.writelines(statement_lists.rows(text for _, text in texts))
        return path

    def _listed(self) -> list[Listed]:
        """The statements in the workbook's list, the gravest first, then by contract and product: all of them, or of
        very many those that somebody should look at.
        """
        from exporters.statement_workbooks import MOST_LISTED, Listed

        found = self._flagged.result()
        if not found or self._count <= MOST_LISTED:
            found = [*found, *self._gravest(is_flagged=False)]
        skus = {one.product_id: one.sku for one in self._wares}
        contracts = {one.id: one for one in self.contracts}
        listed = []
        for facts, entry in found:
            contract, sku, said = contracts[facts.contract_id], skus[facts.product_id], Entry(*entry)
            order = -facts.grave, -said.owed, contract.key, sku, said.starts, said.number
            names = contract.code, contract.customer_number, contract.customer, sku, facts.currency
            listed.append((order, Listed(*names, said)))
        return [one for _, one in sorted(listed, key=itemgetter(0))]

    def _book(self, contracts: Sequence[str] = (), remarks: Sequence[str] = ()) -> StatementBook:
        """The workbook with its summary and its list."""
        from exporters.statement_words import word
        from exporters.statement_workbooks import StatementBook, Total

        book = StatementBook(self.language, issuer=self._issuer)
        amount = word("totals_of", self.language, f"{self._count:,}", f"{len(self.found):,}")
        book.summarize(
            f"{word('batch', self.language)} {self.batch_id}  ·  {amount}",
            [Total(*total) for total in self._totals()],
            self._listed(),
            count=self._count,
            contracts=contracts,
            remarks=remarks,
        )
        return book

    def _saved(self, book: StatementBook) -> Path:
        target = self._folder / "summary.xlsx"
        book.save(target)
        return target

    def _summary(self, blocks: Iterable[bytes]) -> Listing:
        from exporters.statement_workbooks import MEDIA_TYPE

        return Listing("summary", self._count, blocks, ".xlsx", MEDIA_TYPE)

    def _totals(self) -> Iterator[tuple[str, int, Decimal, Decimal, Decimal]]:
        """By currency ("": none): how many statements, and what is owed by closed, adjusted and open ones."""
        for currency in sorted({ware.currency for ware in self._wares}):
            own = [ware for ware in self._wares if ware.currency == currency]
            owed = [sum(amounts, Decimal(0)) for amounts in zip(*[ware[-3:] for ware in own], strict=True)]
            yield currency, sum(ware.statements for ware in own), owed[0], owed[1], owed[2]

    def bundle(self, pages: Mapping[str, Path]) -> Listing:
        """The pages in one archive."""
        blocks = license_bundles.bundle((path.name, path.read_bytes()) for path in pages.values())
        return Listing("pages", len(pages), blocks, ".zip", license_bundles.MEDIA_TYPE)

    def copies(self, pages: Mapping[str, Path]) -> Iterator[Copy]:
        """What each customer gets: its lists, and the pages of its contracts."""
        with self._app.engine.connect() as connection:
            lines = list(self._texts(connection, self.contracts))
        for number, texts in groupby(lines, key=lambda told: told[0]):
            table = statement_lists.table([text for _, text in texts])
            yield Copy(f"{copies.place_of(number, self.batch_id)}/statements.csv", list(table), listings.MEDIA_TYPE)
        for number, found in groupby(self._written(), key=lambda contract: contract.customer_number):
            place, own = copies.place_of(number, self.batch_id), list(found)
            yield Copy(f"{place}/figures.json", list(self._figures(own)), statements_json.MEDIA_TYPE)
            for contract in own:
                path = pages[contract.code]
                yield Copy(f"{place}/{path.name}", file_blocks(path), "application/pdf")
