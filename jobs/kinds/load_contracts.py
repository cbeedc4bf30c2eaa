"""``load-contracts``: flexible contracts, their lines, and amendments that raise or lower a line from a day on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.time_zones import is_time_zone
from licensing import codes, contracting
from licensing.contracting import Commit, Known, Wanted
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import accounts, contracts, products
from models.contracts import Contract, ContractLine, NewCommitment

COLUMNS = (
    FIELDS["contract"].needed(),
    FIELDS["customer_number"].needed(),
    FIELDS["product"].needed(),
    replace(FIELDS["quantity"], least=0).needed(),
    FIELDS["price"],
    FIELDS["currency"],
    FIELDS["term_start"],
    FIELDS["term"],
    FIELDS["period"],
    FIELDS["metric"],
    FIELDS["policy"],
    FIELDS["growth"],
    FIELDS["tolerance"],
    FIELDS["report_days"],
    FIELDS["time_zone"],
    FIELDS["effective"],
)
_TERMS = {
    "currency": "currency", "term_start": "starts", "term": "months", "period": "unit", "metric": "metric",
    "policy": "policy", "growth": "growth", "tolerance": "tolerance", "report_days": "report_days",
}  # fmt: skip


class Loads:
    """The contracts, customers and products that a slice of rows names."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Loads | None = None) -> None:
        self.work = work
        keys = list({codes.match_key(row[0]) for row in rows})
        self.contracts: dict[str, Contract] = contracts.by_key(connection, keys, lock=not work.is_preview)
        self.lines = contracts.lines_of(connection, list(self.contracts.values()))
        if before is not None:
            self.contracts |= before.contracts
            self.lines |= before.lines
        self.customers = accounts.by_numbers(connection, list({row[1] for row in rows}), lock=False)
        self.products = products.by_sku(connection, list({row[2] for row in rows}))
        self.new_contracts: list[Contract] = []
        self.new_lines: list[ContractLine] = []
        self.new_commitments: list[NewCommitment] = []

    def decide(self, row: Asked) -> Decision:
        """Whether the line is new, amended or known, or why not."""
        wanted = dict(zip(KIND.names, row.values, strict=True))
        customer, product = self.customers.get(wanted["customer_number"]), self.products.get(wanted["product"].upper())
        if customer is None:
            return Decision("unknown_account", wanted["customer_number"], field="customer_number")
        if product is None:
            return Decision("unknown_product", wanted["product"], field="product")
        if wanted["time_zone"] and not is_time_zone(wanted["time_zone"]):
            return Decision("unknown_time_zone", wanted["time_zone"], field="time_zone")
        key = codes.match_key(wanted["contract"])
        contract = self.contracts.get(key)
        if contract is not None and contract.customer_id != customer.id:
            return Decision("contract_terms_fixed", contract.code, field="customer_number")
        if contract is not None and wanted["time_zone"] not in (None, contract.time_zone):
            return Decision("contract_terms_fixed", contract.time_zone, field="time_zone")
        line = self.lines.get((key, product.id))
        decision = contracting.decide_contract_line(
            Wanted(
                {term: wanted[name] for name, term in _TERMS.items() if wanted[name] is not None},
                wanted["quantity"],
                wanted["price"],
                wanted["effective"],
            ),
            None if line is None else Known(line.terms, line.commitments),
        )
        if decision.effect is not None:
            if contract is None:
                zone = wanted["time_zone"] or customer.time_zone or "UTC"
                contract = Contract(key, 0, wanted["contract"], customer.id, zone)
                self.contracts[key] = contract
                self.new_contracts.append(contract)
            self._remember(row, contract, product.id, line, decision.effect)
        return decision

    def _remember(
        self, row: Asked, contract: Contract, product_id: int, line: ContractLine | None, commit: Commit
    ) -> None:
        if line is None:
            line = ContractLine(contract, product_id, dict(commit.terms or {}))
            self.lines[contract.key, product_id] = line
            self.new_lines.append(line)
        line.commitments[commit.since] = commit.quantity, commit.price
        self.new_commitments.append(NewCommitment(line, commit.since, commit.quantity, commit.price, row.ordinal))

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write new contracts, their lines, and what is committed."""
        if self.new_contracts:
            contracts.add(connection, self.new_contracts)
        if self.new_lines:
            contracts.add_lines(connection, self.new_lines)
        if self.new_commitments:
            contracts.commit(connection, self.new_commitments, self.work.batch.id)
        return {}


KIND = Kind(
    name="load-contracts",
    title={"en": "Load contracts", "it": "Caricare contratti"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Loads,
    subject=("contract",),
    domain="contract",
    is_sequential=True,  # lines of one contract in several rows, which may all be new
)
