"""A plain model of certificates and the licenses that come of them: what the portal's rules say, one row at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class License:
    """One license; ``rest``: what was left of it when a part was replaced, ``moved``: what moved away, in order.

    ``is_detached``: it was taken back and stands for nothing any more.
    """

    customer: str
    host: str
    quantity: int
    serial: int
    version: str = "1.0"
    state: str = "active"
    rest: License | None = None
    rest_of: License | None = None
    moved: list[License] = field(default_factory=list)
    is_detached: bool = False

    def now(self) -> License:
        """The license that its number stands for by now."""
        return self if self.rest is None else self.rest.now()

    def all_moved(self) -> list[License]:
        """All that ever moved away from it or from what was left of it."""
        return self.moved + ([] if self.rest is None else self.rest.all_moved())

    def line(self) -> list[License]:
        """It and those that it is the rest of."""
        return [self] + ([] if self.rest_of is None else self.rest_of.line())


@dataclass(eq=False)
class Certificate:
    """A serial: what is left of it, whose it is, and the rows that were answered with a license."""

    bought: int
    left: int
    owner: str = ""
    given: list[tuple[str, int, License]] = field(default_factory=list)


@dataclass(eq=False)
class Notification:
    """What its license may be upgraded by, and the upgrades that were made: quantity and license."""

    license: License
    quantity: int
    left: int
    made: list[tuple[int, License]] = field(default_factory=list)


@dataclass
class Answer:
    """What a row is answered: its code, the license that it names and what is left of the one that this replaced.

    ``undo``: how it is taken back, with the code of that answer; None where it did nothing.
    """

    code: str
    license: License | None = None
    undo: Callable[[], str] | None = None
    rest: License | None = None


@dataclass
class Ledger:
    """All certificates, licenses and notifications."""

    certificates: list[Certificate]
    licenses: list[License] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def register(self, serial: int, customer: str, host: str, quantity: int | None) -> Answer:
        """The answer to a row of ``register-serials``."""
        certificate = self.certificates[serial]
        if certificate.owner not in ("", customer):
            return Answer("already_registered")
        for at, taken, license in certificate.given:
            wanted = taken if certificate.left == 0 and quantity is None else quantity
            if at == host and taken == wanted:
                return Answer("already_issued", license)
        if certificate.left == 0:
            return Answer("serial_used_up")
        if (quantity or 0) > certificate.left:
            return Answer("quantity_not_left")
        taken = quantity or certificate.left
        license = License(customer, host, taken, serial)
        entry = (host, taken, license)
        certificate.owner = customer
        certificate.left -= taken
        certificate.given.append(entry)
        self.licenses.append(license)

        def undo() -> str:
            if license.state != "active":
                return "kept_in_use"
            self._detach(license)
            certificate.given.remove(entry)
            certificate.left += taken
            if certificate.left == certificate.bought:
                certificate.owner = ""
            return "reverted"

        return Answer("issued", license, undo)

    def rehost(self, named: License, host: str, quantity: int | None) -> Answer:
        """The answer to a row of ``rehost-licenses``."""
        for moved in named.all_moved():
            if moved.host == host and quantity in (None, moved.quantity):
                return Answer("already_issued", moved)
        license = named.now()
        if license.state != "active":
            return Answer("license_not_active")
        if license.host == host:
            return Answer("unchanged")
        if (quantity or 0) > license.quantity:
            return Answer("quantity_not_left")
        new = License(license.customer, host, quantity or license.quantity, license.serial, license.version)
        license.moved.append(new)
        if new.quantity == license.quantity:  # what can still be upgraded goes along
            for notification in self.notifications:
                if notification.license in license.line() and notification.left:
                    notification.license = new
        return self._replace(license, new, "rehosted", lambda: license.moved.remove(new))

    def upgrade(self, notification: Notification, quantity: int) -> Answer:
        """The answer to a row of ``upgrade-licenses``."""
        for taken, made in notification.made:
            if taken == quantity:
                return Answer("already_issued", made)
        license = notification.license.now()
        if notification.left == 0:
            return Answer("notification_used")
        if license.state != "active":
            return Answer("license_not_active")
        if quantity > min(notification.left, license.quantity):
            return Answer("quantity_not_left")
        new = License(license.customer, license.host, quantity, license.serial, "2.0")
        entry = (quantity, new)
        notification.left -= quantity
        notification.made.append(entry)

        def give_back() -> None:
            notification.left += quantity
            notification.made.remove(entry)

        return self._replace(license, new, "superseded", give_back)

    def _replace(self, license: License, new: License, state: str, give_back: Callable[[], None]) -> Answer:
        """Part of a license, or all of it, becomes another one."""
        license.state = state
        parts = [new]
        if new.quantity < license.quantity:
            license.rest = License(
                license.customer,
                license.host,
                license.quantity - new.quantity,
                license.serial,
                license.version,
                rest_of=license,
            )
            parts.append(license.rest)
        self.licenses += parts

        def undo() -> str:
            if any(part.state != "active" for part in parts):
                return "kept_in_use"
            for part in parts:
                self._detach(part)
                part.rest_of = None
                for notification in [one for one in self.notifications if one.license is part]:
                    if notification.quantity >= license.quantity:
                        notification.license = license
                    else:
                        self.notifications.remove(notification)
            license.state, license.rest = "active", None
            give_back()
            return "reverted"

        return Answer("issued" if len(parts) == 1 else "issued_in_part", new, undo, license.rest)

    def _detach(self, license: License) -> None:
        license.state, license.is_detached = "revoked", True

    def revoke(self, named: License) -> Answer:
        """The answer to a row of ``revoke-licenses``."""
        license = named.now()
        if license.state == "revoked":
            return Answer("unchanged")
        if license.state != "active":
            return Answer("license_not_active")
        license.state = "revoked"

        def undo() -> str:
            if license.state != "revoked" or license.is_detached:
                return "kept_in_use"
            license.state = "active"
            return "reverted"

        return Answer("revoked", license, undo)

    def notify(self) -> Answer:
        """The answer to the row of ``notify-upgrades`` that names version 2.0."""
        notified = [one.license for one in self.notifications]
        due = [
            license
            for license in self.licenses
            if license.state == "active" and license.version == "1.0" and not set(license.line()) & set(notified)
        ]
        if not due:
            return Answer("already_notified" if self.notifications else "nobody_to_notify")
        made = [Notification(license, license.quantity, license.quantity) for license in due]
        self.notifications += made

        def undo() -> str:
            there = [one for one in made if one in self.notifications]
            unused = [one for one in there if one.left == one.quantity]
            for one in unused:
                self.notifications.remove(one)
            return "reverted" if len(unused) == len(there) else "reverted_in_part" if unused else "kept_in_use"

        return Answer("notified", undo=undo)

    def holdings(self) -> list[tuple[str, str, int, str, str]]:
        """(customer, host, quantity, version, state) of every license that was not taken back, sorted."""
        return sorted(
            (one.customer, one.host, one.quantity, one.version, one.state)
            for one in self.licenses
            if not one.is_detached
        )

    def upgradable(self) -> list[tuple[int, int]]:
        """Quantity and what is left of every notification, sorted."""
        return sorted((one.quantity, one.left) for one in self.notifications)
