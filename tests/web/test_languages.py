"""The language of an ``Accept-Language`` header, whatever it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.languages import accepted


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("it", "it"),
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("en;q=0.2, it;q=0.8", "it"),
        ("it;q=0", "en"),
        ("de, fr;q=0.9", "en"),
        ("it;q=nonsense, en;q=0.1", "en"),
        ("IT", "it"),
        ("en, it", "en"),
    ],
)
def test_the_language_that_is_wanted_most(header: str | None, language: str):
    """The first of the highest quality that we have; else the usual one."""
    assert accepted(header, "en") == language


@given(st.text())
def test_nothing_breaks_it(header: str):
    """Any text gives a language that we have."""
    assert accepted(header, "it") in ("en", "it")
