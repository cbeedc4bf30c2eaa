"""The catalogue of columns: complete in both languages, without a header that means two things within a kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from importers.headers import header_key
from jobs.kinds.registry import KINDS
from licensing.field_catalogue import _ALL, FIELDS
from licensing.fields import LANGUAGES, Field
from licensing.values import Habits, RowReader

EVERY_FIELD = pytest.mark.parametrize("field", _ALL, ids=lambda field: field.name)
# Italian headers of LAYOUTS.md, as far as there are kinds that know them.
ITALIAN = {
    "codice voucher": "voucher_code",
    "prodotto": "product",
    "versione": "version",
    "quantità": "count",
    "ragione sociale": "company",
    "azienda": "company",
    "e-mail": "email",
    "paese": "country",
    "ID host": "host_id",
    "riferimento": "reference",
}


def headers_of(field: Field) -> set[str]:
    """Every header that stands for a field."""
    return {header_key(text) for text in (field.name, *field.title.values(), *field.synonyms)}


def test_names_are_unique():
    """A second entry would silently replace the first."""
    assert len(FIELDS) == len(_ALL)
    assert all(name == field.name for name, field in FIELDS.items())


@EVERY_FIELD
def test_titles_and_notes_exist_in_both_languages(field: Field):
    """A title is a few words, a note a sentence."""
    for language in LANGUAGES:
        assert 2 <= len(field.title[language]) <= 30
        assert field.note[language].endswith(".")
    assert field.note["en"] != field.note["it"]


@EVERY_FIELD
def test_the_example_is_read_as_it_is(field: Field):
    """Who copies the example gets a row that is read, without a warning."""
    values, rejections, warnings = RowReader([field.needed()], {field.name: 0}, {}, Habits()).read([field.example])
    assert (len(rejections), len(warnings)) == (0, 0)
    assert values[0] not in (None, "", ())


@EVERY_FIELD
def test_choices_belong_to_choice_columns(field: Field):
    """And the example is one of them."""
    assert bool(field.choices) is (field.type == "choice")
    assert not field.choices or field.example in field.choices


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_within_a_kind_no_header_means_two_columns(kind):
    """A column's own names and synonyms are its alone."""
    counts = Counter(header for field in kind.fields for header in headers_of(field))
    assert [header for header, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(("header", "name"), ITALIAN.items())
def test_italian_headers_are_known(header: str, name: str):
    """As customers' files have them."""
    assert header_key(header) in headers_of(FIELDS[name])


def test_every_column_of_a_kind_is_in_the_catalogue():
    """A column means the same in every kind: only whether it is required, and how far a number may go, differs."""
    for kind in KINDS.values():
        for field in kind.fields:
            known = FIELDS[field.name]
            assert replace(field.needed(), least=known.least, greatest=known.greatest) == known.needed()
