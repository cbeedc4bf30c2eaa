"""Titles that a sender said the meaning of: they are found like our own, and come before them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from importers.contracts import Limits, Wanted
from importers.guessing import Candidate, choose, fits, titles_of
from importers.headers import Header, find, header_key
from licensing.field_catalogue import FIELDS

WANTED = Wanted((FIELDS["voucher_code"].needed(), FIELDS["company"].needed(), FIELDS["email"]), ("voucher_code",))


def columns(titles: list[str], **mapped: str) -> dict[str, int]:
    """Where the fields stand in a header."""
    found = find([(1, titles)], replace(WANTED, mapped=mapped), "")
    assert isinstance(found, Header), found
    return found.columns


def test_a_mapped_title_stands_for_its_field():
    """In any case and with any punctuation, as other titles do."""
    found = columns(["GUT-SCHEIN", "Kunde", "E-mail"], gutschein="voucher_code", kunde="company")
    assert found == {"voucher_code": 0, "company": 1, "email": 2}


def test_it_comes_before_our_own_titles():
    """The sender's word counts where two columns claim a field."""
    assert columns(["Voucher code", "Company", "End customer"], endcustomer="company")["company"] == 2


@pytest.mark.parametrize("mapped", [{"kunde": "no_such_field"}, {"kunde": "host_id"}, {"other": "email"}])
def test_what_is_not_of_the_kind_or_not_in_the_file_changes_nothing(mapped: dict[str, str]):
    """A mapping may be older than the file and than the kind."""
    assert columns(["Voucher code", "Company", "Kunde"], **mapped) == {"voucher_code": 0, "company": 1}


def test_it_survives_the_way_to_the_reading_child():
    """As JSON."""
    wanted = replace(WANTED, mapped={"kunde": "company"})
    assert Wanted.from_json(wanted.to_json()) == wanted


def test_a_file_is_guessed_by_it_and_its_other_titles_are_told(tmp_path: Path):
    """What is not known yet is there for a person to say."""
    path = tmp_path / "a"
    path.write_text("Gutschein;Kunde;Notiz\nx;Acme;y\n")
    wanted = replace(WANTED, mapped={"gutschein": "voucher_code", "kunde": "company"})
    (fit,) = choose(fits(path, [Candidate("redeem-vouchers", wanted)], Limits()))
    assert fit.titles == {"voucher_code": "Gutschein", "company": "Kunde"} and fit.others == ("Notiz",)
    assert titles_of(path, [Candidate("redeem-vouchers", WANTED)], Limits()) == ["Gutschein", "Kunde", "Notiz"]
    assert [header_key(title) for title in fit.others] == ["notiz"]
