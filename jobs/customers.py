"""The customers that rows name by company and country: found, or registered under the sending account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from jobs import numbers
from jobs.kind import Work
from licensing.codes import check, company_key, grouped, match_key
from licensing.decisions import Decision
from licensing.registering import Party
from models import accounts
from models.database import transaction


class Named(NamedTuple):
    """A customer as a row names it: the key that it is found by, its country ("" if blank), its name and e-mail."""

    company_key: str
    country: str
    name: str
    email: str | None


class Customers:
    """The customers that the rows of a slice are for: by number, or by company and country; a customer for itself."""

    def __init__(self, connection: Connection, work: Work, asked: Iterable[tuple[str | None, str | None, str]]) -> None:
        """``asked``: (customer number, company, country or "") of each row."""
        self.work = work
        self.numbers: dict[int, str] = {work.account.id: work.account.number}
        self._by_number: dict[str, int] = {}
        self._by_company: dict[tuple[str, str], int] = {}
        named = list(asked)
        numbers_asked = {_number(number) for number, _, _ in named if number}
        if numbers_asked:
            self._by_number = accounts.acts_for(connection, work.account.id, list(numbers_asked))
            self.numbers |= {found: number for number, found in self._by_number.items()}
        companies = {(company_key(company), country) for number, company, country in named if company and not number}
        if companies:
            self._learn(accounts.find_customers(connection, work.account.id, list(companies)))

    def _learn(self, found: Mapping[tuple[str, str], tuple[int, str]]) -> None:
        self._by_company |= {key: customer_id for key, (customer_id, _) in found.items()}
        self.numbers |= dict(found.values())

    def of(self, number: str | None, company: str | None, country: str) -> Party | Decision:
        """The customer of a row, or why there is none."""
        if self.work.account.type == "customer":
            itself = number is None or _number(number) == self.work.account.number
            return self.work.account.id if itself else Decision("not_delegated", field="customer_number")
        if number is not None:
            return self._by_number.get(_number(number)) or Decision("not_delegated", field="customer_number")
        if company is None:
            return Decision("customer_required", field="company")
        key = (company_key(company), country)
        return self._by_company.get(key, key)

    def settle(self, named: Iterable[Named]) -> None:
        """Register those that have no account yet."""
        new = [customer for customer in named if (customer.company_key, customer.country) not in self._by_company]
        if new:
            self._learn(settle(self.work, new))

    def id_of(self, party: Party) -> int:
        """The id of a customer that is settled."""
        return party if isinstance(party, int) else self._by_company[party]


def _number(text: str) -> str:
    """An account number as it is stored: those that we gave in groups, others as they are."""
    key = match_key(text)
    return grouped(key) if check(key) == "ours" else text


def settle(work: Work, named: Iterable[Named]) -> dict[tuple[str, str], tuple[int, str]]:
    """The id and number of every customer named, registered where new, by (company key, country).

    In a transaction of its own, ended before the chunk signs: two chunks that meet the same new customer wait for each
    other for a moment only, and a customer that is registered though its chunk then fails is found by the next try.
    """
    by_key: dict[tuple[str, str], Named] = {}
    for customer in named:
        by_key.setdefault((customer.company_key, customer.country), customer)
    with transaction(work.engine) as connection:
        found = accounts.find_customers(connection, work.account.id, list(by_key))
        missing = [customer for key, customer in by_key.items() if key not in found]
        if missing:
            fresh = numbers.account_numbers(len(missing))
            accounts.add_customers(
                connection,
                work.account.id,
                [(c.company_key, c.country, c.name, number, c.email) for c, number in zip(missing, fresh, strict=True)],
            )
            found |= accounts.find_customers(connection, work.account.id, [(c.company_key, c.country) for c in missing])
    return found
