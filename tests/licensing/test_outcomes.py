"""Outcomes: every code has one outcome, and a sentence in both languages that says something."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from licensing import outcomes
from licensing.decisions import Decision
from licensing.fields import LANGUAGES, Language
from licensing.outcomes import CODES, OUTCOMES, Code, Outcome, Rejected

EVERY_CODE = pytest.mark.parametrize("code", outcomes._ALL, ids=lambda code: code.code)


def test_codes_are_unique() -> None:
    """No code is listed twice: a second entry would silently replace the first."""
    assert len(CODES) == len(outcomes._ALL)


def test_the_outcome_words_are_those_of_the_type_and_all_in_use() -> None:
    """Five words, each of them the outcome of some code."""
    assert get_args(Outcome) == OUTCOMES
    assert {code.outcome for code in CODES.values()} == set(OUTCOMES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_codes_read_the_same(language: Language) -> None:
    """A person can tell codes apart by their sentences."""
    sentences = [code.sentence(language, "x") for code in CODES.values()]
    assert len(set(sentences)) == len(sentences)


@EVERY_CODE
def test_codes_are_words_in_snake_case(code: Code) -> None:
    """Codes are for programs: lower-case words joined by underscores."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code.code)


@EVERY_CODE
def test_sentences_are_sentences_in_both_languages(code: Code) -> None:
    """A sentence begins with a capital or its detail, ends with a full stop or its detail, and is not the other one."""
    for sentence in (code.en, code.it):
        assert re.fullmatch(r"(?:[A-ZÈ]|\{detail\} ).*(?:[.]| \{detail\})|\{detail\}", sentence)
        assert "  " not in sentence
    assert code.en != code.it or code.en == "{detail}"


@EVERY_CODE
def test_both_languages_tell_the_same_detail_and_leave_no_placeholder(code: Code) -> None:
    """What a decision adds is shown in both languages, once, as it is."""
    assert code.en.count("{detail}") == code.it.count("{detail}") <= 1
    for language in LANGUAGES:
        told = code.sentence(language, "<4711>")
        assert "{" not in told
        assert "}" not in told
        assert ("<4711>" in told) is ("{detail}" in code.en)


def test_a_detail_is_never_read_as_a_placeholder() -> None:
    """A cell that holds braces or a placeholder is shown as it is."""
    told = CODES["unknown_account"].sentence("en", "{detail} {0} {code.__class__} %s")
    assert told == "No account {detail} {0} {code.__class__} %s is known."


def test_values_default_to_no_detail_and_no_field() -> None:
    """A decision or rejection needs no more than its code."""
    assert Decision("issued") == ("issued", "", None, None, None, None)
    assert Rejected("bad_character") == Rejected("bad_character", detail="", field=None)
