"""Lists of other systems, sent as they are: taken for the right kind, and every row answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.wiring import App
from jobs import guessing
from jobs.refusals import Refused
from tests.apps import account, outcome_codes, product
from tests.importers.foreign import FILES, Foreign

Submit = Callable[..., int]
# Lists that load come before those that ask for keys of what was loaded.
ORDER = ("talon-one.csv", "web-register-keys-with-products.xml", "snipe-it.csv", "licensespring.csv")


@pytest.fixture
def shop(app: App, submit: Submit) -> App:
    """An OEM, a customer, the products and a code that the lists name."""
    account(app, "OEM")
    account(app, "MINE", "customer")
    for sku in ("SUITE", "SUITE & MORE", "TOOL"):
        product(app, sku)
    contract = "Contract;Customer number;Product;Quantity;Term start;Term (months)\nFC-1;MINE;SUITE;10;2026-01-01;120\n"
    assert outcome_codes(app, submit(contract, "load-contracts", "VENDOR")) == ["created"]
    return app


def test_every_list_is_taken_for_its_kind_and_answered(shop: App, submit: Submit, tmp_path: Path) -> None:
    """No column is renamed and no kind is said; what the list lacks is given once for all rows."""
    files = sorted(FILES, key=lambda file: ORDER.index(file.name) if file.name in ORDER else len(ORDER))
    answered = {}
    for file in files:
        path = file.write(tmp_path / file.name)
        guess = guessing.guess(shop, file.sender, path, file.given)
        assert guess.kind == file.kind, file.name
        assert file.layout in guess.en
        batch = submit(path.read_bytes(), guess.kind, file.sender, given=file.given, filename=file.name)
        answered[file.name] = outcome_codes(shop, batch)
    assert answered == {file.name: list(file.outcomes) for file in files}


def refusal(app: App, file: Path, content: str, sender: str = "VENDOR", **given: str) -> str:
    """Why a file is taken for nothing."""
    file.write_text(content)
    with pytest.raises(Refused) as caught:
        guessing.guess(app, sender, file, given)
    assert caught.value.code == "kind_unclear"
    assert "--kind TIPO" in caught.value.it
    return caught.value.en


def test_what_cannot_be_told_is_refused_with_the_reason(shop: App, tmp_path: Path) -> None:
    """The two that it could be, what is missing for the nearest, no header at all, values that fit no kind."""
    file = tmp_path / "list.csv"
    told = refusal(shop, file, "License;New host ID;Product;Quantity\nx;x;x;1\n", "MINE")
    assert told == "The file could be for rehost-licenses or upgrade-licenses. Say what it is for: --kind KIND"
    assert "redeem-vouchers: Company" in refusal(shop, file, "Voucher code;Country\nx;IT\n", "OEM")
    assert "No row of the file" in refusal(shop, file, "Colour;Taste\nred;sweet\n")
    assert "has such columns" in refusal(shop, file, "Serial\nx\n", colour="red")


def test_a_file_that_cannot_be_read_is_refused_as_always(shop: App, tmp_path: Path) -> None:
    """An unknown account, and what is no table."""
    (tmp_path / "a").write_bytes(b"%PDF-1.7")
    with pytest.raises(Refused, match="PDF"):
        guessing.guess(shop, "VENDOR", tmp_path / "a", {})
    with pytest.raises(Refused, match="NOBODY"):
        guessing.guess(shop, "NOBODY", tmp_path / "a", {})


def test_the_reason_names_columns_of_the_file_and_ours(shop: App, tmp_path: Path) -> None:
    """A synonym is told with the title that it stands for, in the sender's language."""
    (tmp_path / "a").write_text("Codice;Azienda;Note\nx;Rossi;-\n")
    guess = guessing.guess(shop, "OEM", tmp_path / "a", {})
    assert (
        guess.sentence("it") == "Preso per redeem-vouchers: colonne Codice = Codice voucher, Azienda = Ragione sociale."
    )
    assert guess.sentence("en").startswith("Taken for redeem-vouchers: columns Codice = Voucher code")


def test_lists_are_all_there() -> None:
    """The order above names lists that exist."""
    assert set(ORDER) < {file.name for file in FILES if isinstance(file, Foreign)}
