"""``annotate-licenses`` from a list to outcomes, on a real database."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date

import openpyxl
import pytest

from config.wiring import App
from licensing.annotating import Note
from models import user_fields
from models.database import fetch
from tests.apps import account, answers, kept, licensed, outcome_codes, previewed_codes, product

Submit = Callable[..., int]


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Two licenses of MINE on host H1."""
    account(app, "MINE", "customer", locale="it_IT")
    account(app, "OTHER", "customer")
    product(app, "BOX", host_bound=True)
    return licensed(app, submit, "MINE", "CERT-001;BOX;;5;", "CERT-002;BOX;;1;", host="H1")


def annotate(submit: Submit, *lines: str, sender: str = "MINE", **options: object) -> int:
    """Send lines of ``annotate-licenses``, the header first: the batch's id."""
    return submit("".join(line + "\n" for line in lines), "annotate-licenses", sender, **options)


def notes(app: App, license: str) -> dict[str, Note]:
    """What is noted of a license."""
    with app.engine.connect() as connection:
        return user_fields.of_licenses(connection, [license]).get(license, {})


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Saved, the same again, one changed, one deleted, a row without anything; unknown; someone else's."""
    lines = (
        "Centro di costo;License;Site;Seats",
        f"A12;{licenses[0]};Milano;1.500",
        f"A12;{licenses[0]};;1500",
        f"B7;{licenses[0]};(elimina);",
        f";{licenses[1]};;",
        "A12;L-0;Roma;",
        f"A12;{licenses[0]};{'x' * 1001};",
    )
    expected = ["annotated", "unchanged", "annotated", "unchanged", "unknown_license", "text_too_long"]
    assert previewed_codes(app, annotate(submit, *lines, confirm="ask")) == expected
    batch = annotate(submit, *lines)
    assert outcome_codes(app, batch) == expected
    assert answers(app, batch)[0].detail == "Centro di costo, Site, Seats"
    assert notes(app, licenses[0]) == {"Centro di costo": Note("text", "B7"), "Seats": Note("number", "1500")}
    assert outcome_codes(app, annotate(submit, *lines[:2], sender="OTHER")) == ["unknown_license"]


def test_a_fault_names_its_cell(app: App, submit: Submit, licenses: list[str]) -> None:
    """A value that is too long, in a column that no kind knows, is told with the column where it stands."""
    batch = annotate(submit, "Site;License", f"{'x' * 1001};{licenses[0]}")
    with app.engine.connect() as connection:
        query = "SELECT faults FROM outcomes WHERE batch_id = %(b)s"
        assert fetch(connection, query, {"b": batch})[0][0] == [[0, "Site", "text_too_long", "1001 > 1000"]]


def test_columns_must_have_names_of_their_own(app: App, submit: Submit, licenses: list[str]) -> None:
    """Two columns of one name, a value without a title, no column at all: told, and nothing is saved."""
    number = licenses[0]
    assert outcome_codes(app, annotate(submit, "License;Site;SITE", f"{number};a;b")) == ["column_twice"]
    assert outcome_codes(app, annotate(submit, "License;Site;", f"{number};a;b")) == ["untitled_column"]
    assert outcome_codes(app, annotate(submit, "License", number)) == ["nothing_to_annotate"]
    assert notes(app, number) == {}


def test_cells_of_a_workbook_keep_their_types(app: App, submit: Submit, licenses: list[str]) -> None:
    """Dates, numbers and flags of a workbook are noted as what they are."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["License", "Bought", "Price", "Paid", "Code"])
    sheet.append([licenses[0], date(2026, 11, 25), 12.5, True, "00012"])
    stream = io.BytesIO()
    book.save(stream)
    batch = submit(stream.getvalue(), "annotate-licenses", "MINE", filename="data.xlsx")
    assert outcome_codes(app, batch) == ["annotated"]
    assert notes(app, licenses[0]) == {
        "Bought": Note("date", "2026-11-25"),
        "Price": Note("number", "12.5"),
        "Paid": Note("flag", "true"),
        "Code": Note("text", "00012"),
    }


def test_data_follows_the_license(app: App, submit: Submit, licenses: list[str]) -> None:
    """What was noted stands beside both parts of a license that was moved in part; its number notes the rest."""
    annotate(submit, "License;Site", f"{licenses[0]};Milano")
    moved = submit(f"License;New host ID;Quantity\n{licenses[0]};H2;2\n", "rehost-licenses", "MINE")
    new, rest = answers(app, moved)[0].license_number, answers(app, moved)[0].detail or ""
    assert outcome_codes(app, annotate(submit, "License;Site", f"{licenses[0]};Roma")) == ["annotated"]
    assert notes(app, new) == {"Site": Note("text", "Milano")}
    assert notes(app, rest) == {"Site": Note("text", "Roma")}
