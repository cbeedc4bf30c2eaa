"""Statements with all that a report tells of them, read some contracts at a time; and reports on request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from config.wiring import App
from exporters import statements_json
from exporters.license_bundles import Names
from exporters.statements import Entry, ReportedContract, ReportedLine
from jobs.pools import NOTHING, rules_of
from jobs.refusals import Refused
from licensing import codes
from licensing import contracts as rules
from licensing.contracts import Known, Period
from licensing.fields import Language
from models import accounts, contracts, products, statement_reports, usage
from models.contracts import Contract, ContractLine
from models.database import transaction

Form = Literal["pdf", "xlsx", "json"]
_AT_ONCE, _AT_ONCE_WITH_USAGE = 50, 10  # contracts that are read together


def gather(
    connection: Connection, keys: Sequence[str], *, batch_id: int | None = None, with_usage: bool = False
) -> Iterator[ReportedContract]:
    """Contracts in the order of their keys, with the statements that a batch wrote, or (None) with all of them.

    ``with_usage``: with what is known of their usage, too. Contracts without statements are left out.
    """
    most = _AT_ONCE_WITH_USAGE if with_usage else _AT_ONCE
    for first in range(0, len(keys), most):
        some = keys[first : first + most]
        found = contracts.by_key(connection, some, lock=False)
        block = _Block(connection, list(found.values()), batch_id, with_usage=with_usage)
        for key in some:
            if key in found and (contract := block.contract(found[key])).lines:
                yield contract


class _Block:
    """Some contracts, with everything about them by one query each."""

    def __init__(
        self, connection: Connection, found: Sequence[Contract], batch_id: int | None, *, with_usage: bool
    ) -> None:
        lines = list(contracts.lines_of(connection, found).values())
        ids = [line.id for line in lines]
        self._entries = statement_reports.entries(connection, ids, batch_id)
        self._products = products.by_id(connection, list({line.product_id for line in lines}))
        self._customers = accounts.by_numbers(connection, list({one.customer_number for one in found}), lock=False)
        self._with_usage = with_usage
        ever = dict.fromkeys(ids, date.min) if with_usage else {}
        self._reports, self._movements = usage.by_day(connection, ever), contracts.by_day(connection, ever)
        self._lines: dict[str, list[ReportedLine]] = {}
        for line in lines:
            if line.id in self._entries:
                self._lines.setdefault(line.contract.key, []).append(self._line(line))

    def contract(self, contract: Contract) -> ReportedContract:
        """A contract with its lines that have statements, by product."""
        customer = self._customers[contract.customer_number]
        return ReportedContract(
            contract.code,
            customer.number,
            customer.name,
            customer.country,
            customer.locale,
            contract.time_zone,
            sorted(self._lines.get(contract.key, ()), key=lambda line: line.sku),
        )

    def _line(self, line: ContractLine) -> ReportedLine:
        product, terms = self._products[line.product_id], rules_of(line)
        entries = [Entry(*entry) for entry in self._entries[line.id]]
        named = product.sku, product.name, line.terms["currency"], terms, entries
        if not self._with_usage:
            return ReportedLine(*named)
        known = self._known(line, terms, max(entry.until for entry in entries))
        gaps = {entry.number: _gaps(terms, entry, known) for entry in entries if entry.missing_days}
        return ReportedLine(*named, known, gaps)

    def _known(self, line: ContractLine, terms: rules.Line, until: date) -> list[Known]:
        if terms.report_days is not None:
            days, quantities = self._reports.get(line.id, NOTHING)
            return rules.reported(days, quantities, terms.report_days)
        days, moved = self._movements.get(line.id, NOTHING)
        return rules.drawn(days, moved, terms.starts.toordinal(), until.toordinal())


def _gaps(terms: rules.Line, entry: Entry, known: Sequence[Known]) -> Sequence[Period]:
    """The days that a statement knows nothing of; none where it counted others than are missing now."""
    missing = rules.fold(terms, Period(entry.starts, entry.ends), known, entry.until).missing
    return missing if sum(gap.days for gap in missing) == entry.missing_days else ()


def file_name(names: Names, code: str, suffix: str) -> str:
    """A name for a contract's file that every system takes and no other contract has."""
    return names.safe(f"statement-{code}{suffix}".replace("/", "_"))


def contracts_of_batch(app: App, batch_id: int) -> list[str]:
    """The contracts that a batch wrote statements of, as they are called."""
    with transaction(app.engine) as connection:
        return [contract.code for contract in statement_reports.subjects_of(connection, batch_id)[0]]


def reports(app: App, wanted: Sequence[str], form: Form, language: Language) -> Iterator[tuple[str, bytes]]:
    """Reports of contracts as they stand now: each file's name and content. Raises :class:`Refused`."""
    names = Names()
    for code in wanted:
        found = _found(app, code)
        yield file_name(names, found.code, f".{form}"), _rendered(found, form, language, app.settings.issuer)


def _found(app: App, code: str) -> ReportedContract:
    with transaction(app.engine) as connection:
        key = codes.match_key(code)
        if not contracts.by_key(connection, [key], lock=False):
            raise Refused(
                "unknown_contract",
                f"There is no contract {code}. Check it for typing mistakes.",
                f"Non esiste il contratto {code}. Controllare che sia scritto bene.",
            )
        found = next(gather(connection, [key], with_usage=True), None)
    if found is None:
        raise Refused(
            "no_statements",
            f"Contract {code} has no statements yet: no reconciliation has counted it.",
            f"Il contratto {code} non ha ancora estratti: nessuna riconciliazione lo ha contato.",
        )
    return found


def _rendered(contract: ReportedContract, form: Form, language: Language, issuer: str) -> bytes:
    if form == "json":
        return b"".join(statements_json.document([contract], issuer=issuer, batch=None))
    if form == "pdf":
        from exporters import statement_pages
        from exporters.statement_words import Writing

        return statement_pages.page(contract, Writing(language, contract.locale), issuer=issuer)
    from exporters.statement_workbooks import StatementBook

    book = StatementBook(language, issuer=issuer)
    book.add(contract)
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "statement.xlsx"
        book.save(path)
        return path.read_bytes()
