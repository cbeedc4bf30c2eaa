"""Texts to values: numbers, dates, flags, lists and codes as people and spreadsheets write them. Nothing is guessed."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal

# What nobody sees at the ends of a cell: every kind of space, zero-width marks, the soft hyphen, the byte order mark.
# Written out: to look through 65,536 characters would cost each process a hundredth of a second at its start.
_TRIMMED = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0"
    "\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\ufeff"
)
_BAD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LONGEST_SHOWN = 80

# Languages whose people write 1.500,75; Swiss and Mexican and the like write a point whatever their language.
_COMMA_LANGUAGES = frozenset(
    {
        "it",
        "de",
        "fr",
        "es",
        "pt",
        "nl",
        "pl",
        "el",
        "da",
        "sv",
        "nb",
        "nn",
        "no",
        "fi",
        "cs",
        "sk",
        "sl",
        "hr",
        "sr",
        "hu",
        "ro",
        "bg",
        "ru",
        "uk",
        "tr",
        "id",
        "vi",
    }
)
_POINT_COUNTRIES = frozenset({"CH", "LI", "MX", "GT", "HN", "NI", "PA", "PE", "SV", "DO", "PR"})
_POINT_LANGUAGES = frozenset({"en", "ja", "zh", "ko", "he", "th", "hi", "ar", "ga", "mt"})
_MONTH_FIRST = frozenset({"US", "PH"})

_YES = frozenset({"yes", "y", "true", "x", "1", "on", "si", "sì", "s", "vero"})
_NO = frozenset({"no", "n", "false", "0", "off", "falso"})
_MONTHS = {
    **dict(
        zip(
            ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
            range(1, 13),
            strict=True,
        )
    ),
    **dict(
        zip(
            ("gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"),
            range(1, 13),
            strict=True,
        )
    ),
}
_ISO_DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?)?"
)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{2}|\d{4})( \d{1,2}[:.]\d{2}([:.]\d{2})?)?")
_WORDED_DATE = re.compile(r"(\d{1,2})[ -]([^\W\d_]{3,12})\.?[ -](\d{4})|([^\W\d_]{3,12})\.? (\d{1,2}),? (\d{4})")
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_EXPONENT = re.compile(r"[+-]?\d+([.,]\d+)?[Ee]\+\d{1,3}")
_WHOLE_FLOAT = re.compile(r"(\d{8,})\.0")
MOST_DIGITS = 15  # that a spreadsheet's numbers hold without loss


def trim(text: str) -> str:
    """A text without what nobody sees at its ends."""
    return text.strip(_TRIMMED)


def shown(text: str) -> str:
    """A text with its odd characters visible: ``·`` for no-break and zero-width spaces, ``␀`` for control codes."""
    marks = []
    for char in text[:_LONGEST_SHOWN]:
        if char.isprintable():
            marks.append(char)
        elif ord(char) < 0x20:
            marks.append(chr(0x2400 + ord(char)))
        elif unicodedata.category(char) in ("Zs", "Zl", "Zp", "Cf"):
            marks.append("·")
        else:
            marks.append(f"\\u{ord(char):04X}")
    return "".join(marks) + ("…" if len(text) > _LONGEST_SHOWN else "")


def has_bad_character(text: str) -> bool:
    """Whether a text holds a control code (other than tab and line ends), a lone surrogate or a non-character."""
    return _BAD.search(text) is not None


def printable(text: str) -> str:
    """A text of one line for a person: what would steer a terminal, add a line or stay unseen is a space."""
    return "".join(char if char.isprintable() else " " for char in text)


def flag(text: str) -> bool | None:
    """Yes or no, in English or Italian; None when it is neither."""
    word = text.casefold()
    return True if word in _YES else False if word in _NO else None


def parts(text: str) -> tuple[str, ...]:
    """The entries of a list, without blanks and repeats."""
    return tuple(dict.fromkeys(part for part in map(trim, re.split(r"[;,|\n]", text)) if part))


def text_of_number(number: float) -> str:
    """A number as the digits that stood in the cell, as far as they can be known."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 10**MOST_DIGITS:
        number = int(number)
    return str(number)


