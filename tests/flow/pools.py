"""A plain model of pools that licenses are drawn from and come back to: what the rules say, one row at a time.

What is drawn of a pool is what its active licenses are; nobody keeps a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class License:
    """One license of a pool; ``rest``: what was left of it. ``is_detached``: taken back, it stands for nothing."""

    pool: Pool
    quantity: int
    host: str
    state: str = "active"
    rest: License | None = None
    is_detached: bool = False

    def now(self) -> License:
        """The license that its number stands for by now."""
        return self if self.rest is None else self.rest.now()


@dataclass(eq=False)
class Pool:
    """A line: what is committed, how much more may grow, and what rows with a reference brought: quantity, license."""

    policy: str
    committed: int
    growth: int
    licenses: list[License] = field(default_factory=list)
    known: dict[str, tuple[int, License]] = field(default_factory=dict)

    @property
    def drawn(self) -> int:
        """How much is in the customer's hands."""
        return sum(license.quantity for license in self.licenses if license.state == "active")

    @property
    def most(self) -> int | None:
        """Beyond that nothing is drawn; None: no end."""
        return self.committed * (100 + self.growth) // 100 if self.policy == "hard_stop" else None


@dataclass
class Answer:
    """What a row is answered: code and, where it matters, detail and license.

    ``undo``: how it is taken back, with the code of that answer; None where it did nothing.
    """

    code: str
    detail: str | None = None
    license: License | None = None
    undo: Callable[[], str] | None = None


def draw(pool: Pool, quantity: int, host: str, reference: str) -> Answer:
    """The answer to a row of ``draw-down`` that draws."""
    if quantity == 0:
        return Answer("nothing_to_draw")
    if reference in pool.known:
        before, license = pool.known[reference]
        if before == quantity and host in ("", license.host):
            return Answer("already_issued", license=license)
        return Answer("reference_reused")
    drawn, most = pool.drawn, pool.most
    if most is not None and drawn + quantity > most:
        return Answer("pool_exhausted", str(max(0, most - drawn)))
    license = License(pool, quantity, host)
    pool.licenses.append(license)
    if reference:
        pool.known[reference] = quantity, license

    def undo() -> str:
        if license.state != "active":
            return "kept_in_use"
        license.state, license.is_detached = "revoked", True
        pool.known.pop(reference, None)
        return "reverted"

    beyond = drawn + quantity - pool.committed
    if beyond > 0:
        return Answer("issued_beyond_commitment", str(beyond), license, undo)
    return Answer("issued", None, license, undo)


def give_back(pool: Pool, quantity: int, reference: str, named: License) -> Answer:
    """The answer to a row of ``draw-down`` that gives so much of a license back."""
    license = named.now()
    if reference in pool.known:
        return Answer("already_returned" if pool.known[reference][0] == -quantity else "reference_reused")
    if license.pool is not pool or license.is_detached:
        return Answer("license_of_another_contract")
    if license.state != "active":
        return Answer("license_not_active")
    if quantity > license.quantity:
        return Answer("quantity_not_left", str(license.quantity))
    if reference:
        pool.known[reference] = -quantity, license
    if quantity == license.quantity:
        license.state = "revoked"
        return Answer("returned", None, license, lambda: "kept_for_good")
    license.state = "superseded"
    license.rest = License(pool, license.quantity - quantity, license.host)
    pool.licenses.append(license.rest)
    return Answer("returned_in_part", None, license.rest, lambda: "kept_for_good")


def revoke(named: License) -> Answer:
    """The answer to a row of ``revoke-licenses``: what is revoked is back in its pool, for anyone to draw."""
    license = named.now()
    if license.state == "revoked":
        return Answer("unchanged")
    license.state = "revoked"
    return Answer("revoked", None, license, lambda: _draw_again(license))


def _draw_again(license: License) -> str:
    """How a revocation is taken back: what the license is of is drawn again, if the pool still has it."""
    pool = license.pool
    if license.state != "revoked" or license.is_detached:
        return "kept_in_use"
    if pool.most is not None and pool.drawn + license.quantity > pool.most:
        return "kept_in_use"
    license.state = "active"
    return "reverted"
