"""Each customer's own keys, under its own prefix of the store."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from config.wiring import App
from jobs import copies, status
from storage.objects import checked_name
from tests.apps import account, answers, one, product

Submit = Callable[..., int]


@pytest.fixture
def batch(app: App, submit: Submit) -> int:
    """A distributor's batch with licenses of three customers, one of them its own account's neighbour."""
    account(app, "DIST", "distributor")
    product(app, "BOX", host_bound=True)
    product(app, "APP")
    loaded = "Serial;Product;Quantity\nCERT-001;APP;5\nCERT-002;APP;1\nCERT-003;APP;2\nCERT-004;BOX;4\n"
    submit(loaded, "load-serials", "VENDOR")
    order = (
        "Serial;Company;E-mail;Host ID;Quantity\nCERT-001;Rossi;a@b.it;;2\nCERT-002;Bianchi;a@b.it;;\n"
        "CERT-001;Rossi;a@b.it;;3\nCERT-003;Verdi;a@b.it;;\nCERT-003;Neri;a@b.it;;\nCERT-004;Rossi;a@b.it;H1;\n"
    )
    return submit(order, "register-serials", "DIST")


def notes(app: App, batch_id: int) -> list[str]:
    """What the manifest says besides."""
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    document: dict[str, Any] = json.loads(b"".join(app.store.get(files["manifest"]["name"])))
    found: list[str] = document["notes"]
    return found


def lists(app: App, batch_id: int) -> dict[str, list[dict[str, str]]]:
    """The lists of a batch, by the names of the customers."""
    found = {}
    for name in app.store.list("customers/"):
        _, number, batch, file = name.split("/")
        if batch == str(batch_id):
            assert file == "keys.csv"
            text = b"".join(app.store.get(name)).decode("utf-8-sig")
            company = one(app, "SELECT name FROM accounts WHERE number = %(n)s", n=number)
            found[company] = list(csv.DictReader(io.StringIO(text)))
    return found


def test_each_customer_of_a_partner_gets_its_keys(app: App, batch: int) -> None:
    """All its licenses in file order and nobody else's; the manifest says where they lie."""
    given = answers(app, batch)
    assert [answer.code for answer in given] == ["issued"] * 4 + ["already_registered", "issued"]
    found = lists(app, batch)
    numbers = {company: [row["License"] for row in rows] for company, rows in found.items()}
    assert numbers == {
        "Rossi": [given[place].license_number for place in (0, 2, 5)],
        "Bianchi": [given[1].license_number],
        "Verdi": [given[3].license_number],
    }
    assert (found["Rossi"][2]["Product"], found["Rossi"][2]["Quantity"], found["Rossi"][2]["Host ID"]) == (
        "BOX",
        "4",
        "H1",
    )
    query = "SELECT key FROM licenses WHERE number = %(n)s"
    assert found["Verdi"][0]["License key"] == one(app, query, n=given[3].license_number)
    assert notes(app, batch) == [
        f"Each customer's own keys (3 customers) are stored as customers/NUMBER/{batch}/keys.csv too."
    ]


def test_what_is_left_of_a_license_is_there_too(app: App, submit: Submit, batch: int) -> None:
    """A part that moved has a key, and so has the rest: both are the customer's, and both come as license files."""
    box = answers(app, batch)[5].license_number
    moved = submit(f"License;New host ID;Quantity\n{box};H2;1\n", "rehost-licenses", "DIST")
    (answer,) = answers(app, moved)
    assert answer.code == "issued_in_part"
    assert sorted(row["License"] for row in lists(app, moved)["Rossi"]) == sorted(
        (answer.license_number, str(answer.detail))
    )
    files = {file["role"]: file for file in status.of_batch(app, moved)["results"]["files"]}
    assert files["licenses"]["rows"] == 2


def test_a_customer_s_own_batch_needs_no_copies(app: App, submit: Submit, batch: int) -> None:
    """Who asked for itself has the keys; a partner's batch that issued nothing leaves none."""
    account(app, "MINE", "customer")
    submit("Serial;Product\nCERT-009;APP\n", "load-serials", "VENDOR")
    own = submit("Serial;E-mail\nCERT-009;a@b.it\n", "register-serials", "MINE")
    assert (lists(app, own), notes(app, own)) == ({}, [])
    nothing = submit("Serial;Company;E-mail\nCERT-010;Rossi;a@b.it\n", "register-serials", "DIST")
    assert (lists(app, nothing), notes(app, nothing)) == ({}, [])


def test_too_many_are_told_and_not_copied(
    app: App, submit: Submit, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch with more licenses than are copied says so in its manifest."""
    monkeypatch.setattr(copies, "MOST_LICENSES", 0)
    submit("Serial;Product\nCERT-008;APP\n", "load-serials", "VENDOR")
    many = submit("Serial;Company;E-mail\nCERT-008;Rossi;a@b.it\n", "register-serials", "DIST")
    assert lists(app, many) == {}
    assert notes(app, many) == ["Customers have no lists of their own, because the batch has more than 0 licenses."]


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("KMC-TB70", "customers/KMC-TB70/7"),
        ("Łódź 1", "customers/Łódź 1/7"),
        ("ACME/7", "customers/ACME%2F7/7"),
        ("A%2F", "customers/A%252F/7"),
        ("..", "customers/%2E%2E/7"),
        ("a..b\\", "customers/a..b%5C/7"),
    ],
)
def test_a_customer_s_place_is_nobody_else_s(number: str, place: str) -> None:
    """Whatever a number is made of, it is one segment of a name that the store takes."""
    assert copies.place_of(number, 7) == place == checked_name(place)
