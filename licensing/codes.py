"""Voucher codes, license numbers and the keys they are found by: minting, typing errors, matching.

A Keymill code is a prefix (``KMV`` voucher, ``KML`` license, ``KMS`` serial, ``KMC`` customer, ``KMN`` notification),
random Crockford base32 symbols and one check symbol, in groups: ``KMV-7N2QK4D-0XW9C3A-M5R8TPE``. The symbols are
elements of GF(32). Read as a polynomial (the prefix's own symbol first) they are zero at a generator of the field, so
that every single wrong symbol and every two swapped ones are noticed. Codes of other systems have no form of ours: they
just exist or not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LONGEST_CODE = 64  # characters, of a code that another system made

Standing = Literal["ours", "mistyped", "foreign"]


class CodeForm(NamedTuple):
    """The form of one sort of code: how many groups of how many symbols, the last symbol being the check symbol."""

    prefix: str
    groups: int
    group_length: int

    @property
    def random_symbols(self) -> int:
        """Symbols that are drawn at random, 5 bits each; minting takes one random byte for each."""
        return self.groups * self.group_length - 1


VOUCHER = CodeForm("KMV", 3, 7)  # 100 random bits
LICENSE = CodeForm("KML", 3, 6)  # 85 random bits
SERIAL = CodeForm("KMS", 3, 7)
ACCOUNT = CodeForm("KMC", 3, 4)  # 55 random bits: a number to tell customers apart, not a secret
NOTIFICATION = CodeForm("KMN", 3, 7)
FORMS = {form.prefix: form for form in (VOUCHER, LICENSE, SERIAL, ACCOUNT, NOTIFICATION)}

_SYMBOLS = ALPHABET.encode()


def _doubled(value: int) -> int:
    """A field element times the generator x, modulo x^5 + x^2 + 1."""
    return (value << 1) ^ (0b100101 if value & 0b10000 else 0)


def _powers_of_the_generator(count: int) -> list[int]:
    powers = [1]
    while len(powers) < count:
        powers.append(_doubled(powers[-1]))
    return powers


def _product(left: int, right: int) -> int:
    """The product of two field elements."""
    total = 0
    while right:
        if right & 1:
            total ^= left
        left, right = _doubled(left), right >> 1
    return total


_POWERS = _powers_of_the_generator(31)  # the generator's order is 31, more than any code has symbols
_DOUBLES = bytes(map(_doubled, range(32)))
_NO_SYMBOL = 255
_VALUES = bytes(_SYMBOLS.index(byte) if byte in _SYMBOLS else _NO_SYMBOL for byte in range(256))
_SEED = {prefix: ALPHABET.index(prefix[2].replace("L", "1")) for prefix in FORMS}  # a KMV code is no KML code
_TO_VALUE = bytes(byte & 31 for byte in range(256))
_TO_SYMBOL = bytes(_SYMBOLS[byte & 31] for byte in range(256))
_TIMES_POWER = [bytes(_product(value, power) for value in range(32)) * 8 for power in _POWERS]


def _check_column(columns: list[bytes], seed: int, count: int) -> bytes:
    """The check values of ``count`` codes at once; ``columns`` holds the codes' values by position."""
    last = len(columns)
    total = int.from_bytes(bytes([_product(seed, _POWERS[last + 1])]) * count, "big")
    for position, column in enumerate(columns):
        total ^= int.from_bytes(column.translate(_TIMES_POWER[last - position]), "big")
    return total.to_bytes(count, "big")


def _mint(form: CodeForm, random: bytes, count: int) -> list[str]:
    """``count`` codes of a form out of random bytes, one byte a random symbol (its low five bits)."""
    if count == 0:
        return []
    if len(random) < count * form.random_symbols:
        raise ValueError(f"{count} {form.prefix} codes need {count * form.random_symbols} random bytes")
    columns = [
        random[position * count : (position + 1) * count].translate(_TO_VALUE)
        for position in range(form.random_symbols)
    ]
    columns.append(_check_column(columns, _SEED[form.prefix], count))
    pattern = form.prefix + ("-" + "0" * form.group_length) * form.groups + "\n"
    sheet = bytearray(pattern.encode() * count)
    places = [place for place, symbol in enumerate(pattern) if symbol == "0"]
    for place, column in zip(places, columns, strict=True):
        sheet[place :: len(pattern)] = column.translate(_TO_SYMBOL)
    return sheet.decode("ascii").splitlines()


def voucher_codes(random: bytes, count: int) -> list[str]:
    """``count`` voucher codes; ``random`` holds at least ``VOUCHER.random_symbols * count`` secret random bytes.

    The look-up key of any minted code is ``code.replace("-", "")``. Raises ``ValueError`` when bytes are missing.
    """
    return _mint(VOUCHER, random, count)


def license_numbers(random: bytes, count: int) -> list[str]:
    """``count`` license numbers out of at least ``LICENSE.random_symbols * count`` random bytes."""
    return _mint(LICENSE, random, count)


def serial_codes(random: bytes, count: int) -> list[str]:
    """``count`` serials out of at least ``SERIAL.random_symbols * count`` random bytes."""
    return _mint(SERIAL, random, count)


def notification_codes(random: bytes, count: int) -> list[str]:
    """``count`` IDs of upgrade notifications out of at least ``NOTIFICATION.random_symbols * count`` random bytes."""
    return _mint(NOTIFICATION, random, count)


def account_numbers(random: bytes, count: int) -> list[str]:
    """``count`` account numbers out of at least ``ACCOUNT.random_symbols * count`` random bytes."""
    return _mint(ACCOUNT, random, count)


