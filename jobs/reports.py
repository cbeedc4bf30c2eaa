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
_CONNECTIONS = 3  # that reports are made with
_LONG_LIST = 50_000  # statements
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


def of_batch(app: App, connection: Connection, batch: Batch, folder: Path) -> Reports:
    """The reports of a batch, made in a folder; customers' copies are stored. Raises ``StoreUnavailable``.

    Where the batch wrote nothing, or of very many contracts, a note tells what is not there.
    """
    making = _Making(app, connection, batch, folder)
    language, found, most = making.language, making.found, app.settings.statement_pages
    if not found:
        return Reports((), (_NOTHING[language],))
    if len(found) > most:
        note = _NO_PAGES[language].format(most, batch.id)
        return Reports(making.at_once(note), (note,))
    pages: dict[str, Path] = {}
    workbook = making.workbook(sorted(found, key=lambda key: key not in making.flagged), pages, ())
    copies.put_all(app, making.copies(pages))
    customers = len({contract.customer_number for contract in making.contracts})
    files = [making.table(), making.figures(), workbook, making.bundle(pages)]
    return Reports(files, (_COPIES[language].format(customers, batch.id),))


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

    def __init__(self, app: App, connection: Connection, batch: Batch, folder: Path) -> None:
        self._app, self._connection, self._batch, self._folder = app, connection, batch, folder
        self._issuer = app.settings.issuer
        self.language: Language = batch.options["language"]
        self._gravest = _begun(self._look_up_gravest)
        self._sums = statement_reports.contracts_of(connection, batch.id)
        self._by_id = {one.id: one for one in self._sums}
        self.contracts = list(self._by_id.values())
        self._wares = statement_reports.wares_of(connection, list(self._by_id))
        self.found = {contract.key: contract.code for contract in self.contracts}
        self.flagged = {one.key for one in self._sums if one.is_flagged}
        self._count = sum(one.statements for one in self._sums)

    def table(self) -> Listing:
        """All statements that the batch wrote, a line each, by a thread; a long list by two, so that PostgreSQL has two
        things to do.
        """
        size = len(self.contracts) if self._count < _LONG_LIST else -(-len(self.contracts) // 2)
        parts = [_aside(partial(self._part, first, size)) for first in range(0, len(self.contracts), size)]
        return Listing("statements", self._count, chain(statement_lists.table(()), *parts))

    def figures(self) -> Listing:
        """The same as JSON, with the terms of each line."""
        blocks = self._figures(self._written())
        return Listing("figures", self._count, blocks, ".json", statements_json.MEDIA_TYPE)

    def _written(self) -> Iterator[ReportedContract]:
        """What the batch wrote, customer by customer."""
        return statements.gather(self._connection, list(self.found), batch_id=self._batch.id)

    def _texts(self, contracts: Sequence[Reported]) -> Iterator[tuple[str, str]]:
        """The customer's number and the lines in the list of what the batch wrote of contracts, in their order."""
        cells = statement_lists.cells
        named = {one.id: (cells(one.customer, one.customer_number), cells(one.code)) for one in contracts}
        customers = {one.id: one.customer_number for one in contracts}
        wares = {
            (one.product_id, one.currency): (cells(one.name, one.sku), cells(one.currency) if one.currency else "")
            for one in self._wares
        }
        with self._app.engine.connect() as connection:
            for contract_id, text in statement_rows.texts_of_batch(connection, self._batch.id, named, wares):
                yield customers[contract_id], text

    def _figures(self, found: Iterable[ReportedContract]) -> Iterator[bytes]:
        return statements_json.document(found, issuer=self._issuer, batch=self._batch.id)

    def workbook(self, keys: Sequence[str], pages: dict[str, Path], remarks: Sequence[str]) -> Listing:
        """The workbook, with a sheet for each of these contracts; the pages of these are made with it, by contract."""
        from exporters.statement_pages import page
        from exporters.statement_words import Writing

        book, names = self._book([self.found[key] for key in keys], remarks), Names()
        for contract in statements.gather(self._connection, keys, with_usage=True):
            book.add(contract)
            path = self._folder / statements.file_name(names, contract.code, ".pdf")
            path.write_bytes(page(contract, Writing(self.language, contract.locale), issuer=self._issuer))
            pages[contract.code] = path
        return self._summary(file_blocks(self._saved(book)))

    def at_once(self, remark: str) -> list[Listing]:
        """The list of very many statements and the workbook without sheets of contracts."""
        table = self.table()
        self._gravest.result()  # by now PostgreSQL writes the list, which it would wait with while Python is busy
        book = _aside(lambda: self._saved(self._book((), (remark,))))
        return [table, self._summary(book)]

    def _part(self, first: int, size: int) -> Path:
        """The lines of the list of so many contracts, on disk: their transaction must not wait for the store."""
        path = self._folder / f"list-{first}.csv"
        with path.open("wb") as file:
            texts = self._texts(self.contracts[first : first + size])
            file.writelines(statement_lists.rows(text for _, text in texts))
        return path

    def _listed(self) -> list[Listed]:
        """The statements in the workbook's list, the gravest first, then by contract and product: all of them, or of
        very many those that somebody should look at.
        """
        from exporters.statement_workbooks import MOST_LISTED, Listed

        found = list(self._gravest.result())
        if not found or self._count <= MOST_LISTED:
            found += self._look_up_gravest(is_flagged=False)
        skus = {one.product_id: one.sku for one in self._wares}
        listed = []
        for facts, entry in found:
            contract, sku, said = self._by_id[facts.contract_id], skus[facts.product_id], Entry(*entry)
            order = -facts.grave, -said.owed, contract.key, sku, said.starts, said.number
            names = contract.code, contract.customer_number, contract.customer, sku, facts.currency
            listed.append((order, Listed(*names, said)))
        return [one for _, one in sorted(listed, key=itemgetter(0))]

    def _look_up_gravest(self, *, is_flagged: bool = True) -> Sequence[tuple[Grave, tuple[Any, ...]]]:
        from exporters.statement_workbooks import MOST_LISTED

        with self._app.engine.connect() as connection:
            return statement_reports.gravest(connection, self._batch.id, MOST_LISTED, is_flagged=is_flagged)

    def _book(self, contracts: Sequence[str], remarks: Sequence[str]) -> StatementBook:
        """The workbook with its summary and its list."""
        from exporters.statement_words import word
        from exporters.statement_workbooks import StatementBook, Total

        book = StatementBook(self.language, issuer=self._issuer)
        amount = word("totals_of", self.language, f"{self._count:,}", f"{len(self.found):,}")
        book.summarize(
            f"{word('batch', self.language)} {self._batch.id}  ·  {amount}",
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
        for currency in sorted({one.currency for one in self._sums}):
            own = [one for one in self._sums if one.currency == currency]
            sums = [sum(amounts, Decimal(0)) for amounts in zip(*[one[-3:] for one in own], strict=True)]
            yield currency, sum(one.statements for one in own), sums[0], sums[1], sums[2]

    def bundle(self, pages: Mapping[str, Path]) -> Listing:
        """The pages in one archive."""
        blocks = license_bundles.bundle((path.name, path.read_bytes()) for path in pages.values())
        return Listing("pages", len(pages), blocks, ".zip", license_bundles.MEDIA_TYPE)

    def copies(self, pages: Mapping[str, Path]) -> Iterator[Copy]:
        """What each customer gets: its lists, and the pages of its contracts."""
        for number, texts in groupby(list(self._texts(self.contracts)), key=lambda told: told[0]):
            table = statement_lists.table([text for _, text in texts])
            yield Copy(f"{copies.place_of(number, self._batch.id)}/statements.csv", list(table), listings.MEDIA_TYPE)
        for number, found in groupby(self._written(), key=lambda contract: contract.customer_number):
            place, own = copies.place_of(number, self._batch.id), list(found)
            yield Copy(f"{place}/figures.json", list(self._figures(own)), statements_json.MEDIA_TYPE)
            for contract in own:
                path = pages[contract.code]
                yield Copy(f"{place}/{path.name}", file_blocks(path), "application/pdf")
