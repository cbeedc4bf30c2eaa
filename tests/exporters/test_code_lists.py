"""Lists of minted codes: what an OEM gets, and sends back."""

from __future__ import annotations

import csv
import io
from datetime import date

from exporters.code_lists import code_list


def test_a_list_has_a_line_a_code() -> None:
    """Titles in the language asked for, then code, product, OEM and last day; texts are quoted and made safe."""
    rows = [("KMV-1", 'Edge "Pro", v2', "=ACME", date(2027, 1, 2)), ("KMV-2", "EDGE", "ACME", None)]
    data = b"".join(code_list(rows, "en"))
    assert data.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert read[1:] == [["KMV-1", 'Edge "Pro", v2', "'=ACME", "2027-01-02"], ["KMV-2", "EDGE", "ACME", ""]]
    assert data.count(b"\r\n") == 3


def test_titles_and_separator_are_the_readers() -> None:
    """An Italian list with semicolons."""
    first = next(code_list([], "it", ";")).decode("utf-8-sig")
    assert first.count(";") == 3
    assert "voucher" in first.lower()


def test_a_list_is_streamed() -> None:
    """Lines come while the codes come: an endless supply is no obstacle."""

    def endless():
        number = 0
        while True:
            number += 1
            yield f"KMV-{number}", "EDGE", "ACME", None

    blocks = code_list(endless(), "en")
    assert [len(next(blocks).splitlines()) for _ in range(3)] == [1, 5000, 5000]
