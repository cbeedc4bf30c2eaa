"""The contracts that the rows of a slice name, as far as their sender may use them, with their lines."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from jobs.kind import Work
from licensing import codes
from licensing.contracts import Commitment, Line
from licensing.decisions import Decision
from models import contracts, products
from models.contracts import Contract, ContractLine

NOTHING = array("i"), array("i")  # days and quantities of a line that has none
Named = tuple[str | None, str | None, str]  # contract, or else the customer's number; product


class Pools:
    """Contracts, products and lines by what rows call them; contracts are locked in key order when ``lock``."""

    def __init__(self, connection: Connection, work: Work, named: Sequence[Named], *, lock: bool = False) -> None:
        keys = list({codes.match_key(contract) for contract, _, _ in named if contract})
        customers = list({customer for contract, customer, _ in named if customer and not contract})
        found = contracts.by_key(connection, keys, lock=lock)
        if customers:
            found |= contracts.of_customers(connection, customers)
        if work.account.type != "vendor":
            usable = contracts.usable_by(connection, [one.id for one in found.values()], work.account.id)
            found = {key: one for key, one in found.items() if one.id in usable}
        self.contracts: dict[str, Contract] = found
        self.products = products.by_sku(connection, list({sku for _, _, sku in named}))
        self.lines = contracts.lines_of(connection, list(found.values()))
        self.rules = {line.id: rules_of(line) for line in self.lines.values()}
        self._work = work
        self._of_customer: dict[tuple[str, int], list[ContractLine]] = {}
        for line in self.lines.values():
            self._of_customer.setdefault((line.contract.customer_number, line.product_id), []).append(line)

    def find(
        self, contract: str | None, customer: str | None, sku: str, day: date | None = None
    ) -> ContractLine | Decision:
        """The line that a row means: of the contract it names, or the only one of its customer on that day."""
        product = self.products.get(sku.upper())
        if contract:
            key = codes.match_key(contract)
            if key not in self.contracts:
                return Decision("unknown_contract", field="contract")
            line = None if product is None else self.lines.get((key, product.id))
            return line or Decision("product_not_in_contract", sku, field="product")
        if not customer:
            return Decision("missing_value", "contract", field="contract")
        meant = [] if product is None else self._of_customer.get((customer, product.id), [])
        if day is not None:
            meant = [one for one in meant if (rules := self.rules[one.id]).starts <= day <= rules.ends]
        if len(meant) > 1:
            return Decision(
                "several_contracts", ", ".join(sorted(one.contract.code for one in meant)), field="contract"
            )
        return meant[0] if meant else Decision("unknown_contract", field="customer_number")

    def today(self, line: ContractLine) -> date:
        """The day of the batch's confirmation in the contract's own time zone."""
        return self._work.at.astimezone(ZoneInfo(line.contract.time_zone)).date()


def rules_of(line: ContractLine) -> Line:
    """A line as the rules of contracts know it."""
    terms = {name: value for name, value in line.terms.items() if name != "currency"}
    return Line(
        commitments=tuple(Commitment(since, *commit) for since, commit in sorted(line.commitments.items())), **terms
    )