# Spaces, hyphens and dashes of any script, and characters that nobody sees (zero-width marks, soft hyphen).
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_UNSEEN = dict.fromkeys(map(ord, _INVISIBLE))
_LIKE_DIGITS = str.maketrans("OIL", "011")


@lru_cache(1)
def _dropped() -> dict[int, None]:
    """What is left out of a key. Every reader imports this module, few meet a text that needs it."""
    characters = (chr(point) for point in range(0x10000))
    seen = "".join(each for each in characters if each.isspace() or unicodedata.category(each) == "Pd")
    return dict.fromkeys(map(ord, _INVISIBLE + seen + "\u2212\u2043"))


def match_key(text: str) -> str:
    """The key by which a code is looked up: no case, spaces, hyphens, full-width forms; O and I, L in ours as 0 and 1.

    The same for every way of typing a code, and for the key itself.
    """
    if text.isascii():
        key = "".join(text.upper().replace("-", "").split())  # five times as fast as translate
    else:
        folded = unicodedata.normalize("NFKC", text).translate(_dropped()).casefold().upper()
        key = unicodedata.normalize("NFKC", folded)
    if key[:3] in FORMS:
        rest = key[3:]
        if "O" in rest or "I" in rest or "L" in rest:
            return key[:3] + rest.translate(_LIKE_DIGITS)
    return key


def match_keys(texts: Sequence[str]) -> list[str]:
    """The :func:`match_key` of each: of many in a third of the time, where they are written as codes are."""
    together = "\n" + "\n".join(texts)
    if together.isascii():
        together = together.upper().replace("-", "")
        keys = together[1:].split("\n")
        is_plain = "O" not in together and "I" not in together and together.count("L") == together.count("\nKML")
        if is_plain and len(keys) == len(texts) and keys == together.split():  # none of them blank or with a space
            return keys
    return list(map(match_key, texts))


def keys_of(texts: Sequence[str]) -> dict[str, str]:
    """The :func:`match_key` of each of these texts, by the text."""
    return dict(zip(texts, match_keys(texts), strict=True))


def grouped(key: str) -> str:
    """A code of ours as it is written, out of its key (``KML7N2QK4...`` is ``KML-7N2QK4-...``); others unchanged."""
    form = FORMS.get(key[:3])
    if form is None:
        return key
    rest, length = key[3:], form.group_length
    return "-".join([key[:3], *(rest[start : start + length] for start in range(0, len(rest), length))])


def written(text: str) -> str:
    """A code of ours as it is written, however it was typed."""
    return grouped(match_key(text))


def check(key: str) -> Standing:
    """Whether a :func:`match_key` is a code of ours, one of ours with a typing error, or of another system."""
    form = FORMS.get(key[:3])
    if form is None:
        return "foreign"
    values = key[3:].encode("ascii", "replace").translate(_VALUES)
    if len(values) != form.groups * form.group_length or _NO_SYMBOL in values:
        return "mistyped"
    total, doubles = _SEED[form.prefix], _DOUBLES
    for value in values:
        total = doubles[total] ^ value
    return "ours" if total == 0 else "mistyped"


_DATE_OR_TIME = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([T ]\d{1,2}:.*)?|\d{1,2}(:\d{2}){1,2}")
_CODE_CHARACTERS = re.compile(r"[^\W_]+((\s?[\-_./:#+=*]\s?|\s{1,3})[^\W_]+)*")
# Words of headers and title rows in English and Italian.
_HEADER_WORD = re.compile(
    r"(?:codes?|codic[ei]|vouchers?|coupons?|buon[oi]|id|n[or]|num|serial|list[ae]?|elenco|total[ei]?|sheet|foglio"
    r"|dat[ae]|page|pagina|orders?|ordin[ei]|keys?)\d*"
)


def looks_like_code(text: str) -> bool:
    """Whether a cell passes as a voucher code where no header says so: with digits, and no phrase, date or address."""
    key = match_key(text)
    if check(key) == "ours":
        return True
    shown = unicodedata.normalize("NFKC", text).translate(_UNSEEN).strip()
    if not 6 <= len(key) <= LONGEST_CODE or not any(map(str.isdigit, key)):
        return False
    if _DATE_OR_TIME.fullmatch(shown) or not _CODE_CHARACTERS.fullmatch(shown):
        return False
    words = re.split(r"[\s\-_]+", shown)
    if any(_HEADER_WORD.fullmatch(word.lower()) for word in words):
        return False
    return " " not in shown or not _is_phrase(shown, words)


def _is_phrase(shown: str, words: list[str]) -> bool:
    """Whether a text with spaces reads like language: upper and lower case mixed, or a long word without a digit."""
    return shown not in (shown.upper(), shown.lower()) or any(word.isalpha() and len(word) > 5 for word in words)


# Punctuation of ASCII; "&", "@", "+" and "$" tell companies apart.
_PUNCTUATION = {point: None for point in range(128) if not chr(point).isalnum() and chr(point) not in "&@+$"}


@lru_cache(maxsize=65_536)
def company_key(name: str) -> str:
    """The key by which a company is found again: no case, spaces or punctuation; letters of every script stay."""
    key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(_PUNCTUATION)
    if not key.isascii():
        kept = (char for char in key if char in "&@" or unicodedata.category(char)[0] in "LMNS")
        key = unicodedata.normalize("NFKC", "".join(kept))
    return key or " ".join(name.split())
