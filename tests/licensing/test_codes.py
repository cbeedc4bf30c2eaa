"""Codes: what minting gives, which typing errors are noticed, and which writings are the same code."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from hashlib import shake_256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import codes
from licensing.codes import ALPHABET, CodeForm, check, match_key, match_keys

MINTS: dict[CodeForm, Callable[[bytes, int], list[str]]] = {
    codes.VOUCHER: codes.voucher_codes,
    codes.LICENSE: codes.license_numbers,
    codes.ACCOUNT: codes.account_numbers,
}
FORMS = pytest.mark.parametrize("form", MINTS, ids=lambda form: form.prefix)


def minted(form: CodeForm, count: int, seed: bytes = b"codes") -> list[str]:
    """``count`` codes of a form, the same ones in every run."""
    return MINTS[form](shake_256(seed).digest(count * form.random_symbols), count)


@FORMS
def test_minted_codes_have_their_form_and_are_ours(form: CodeForm) -> None:
    """A minted code is its prefix and groups of Crockford symbols, passes its own check, and is a code by its looks."""
    for code in minted(form, 300):
        prefix, *groups = code.split("-")
        assert prefix == form.prefix
        assert [len(group) for group in groups] == [form.group_length] * form.groups
        assert set("".join(groups)) <= set(ALPHABET)
        assert check(match_key(code)) == "ours"
        assert codes.looks_like_code(code)


@FORMS
def test_every_random_bit_reaches_the_code(form: CodeForm) -> None:
    """Each of a code's random bits changes the code, and the three unused bits of each byte change nothing."""
    plain = MINTS[form](bytes(form.random_symbols), 1)[0]
    seen = {plain}
    for place, bit in itertools.product(range(form.random_symbols), range(8)):
        drawn = bytearray(form.random_symbols)
        drawn[place] = 1 << bit
        code = MINTS[form](bytes(drawn), 1)[0]
        assert (code == plain) is (bit >= 5)
        seen.add(code)
    assert len(seen) == form.random_symbols * 5 + 1


@FORMS
def test_minting_many_at_once_gives_distinct_codes_and_needs_its_bytes(form: CodeForm) -> None:
    """Ten thousand codes differ; no code is asked for, none comes; a byte too few is refused."""
    assert len(set(minted(form, 10_000))) == 10_000
    assert MINTS[form](b"", 0) == []
    with pytest.raises(ValueError, match=form.prefix):
        MINTS[form](bytes(form.random_symbols * 2 - 1), 2)


def test_a_voucher_carries_100_random_bits() -> None:
    """A bulk upload is a guessing machine, so the promise of 100 random bits a voucher is kept."""
    assert codes.VOUCHER.random_symbols * 5 == 100


@FORMS
def test_every_single_wrong_symbol_is_noticed(form: CodeForm) -> None:
    """Whichever symbol of a code is replaced by whichever other one, the code is mistyped."""
    for code in minted(form, 20):
        key = match_key(code)
        for place, symbol in itertools.product(range(3, len(key)), ALPHABET):
            if key[place] != symbol:
                assert check(key[:place] + symbol + key[place + 1 :]) == "mistyped"


@FORMS
def test_every_swap_of_two_symbols_is_noticed(form: CodeForm) -> None:
    """Any two different symbols of a code, neighbours or not, that change places make it mistyped."""
    for code in minted(form, 40):
        key = match_key(code)
        for left, right in itertools.combinations(range(3, len(key)), 2):
            if key[left] != key[right]:
                swapped = list(key)
                swapped[left], swapped[right] = key[right], key[left]
                assert check("".join(swapped)) == "mistyped"


@FORMS
def test_every_missing_or_doubled_symbol_is_noticed(form: CodeForm) -> None:
    """A code with a symbol lost or typed twice is mistyped."""
    for code in minted(form, 20):
        key = match_key(code)
        for place in range(3, len(key)):
            assert check(key[:place] + key[place + 1 :]) == "mistyped"
            assert check(key[:place] + key[place] + key[place:]) == "mistyped"


def test_a_code_of_one_sort_is_none_of_another() -> None:
    """A serial's symbols behind the voucher's prefix (both have the same length) are mistyped."""
    for code in minted(codes.VOUCHER, 50):
        assert check(match_key(code.replace("KMV", "KMS"))) == "mistyped"


@pytest.mark.parametrize("key", ["KMV", "KMVU", "KMV" + "U" * 21, "KMV" + "é" * 21, "KMV" + "!" * 21, "KML0"])
def test_what_only_begins_like_a_code_of_ours_is_mistyped(key: str) -> None:
    """Our prefix before anything that is no code of ours is a typing error."""
    assert check(key) == "mistyped"


@pytest.mark.parametrize("key", ["", "K", "RSI2675896", "KMX7N2QK4D", "km"])
def test_codes_without_our_prefix_are_foreign(key: str) -> None:
    """A code of another system has no form that could be wrong."""
    assert check(key) == "foreign"


