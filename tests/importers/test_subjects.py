"""What a row is about: one name for every way of typing it."""

from __future__ import annotations

import pytest

from importers.contracts import RawRow, Wanted
from importers.subjects import subject_hash, subjects_reader
from licensing.field_catalogue import FIELDS

FIELDS_USED = (FIELDS["notification_id"], FIELDS["license"], FIELDS["company"])


def wanted(*subject: str, **given: str) -> Wanted:
    """A kind's wishes as far as subjects go."""
    return Wanted(fields=FIELDS_USED, subject=subject, domain="d", given=given)


@pytest.mark.parametrize("typed", ["AB-12", "ab 12", " a b12 ", "ＡＢ１２"])
def test_a_code_is_one_subject_however_it_is_typed(typed: str):
    """Case, spaces, hyphens and full-width forms make no difference."""
    read = subjects_reader({"license": 0}, wanted("license"))
    assert read([[typed]]) == read([["CD34"], [typed]])[1:] == [subject_hash(("d", "AB12"))]


def test_the_second_of_two_names_counts_where_the_first_is_blank():
    """``a|b`` is the first of them that the row fills in; a row that fills in neither is about nothing."""
    read = subjects_reader({"notification_id": 0, "license": 1}, wanted("notification_id|license"))
    rows: list[RawRow] = [["N1", "L1"], [None, "L1"], ["", "L1"], ["N1"], [None, None], [" ", "-"], []]
    first, second = subject_hash(("d", "N1")), subject_hash(("d", "L1"))
    about = [first, second, second, first, None, None, None]
    assert read(rows) == [read([row])[0] for row in rows] == about
    assert read([rows[0], rows[2]]) == [first, second]


def test_all_parts_are_needed_and_may_be_given_for_the_whole_file():
    """A subject of two fields needs both; a column that the file lacks takes what was given for all rows."""
    read = subjects_reader({"license": 0}, wanted("license", "company", company="Rossi SpA"))
    assert read([["L1"], [None]]) == [subject_hash(("d", "L1", "rossi spa")), None]
    assert subjects_reader({"license": 0}, wanted("license", "company"))([["L1"]]) == [None]
    assert subjects_reader({}, wanted())([["L1"], ["L2"]]) == [None, None]


def test_a_number_with_lost_digits_names_nothing():
    """A code that the spreadsheet turned into a number counts only while it kept all its digits."""
    read = subjects_reader({"license": 0}, wanted("license"))
    assert read([[123456789012.0], [1.23457e20], ["L1"]]) == [
        subject_hash(("d", "123456789012")), None, subject_hash(("d", "L1")),
    ]  # fmt: skip


def test_subject_hashes_are_signed_64_bit_and_tell_parts_apart() -> None:
    """Equal parts have equal numbers in every process and version; where a part ends matters."""
    assert subject_hash(("voucher", "KMV123")) == -6344595753216814261
    assert len({subject_hash(parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("ab", "c", ""))}) == 4
    numbers = [subject_hash((str(number),)) for number in range(2000)]
    assert len(set(numbers)) == 2000
    assert all(-(2**63) <= number < 2**63 for number in numbers)
    assert min(numbers) < 0 < max(numbers)


def test_subjects_may_hold_lone_surrogates() -> None:
    """A broken character in a subject does not stop the reader."""
    assert isinstance(subject_hash(("\ud800",)), int)
