"""Licenses and what replaced them: the number of an old key stands for what is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from jobs import numbers as fresh
from jobs.issuing import NewLicense, issue
from jobs.kind import Asked, Issued, Work
from licensing import terms
from models import licenses
from models.licenses import Child, Held, Shown
from signing.tokens import LicenseClaims


class Chains:
    """The licenses that the rows of a slice name, locked chain by chain, and what came of them.

    Where part of a license was moved or upgraded, the rest is a license of its own: rows that name the old number mean
    that one.
    """

    def __init__(
        self,
        connection: Connection,
        work: Work,
        numbers: Sequence[str],
        before: Chains | None = None,
        *,
        are_locked: bool = False,
    ) -> None:
        """``numbers``: one for each row, the license that it names; ``are_locked``: their chains are."""
        self.work = work
        self.licenses = self._held(connection, list(set(numbers)), lock=not (work.is_preview or are_locked))
        self.children: dict[str, list[Child | NewLicense]] = {}
        self.rest: dict[str, str] = {}  # by the license that was split
        ended = [license.number for license in self.licenses.values() if license.state != "active"]
        for child in licenses.children(connection, ended) if ended else ():
            if child.cause == "split":
                self.rest[child.parent] = child.number
            else:
                self.children.setdefault(child.parent, []).append(child)
        if self.rest:
            self.licenses |= self._held(connection, list(self.rest.values()), lock=False)
        self.fresh_numbers = _fresh_numbers(max(1, len(numbers)))
        if before is not None:
            self.licenses |= before.licenses
            self.children |= before.children
            self.rest |= before.rest

    def _held(self, connection: Connection, numbers: Sequence[str], *, lock: bool) -> dict[str, Held]:
        account = self.work.account
        is_vendor = account.type == "vendor"
        return licenses.held(connection, numbers, account_id=account.id, is_vendor=is_vendor, lock=lock)

    def now(self, number: str) -> tuple[Held | None, list[Child | NewLicense]]:
        """What is left of a license, and all that was made of the rest of it, oldest first."""
        made = list(self.children.get(number, ()))
        while number in self.rest:
            number = self.rest[number]
            made += self.children.get(number, ())
        return self.licenses.get(number), made

    def left_of(self, number: str) -> Held | None:
        """What is left of a license."""
        while number in self.rest:
            number = self.rest[number]
        return self.licenses.get(number)

    def divide(self, row: Asked, old: Held, new: NewLicense) -> Divided:
        """Replace a license, in memory: as much of it as its :meth:`successor` has, and the rest by one like it."""
        divided = Divided(old, new)
        self.children.setdefault(old.number, []).append(new)
        if new.quantity < old.quantity:
            divided.rest = self._keep(row, old, old.quantity - new.quantity)
        old.state = divided.state
        return divided

    def reduce(self, row: Asked, old: Held, quantity: int) -> Divided:
        """Replace a license, in memory, by one like it with less of it."""
        divided = Divided(old, self._keep(row, old, quantity))
        old.state = divided.state
        return divided

    def _keep(self, row: Asked, old: Held, quantity: int) -> NewLicense:
        """What is left of a license, as a license of its own that its number stands for from now on."""
        rest = self.successor(row, old, "split", quantity)
        self.rest[old.number] = rest.number
        self.licenses[rest.number] = replace(old, number=rest.number, quantity=quantity)
        return rest

    def successor(self, row: Asked, old: Held, cause: str, quantity: int) -> NewLicense:
        """A license like an old one, to be changed in what sets it apart before it replaces that one."""
        return NewLicense(
            row.ordinal, next(self.fresh_numbers), old.customer_id, old.customer_number, old.product_id, old.sku,
            old.version, quantity, old.host_id, None, old.valid_until, old.maintenance, old.serial_id, None,
            old.contract_line_id, cause, old.number, old.root,
        )  # fmt: skip

    def apply(self, connection: Connection, divided: Sequence[Divided]) -> Issued:
        """Make the replacements true: end the old licenses, sign and write the new ones, carry over what is theirs."""
        new = [license for one in divided for license in (one.new, one.rest) if license is not None]
        if not new:
            return {}
        issued = issue(connection, self.work, new)
        for state in ("rehosted", "superseded"):
            ended = [one.old.number for one in divided if one.state == state]
            if ended:
                licenses.end(connection, ended, state, self.work.at)
        if rich := licenses.with_belongings(connection, list({one.old.number for one in divided})):
            parents = {license.number: license.parent or "" for license in new}
            pairs = [(_stored(number, parents), number) for number in parents]
            licenses.carry_over(connection, [pair for pair in pairs if pair[0] in rich])
        return issued

    def sign_again(self, connection: Connection, changed: Mapping[str, Held]) -> Issued:
        """Write the maintenance of licenses, by number, and a new key that tells of it; says how they look."""
        assert self.work.signer is not None
        keys = dict(zip(changed, self.work.signer.sign_many(map(self._claims, changed.values())), strict=True))
        licenses.maintain(connection, {number: (keys[number], one.maintenance) for number, one in changed.items()})
        return {
            number: Shown(keys[number], license.sku, license.quantity, license.valid_until)
            for number, license in changed.items()
        }

    def _claims(self, license: Held) -> LicenseClaims:
        return LicenseClaims(
            license.customer_number,
            license.number,
            int(self.work.at.timestamp()),
            terms.expiry_epoch(license.valid_until),
            license.sku,
            license.version,
            license.quantity,
            license.host_id,
            license.maintenance and license.maintenance.ends,
        )


def _fresh_numbers(count: int) -> Iterator[str]:
    """New license numbers, so many at a time: enough unless something is left of each license."""
    while True:
        yield from fresh.license_numbers(count)


def _stored(number: str, parents: Mapping[str, str]) -> str:
    """The license that one of these comes from, and that was there before them."""
    while number in parents:
        number = parents[number]
    return number


class Divided:
    """A license, what replaces (part of) it, what is left of it as a license of its own, and what becomes of it."""

    __slots__ = ("new", "old", "rest", "state")

    def __init__(self, old: Held, new: NewLicense) -> None:
        self.old, self.new = old, new
        self.rest: NewLicense | None = None
        self.state = "rehosted" if new.cause == "rehost" else "superseded"
