"""Who can sign in on a new embedded installation."""

from __future__ import annotations

from config.wiring import App
from jobs import users
from jobs.seeding import CUSTOMER, DISTRIBUTOR, VENDOR, seed
from tests.apps import Submit, answers, one, outcome_codes


def test_each_party_can_sign_in_once_it_was_made(app: App) -> None:
    """Four accounts with a person each and one random password; where people are, nothing is made."""
    seeded = seed(app)
    assert seeded is not None and len(seeded.people) == 4 and VENDOR in seeded.people
    for account, email in seeded.people.items():
        user = users.sign_in(app, email, seeded.password, user_agent="", address="").user
        assert one(app, "SELECT number FROM accounts WHERE id = %(id)s", id=user.account_id) == account
    assert seed(app) is None


def test_the_distributor_acts_for_the_customer(app: App, submit: Submit) -> None:
    """What was made is enough for a first list of each party: a certificate becomes a key."""
    assert seed(app) is not None
    certificate = "Serial;Product;Version;Quantity\nCERT-001;EXAMPLE;;1\n"
    assert outcome_codes(app, submit(certificate, "load-serials", VENDOR)) == ["created"]
    order = f"Serial;E-mail;Customer number\nCERT-001;a@b.it;{CUSTOMER}\n"
    (answer,) = answers(app, submit(order, "register-serials", DISTRIBUTOR))
    assert answer.code == "issued"
