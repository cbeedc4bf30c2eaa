"""Licenses looked up by what is known of them, and one with everything about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from jobs import searching
from jobs.refusals import Refused
from licensing.fields import LANGUAGES
from tests.apps import account, answers, kept, licensed, product

Submit = Callable[..., int]


@pytest.fixture
@kept
def numbers(app: App, submit: Submit) -> list[str]:
    """Four licenses of MINE: two with data of its own, one moved in part, one shared."""
    account(app, "MINE", "customer")
    account(app, "OTHER", "customer")
    product(app, "BOX", host_bound=True)
    product(app, "APP")
    found = licensed(
        app,
        submit,
        "MINE",
        "CERT-001;BOX;;5;12",
        "CERT-002;BOX;;1;",
        "CERT-003;APP;1.0;2;",
        "CERT-004;APP;;1;",
        host="H1",
    )
    text = (
        "License;Cost centre;Seats;Since;Own\n"
        f"{found[0]};Plant 1_A;10;2026-01-31;yes\n{found[1]};Plant 2;9.5;2027-01-31;no\n{found[2]};100%;text;x;\n"
    )
    submit(text, "annotate-licenses", "MINE")
    submit(f"License;Shared with;Permission\n{found[2]};OTHER;read\n", "share-licenses", "MINE")
    return found


def found(app: App, numbers: list[str], *wanted: str, **filters: str) -> list[int]:
    """Which of the licenses a search finds, by their places."""
    listed = [one["number"] for one in searching.licenses(app, filters, wanted, 100)]
    return sorted(numbers.index(number) for number in listed)


def test_licenses_are_found_by_what_they_are(app: App, numbers: list[str]) -> None:
    """Customer, product, host and state, each in any case; newest first, no more than asked for."""
    assert found(app, numbers) == [0, 1, 2, 3]
    assert found(app, numbers, product="box") == [0, 1]
    assert found(app, numbers, customer="mine", host="h1", state="active") == [0, 1, 2, 3]
    assert found(app, numbers, state="revoked") == []
    assert len(searching.licenses(app, {}, (), 2)) == 2
    with pytest.raises(Refused, match="NOBODY"):
        searching.licenses(app, {"customer": "NOBODY"}, (), 2)


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (("cost CENTRE=plant 1_a",), [0]),
        (("Cost centre=Plant*",), [0, 1]),
        (("Cost centre=Plant 1*", "Own=yes"), [0]),
        (("Cost centre=Plant?1",), []),
        (("Cost centre=Plant__1",), []),
        (("Cost centre=100%",), [2]),
        (("Cost centre=%",), []),
        (("Seats=10",), [0]),
        (("Seats=10.0",), [0]),
        (("Seats>9",), [0, 1]),
        (("Seats<=9.5",), [1]),
        (("Since>2026-12-31",), [1]),
        (("Since<2027-01-31", "Seats>=10"), [0]),
        (("Own=no",), [1]),
        (("Unheard of=1",), []),
    ],
)
def test_licenses_are_found_by_data_of_their_owners(
    app: App, numbers: list[str], wanted: tuple[str, ...], places: list[int]
) -> None:
    """Texts in any case and with stars, numbers and days by their order, flags; all conditions must hold."""
    assert found(app, numbers, *wanted) == places


@pytest.mark.parametrize("text", ["", "seats", "=5", "seats=", "name>text", "own<yes"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    """With a sentence in each language."""
    with pytest.raises(Refused) as caught:
        searching.condition(text)
    assert caught.value.code == "bad_condition"
    assert all(caught.value.sentence(language) for language in LANGUAGES)


def test_a_license_is_shown_with_its_chain(app: App, submit: Submit, numbers: list[str]) -> None:
    """However its number is typed: maintenance, shares, data, and every license that came of the same purchase."""
    moved = submit(f"License;New host ID;Quantity\n{numbers[0]};H2;2\n", "rehost-licenses", "MINE")
    (answer,) = answers(app, moved)
    shown = searching.license(app, answer.license_number.lower().replace("-", " "))
    chain = {one["number"]: (one["parent"], one["cause"], one["quantity"], one["state"]) for one in shown["chain"]}
    assert chain == {
        numbers[0]: (None, None, 5, "rehosted"),
        answer.license_number: (numbers[0], "rehost", 2, "active"),
        answer.detail: (numbers[0], "split", 3, "active"),
    }
    assert [one["name"] for one in shown["data"]] == ["Cost centre", "Own", "Seats", "Since"]
    assert (shown["serial"], shown["host"], len(shown["maintenance"])) == ("CERT-001", "H2", 1)
    assert searching.license(app, numbers[2])["shares"][0]["account"] == "OTHER"
    with pytest.raises(Refused, match="no license L-0"):
        searching.license(app, "L-0")
