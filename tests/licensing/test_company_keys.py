"""Company keys: which ways of writing a name mean the same company."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.codes import company_key

SAME = [
    ("Rossi S.p.A.", "Rossi SpA", "rossi spa", "ROSSI S. P. A.", "Rossi\u00a0S.p.A.", "Rossi, S.p.A"),
    ("Straße AG", "STRASSE ag", "strasse AG"),
    ("Müller & Söhne GmbH", "MU\u0308LLER & SO\u0308HNE GMBH", "Müller&Söhne G.m.b.H."),
    ("Dall'Agnese", "Dall\u2019Agnese", "DALL AGNESE"),
    ("日本 株式会社", "日本株式会社"),
    ("ＡＣＭＥ Ltd", "Acme Ltd."),
    ("A|B é", "AB é"),
]
DIFFERENT = [
    ("Müller GmbH", "Muller GmbH"),
    ("C++ Ltd", "C Ltd"),
    ("Rossi & Figli", "Rossi Figli"),
    ("@home", "home"),
    ("Rossi 1", "Rossi 2"),
    ("日本", "日木"),
    ("...", "---"),
    ("🍕 Srl", "🍔 Srl"),
]


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_case_spaces_and_punctuation_do_not_matter(names: tuple[str, ...]) -> None:
    """However a company's name and legal form are written, it is the same company."""
    assert len({company_key(name) for name in names}) == 1


@pytest.mark.parametrize("names", DIFFERENT, ids=lambda names: names[0])
def test_different_companies_have_different_keys(names: tuple[str, ...]) -> None:
    """Letters, digits and the signs that names are made of tell companies apart."""
    assert len({company_key(name) for name in names}) == len(names)


def test_a_company_key_is_its_own_key_for_every_character() -> None:
    """Whatever character a name holds, the key of its key is the key."""
    for point in itertools.chain(range(0xD800), range(0xE000, 0x20000)):
        key = company_key(f"A{chr(point)}1")
        assert company_key(key) == key, hex(point)


@given(st.text())
def test_a_company_key_is_never_blank_unless_the_name_is(name: str) -> None:
    """Any name with something in it can be found again."""
    assert bool(company_key(name)) is bool(name.strip())
