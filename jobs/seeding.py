"""Somebody to sign in as on a new installation: the vendor, an OEM, a distributor and one of its customers."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from config.wiring import App
from jobs import users
from models import accounts, products
from models import users as stored
from models.database import transaction

VENDOR = "VENDOR"
DISTRIBUTOR, CUSTOMER = "EXAMPLE-DISTRIBUTOR", "EXAMPLE-CUSTOMER"
_PARTIES = (
    ("EXAMPLE-OEM", "oem", "Example Devices"),
    (DISTRIBUTOR, "distributor", "Example Distribution"),
    (CUSTOMER, "customer", "Example Customer"),
)
_NOTHING_SAID = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))


class Seeded(NamedTuple):
    """Who may sign in: accounts with an e-mail address each, and the password of them all, which is told once."""

    people: dict[str, str]
    password: str


def seed(app: App) -> Seeded | None:
    """Make parties, a product and people where nobody can sign in yet; None where somebody can."""
    with transaction(app.engine) as connection:
        if stored.listed(connection, None):
            return None
        parties = [_NOTHING_SAID | {"number": n, "type": kind, "name": name} for n, kind, name in _PARTIES]
        accounts.save(connection, parties)
        accounts.delegate(connection, [(CUSTOMER, DISTRIBUTOR)])
        products.save(connection, {"sku": "EXAMPLE", "name": "Example product", "term_months": 12})
    password = secrets.token_urlsafe(12)
    people = {VENDOR: "vendor@keymill.example"} | {number: f"{kind}@keymill.example" for number, kind, _ in _PARTIES}
    for number, email in people.items():
        users.add(app, number, email, email.partition("@")[0], "manage", actor="keymill up", password=password)
    return Seeded(people, password)
