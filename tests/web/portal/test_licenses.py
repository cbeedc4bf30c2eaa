"""The pages of licenses: the software that they cover, fetched by who holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from config.wiring import App
from tests.apps import Submit, account, licensed, one, product
from tests.web.portal.conftest import Person

CONTENT = b"software " * 1000


@pytest.fixture
def licenses(app: App, submit: Submit) -> list[str]:
    """Two licenses of a customer: a file is released for version 2, which one of them is of."""
    account(app, "ACME", "customer")
    product(app, "P")
    digest = hashlib.sha256(CONTENT).hexdigest()
    app.store.put("software/p-2.zip", [CONTENT])
    header = "Product;Name;Version;Release date;File name;Platform;File size;SHA-256;Object"
    for row in (f"P;P;2;2020-01-01;p-2.zip;linux;{len(CONTENT)};{digest};software/p-2.zip", "P;P;1;2019-01-01;;;;;"):
        submit(f"{header}\n{row}\n", "load-products", "VENDOR")
    return licensed(app, submit, "ACME", "S-1;P;2;5;", "S-2;P;1;5;")


def test_software_is_fetched_by_who_holds_a_license_for_it(
    app: App, licenses: list[str], join: Callable[..., str], visit: Callable[..., Person]
):
    """The very bytes, under their name, written into the audit log; nothing that the license does not cover."""
    rita = visit(join("ACME", "rita@acme.example", "read"))
    digest = hashlib.sha256(CONTENT).hexdigest()
    address = f"/licenses/{licenses[0]}/downloads/{digest}"
    assert rita.get("/downloads").count("p-2.zip") == 1 and address in rita.get("/downloads")
    assert address in rita.get(f"/licenses/{licenses[0]}")
    fetched = rita.client.get(address)
    assert fetched.content == CONTENT and "p-2.zip" in fetched.headers["content-disposition"]
    assert one(app, "SELECT actor FROM audit_log WHERE action = 'software.fetched'") == "user:rita@acme.example"
    assert "No files are covered" in rita.get(f"/licenses/{licenses[1]}")
    rita.get(f"/licenses/{licenses[1]}/downloads/{digest}", 404)
    rita.get(f"/licenses/{licenses[0]}/downloads/{'0' * 64}", 404)
    lic = rita.client.get(f"/licenses/{licenses[0]}/file")
    assert "BEGIN LICENSE" in lic.text and f"{licenses[0]}.lic" in lic.headers["content-disposition"]