def keeps_all_digits(number: float) -> bool:
    """Whether a number cell still holds every digit of the code that was typed into it."""
    return abs(number) < 10**MOST_DIGITS and "e" not in repr(number)


def code_text(text: str) -> str | None:
    """A code as text; None when a spreadsheet turned it into ``1.23457E+11`` or digits it made up."""
    if _EXPONENT.fullmatch(text):
        return None
    if whole := _WHOLE_FLOAT.fullmatch(text):
        return whole[1] if len(whole[1]) <= MOST_DIGITS else None
    return text


def _decimal_mark(locale: str | None) -> Literal[",", ".", ""]:
    """What this locale writes before the fraction; empty when it is not known."""
    language, _, country = (locale or "").replace("-", "_").partition("_")
    if country.upper() in _POINT_COUNTRIES or language.lower() in _POINT_LANGUAGES:
        return "."
    return "," if language.lower() in _COMMA_LANGUAGES else ""


def number(text: str, locale: str | None) -> Decimal | None:
    """A number as this locale writes it; None when it is none, or could be two."""
    plain = re.sub(r"(?<=\d)[\s'’](?=\d{3})", "", text)
    mark = _decimal_mark(locale)
    if not mark:
        if ("," in plain and "." in plain) or re.fullmatch(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+", plain):
            return None
        mark = "," if "," in plain else "."
    group = "." if mark == "," else ","
    if not re.fullmatch(rf"[+-]?(\d+|[1-9]\d{{0,2}}(\{group}\d{{3}})+)?(\{mark}\d+)?", plain, re.ASCII):
        return None
    try:
        return Decimal(plain.replace(group, "").replace(mark, "."))
    except InvalidOperation:
        return None


def serial_date(serial: float, date_1904: bool) -> date | None:
    """The day of a spreadsheet's serial number, between 1950 and 2199: smaller numbers are years or counts."""
    day = serial + (1462 if date_1904 else 0)
    return date(1899, 12, 30) + timedelta(days=int(day)) if 18_264 <= day < 109_575 else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def day(text: str, locale: str | None, date_1904: bool = False) -> date | Literal["ambiguous"] | None:
    """A date: ISO, in words, a serial number, or day and month in the order of the locale. None when it is none."""
    if match := _ISO_DATE.fullmatch(text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _NUMERIC_DATE.fullmatch(text):
        return _numeric_date(int(match[1]), int(match[3]), match[4], match[2], locale)
    if match := _WORDED_DATE.fullmatch(text):
        word, number_of_day, year = (match[2], match[1], match[3]) if match[1] else (match[4], match[5], match[6])
        month = _MONTHS.get(word[:3].lower())
        return _day(int(year), month, int(number_of_day)) if month else None
    if _SERIAL.fullmatch(text):
        return serial_date(float(text), date_1904)
    if re.fullmatch(r"(19|20)\d{6}", text):
        return _day(int(text[:4]), int(text[4:6]), int(text[6:]))
    return None


def _numeric_date(
    first: int, second: int, year: str, mark: str, locale: str | None
) -> date | Literal["ambiguous"] | None:
    if len(year) == 2:
        return "ambiguous"  # of which century, and which of the three is the year
    day_first, month_first = _day(int(year), second, first), _day(int(year), first, second)
    if day_first == month_first or month_first is None:
        return day_first
    country = (locale or "").replace("-", "_").rpartition("_")[2].upper()
    if country in _MONTH_FIRST and mark != ".":
        return month_first
    if day_first is None:
        return month_first if not locale or locale.lower() == "en" else None
    return day_first if mark == "." or (locale and locale.lower() != "en") else "ambiguous"


def day_of_cell(form: str, text: str) -> date | None:
    """The day of a packed ``date`` or ``datetime`` cell."""
    if form == "date":
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).date() if form == "datetime" else None
