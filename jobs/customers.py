"""The customers that rows name by company and country: found, or registered under the sending account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jobs import numbers
from jobs.kind import Work
from models import accounts
from models.database import transaction


class Named(NamedTuple):
    """A customer as a row names it: the key that it is found by, its country ("" if blank), its name and e-mail."""

    company_key: str
    country: str
    name: str
    email: str | None


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