def test_every_symbol_of_a_code_survives_every_way_of_typing_it() -> None:
    """Case, spaces, hyphens and dashes, full-width forms, zero-width marks, O for 0 and I or L for 1: one key."""
    code = "KMV-0123456-789ABCD-EFGHJKM"
    wide = "".join(chr(ord(char) + 0xFEE0) if char.isascii() and char != " " else char for char in code)
    ways = [
        code.lower(),
        code.replace("-", ""),
        code.replace("-", " "),
        code.replace("-", "\t"),
        f"  {code}\r\n",
        code.replace("-", "\u2013"),
        code.replace("-", " \u2212 "),
        f"\ufeff{code}\u200b",
        code.replace("-", "\u00a0"),
        code.replace("-", "\u2011\u200d"),
        "\u200b".join(code),
        "\u00ad".join(code),
        wide,
        wide.lower(),
        code.replace("0", "O").replace("1", "I"),
        code.replace("0", "o").replace("1", "l"),
    ]
    assert {match_key(way) for way in ways} == {code.replace("-", "")}


def test_look_alikes_are_told_apart_in_codes_of_other_systems() -> None:
    """O and 0, I, L and 1 are different symbols where the code is not ours."""
    assert len({match_key(text) for text in ("RSI-O1", "RSI-01", "RSI-OI", "RSI-OL")}) == 4


def test_a_match_key_is_its_own_match_key_for_every_character() -> None:
    """Whatever character stands in a code, its key and both cases of the code give the same key again."""
    for point in itertools.chain(range(0xD800), range(0xE000, 0x20000), range(0xE0000, 0xE1000)):
        text = f"A{chr(point)}1"
        key = match_key(text)
        assert match_key(key) == key == match_key(text.lower()) == match_key(text.upper()), hex(point)


@given(st.text(), st.sampled_from([" ", "-", "\u200b", "\u00a0", "\u2013", "\t"]), st.data())
def test_a_match_key_is_stable_for_any_text(text: str, dropped: str, data: st.DataObject) -> None:
    """The key of a key is itself, and separators around a code change nothing."""
    key = match_key(text)
    assert match_key(key) == key
    assert match_key(f"{dropped}{text}{dropped}") == key
    if text.isascii():
        place = data.draw(st.integers(0, len(text)))
        assert match_key(text[:place] + dropped + text[place:]) == key


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_the_quick_way_for_ascii_agrees_with_the_general_one(text: str) -> None:
    """A character outside ASCII sends a code the general way, and what it adds is all that differs."""
    assert match_key(text + "é") == match_key(match_key(text) + "é")


def test_the_keys_of_many_texts_are_the_keys_of_each() -> None:
    """Blanks, spaces, line ends, look-alikes and prefixes of ours beside each other, three of all and all three."""
    typed = ["", " ", "-", "A\nB", "A B", "a", "B-1", "KML-1", "KML", "KMNKML1", "KML-L", "kml0O", "KMVI", "KMVO"]
    for texts in itertools.product([*typed, "KMV-L", "RSI-OIL", "\x1cA", "\u00e9", "K\nML1", "\nKML1"], repeat=3):
        assert match_keys(texts) == [match_key(text) for text in texts], texts
    assert match_keys([]) == []


@given(st.text())
def test_any_text_gets_a_standing(text: str) -> None:
    """Looking at a code never raises."""
    assert check(match_key(text)) in ("ours", "mistyped", "foreign")
    assert codes.looks_like_code(text) in (True, False)


SEEN_AS_CODES = [
    "RSI-26-7589670-J9KH",
    " rsi 26 0680693 v6cu ",
    "RSI267589670J9KH",
    "RSI\u200b-26-7589670-J9KH",
    "ＲＳＩ－２６－７５８９６７０",
    "ABCD EFGH 1234",
    "AB - 12 - CDEF",
    "aB3xY9",
    "1234567",
    "A1B2C3/D4",
]
SEEN_AS_OTHER = [
    *("", "-", "12345", "AB-12", "ABCDEF", "x1" * 40),
    *("Codice voucher", "Voucher Code 1", "code_1", "Coupon2", "ID 123456", "Serial-No 12", "codici2026"),
    *("Elenco voucher 2026", "Lista codici Rossi 2026", "Totale 152", "page 12 of 19", "Foglio 12345"),
    *("Q1 2026 report", "Rossi SpA 2026", "Officine Rossi 1962 srl", "rsi 26 distributore"),
    *("2026-11-25", "25/11/2026", "25.11.26", "2026-11-25 10:00:00", "2026-11-25T10:00:00+01:00", "12:30:45"),
    *("http://example.org/1", "https://example.org/code/12", "it12@example.org", "1.500,75", "€ 200.000"),
]


@pytest.mark.parametrize("text", SEEN_AS_CODES)
def test_codes_are_seen_as_codes(text: str) -> None:
    """A code of any system passes where no header says that it is one."""
    assert codes.looks_like_code(text)


@pytest.mark.parametrize("text", SEEN_AS_OTHER)
def test_headers_titles_dates_and_addresses_are_no_codes(text: str) -> None:
    """Headers, title and total rows, dates, times, amounts and addresses are not taken for codes."""
    assert not codes.looks_like_code(text)


def test_a_code_of_ours_is_seen_however_it_is_typed() -> None:
    """Our own codes pass by their check symbol, odd separators or not."""
    shuffled = random.Random(5)
    for code in minted(codes.VOUCHER, 50):
        assert codes.looks_like_code(code.lower().replace("-", shuffled.choice([" ", "", "\u2013", "--", " - "])))
