"""A plain model of certificates and the licenses that come of them: what the portal's rules say, one row at a time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class License:
    """One license; ``rest``: what was left of it when a part moved away, ``moved``: what moved away, in order."""

    customer: str
    host: str
    quantity: int
    serial: int
    state: str = "active"
    rest: License | None = None
    moved: list[License] = field(default_factory=list)

    def now(self) -> License:
        """The license that its number stands for by now."""
        return self if self.rest is None else self.rest.now()

    def all_moved(self) -> list[License]:
        """All that ever moved away from it or from what was left of it."""
        return self.moved + ([] if self.rest is None else self.rest.all_moved())


@dataclass
class Certificate:
    """A serial: what is left of it, whose it is, and the rows that were answered with a license."""

    bought: int
    left: int
    owner: str = ""
    given: list[tuple[str, int, License]] = field(default_factory=list)


@dataclass
class Ledger:
    """All certificates and licenses."""

    certificates: list[Certificate]
    licenses: list[License] = field(default_factory=list)

    def register(self, serial: int, customer: str, host: str, quantity: int | None) -> tuple[str, License | None]:
        """The answer to a row of ``register-serials``, and the license that it names."""
        certificate = self.certificates[serial]
        if certificate.owner not in ("", customer):
            return "already_registered", None
        for at, taken, license in certificate.given:
            wanted = taken if certificate.left == 0 and quantity is None else quantity
            if at == host and taken == wanted:
                return "already_issued", license
        if certificate.left == 0:
            return "serial_used_up", None
        if (quantity or 0) > certificate.left:
            return "quantity_not_left", None
        taken = quantity or certificate.left
        license = License(customer, host, taken, serial)
        certificate.owner = customer
        certificate.left -= taken
        certificate.given.append((host, taken, license))
        self.licenses.append(license)
        return "issued", license

    def rehost(self, named: License, host: str, quantity: int | None) -> tuple[str, License | None]:
        """The answer to a row of ``rehost-licenses``, and the license that it names."""
        for moved in named.all_moved():
            if moved.host == host and quantity in (None, moved.quantity):
                return "already_issued", moved
        license = named.now()
        if license.state != "active":
            return "license_not_active", None
        if license.host == host:
            return "unchanged", None
        if (quantity or 0) > license.quantity:
            return "quantity_not_left", None
        taken = quantity or license.quantity
        new = License(license.customer, host, taken, license.serial)
        license.state = "rehosted"
        license.moved.append(new)
        self.licenses.append(new)
        if taken == license.quantity:
            return "issued", new
        license.rest = License(license.customer, license.host, license.quantity - taken, license.serial)
        self.licenses.append(license.rest)
        return "issued_in_part", new

    def holdings(self) -> list[tuple[str, str, int, str]]:
        """(customer, host, quantity, state) of every license, sorted."""
        return sorted((one.customer, one.host, one.quantity, one.state) for one in self.licenses)
