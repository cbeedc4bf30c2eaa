"""A page for a contract: its text as a reader of PDF finds it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from exporters.statement_pages import page
from exporters.statement_words import Writing
from exporters.statements import ReportedContract
from licensing.fields import Language
from tests.exporters.reported import contract, line

ROOT = Path(__file__).parents[2]


def text_of(made: ReportedContract, language: Language = "en", locale: str | None = None) -> str:
    """The text of a contract's one page."""
    document = pypdfium2.PdfDocument(page(made, Writing(language, locale), issuer="Vendor & Söhne"))
    assert len(document) == 1
    text = document[0].get_textpage().get_text_bounded()
    document.close()
    return str(text).replace("\r\n", "\n")


def test_a_page_tells_the_contract_and_what_is_owed() -> None:
    """Who, what, until when; sums of closed and of open periods; a row a statement with its number."""
    made = contract()
    text = text_of(made)
    for told in ("Vendor & Söhne", "Usage statement", "ACME", "C-1, IT", "FC-1", "1 Jan 2026 – 31 Dec 2026"):
        assert told in text
    assert "Counted to 26 Nov 2026" in text
    closed, running = made.owed("closed", "adjusted"), made.owed("open")
    assert closed["EUR"] > 1234 and running["EUR"] > 0
    assert f"€{closed['EUR']:,.2f}" in text and f"€{running['EUR']:,.2f}" in text
    for entry in made.lines[0].entries:
        assert str(entry.number) in text and (not entry.owed or f"€{entry.owed:,.2f}" in text)


def test_notes_say_what_figures_cannot() -> None:
    """Days that nobody reported, an adjustment with the sum before and after, an amendment."""
    text = text_of(contract())
    assert "CAD: nothing was reported on 18 days (4 May 2026 – 21 May 2026), which is not read as zero." in text
    assert "statement 51 replaces 1, because reports came late. Owed before: nothing; now: €1,234.50." in text
    assert "CAD: 120 committed from 1 Jul 2026 on, 100 before." in text
    tolerated = contract([line(used=101, growth_a_month=0, tolerance=Decimal(10))])
    assert "1 over what is allowed, which is within the tolerance of 10 % and not owed." in text_of(tolerated)


def test_a_gap_that_is_no_longer_known_is_told_by_its_days() -> None:
    """Where reports came after the statement, only what it counted is said."""
    whole = contract().lines[0]
    text = text_of(contract([type(whole)(*(whole.sku, whole.name, "EUR", whole.terms, whole.entries, whole.known))]))
    assert "CAD, 1 Apr 2026 – 30 Jun 2026: nothing is known of 18 days, which is not read as zero." in text


def test_a_gap_goes_on_over_the_end_of_a_period() -> None:
    """It is told once, however many periods it covers; a day is a day."""
    over_the_end = line(gap=(date(2026, 3, 20), date(2026, 4, 10)))
    assert "on 22 days (20 Mar 2026 – 10 Apr 2026)" in text_of(contract([over_the_end]))
    assert "on 1 day (4 May 2026)" in text_of(contract([line(gap=(date(2026, 5, 4), date(2026, 5, 4)))]))
    weekly = line(unit="month", gap=(date(2026, 1, 2), date(2026, 11, 25)), report_days=1)
    assert "on 328 days (2 Jan 2026 – 25 Nov 2026)" in text_of(contract([weekly]))


@pytest.mark.parametrize(
    ("language", "locale", "told"),
    [
        ("it", None, ("Estratto d'uso", "26 nov 2026", "1.234,50 €")),
        ("en", "it-IT", ("Estratto d'uso", "26 nov 2026", "1.234,50 €")),
        ("it", "en_US", ("Usage statement", "Nov 26, 2026", "€1,234.50")),
        ("it", "it_CH", ("Estratto d'uso", "26 nov 2026", "1'234.50")),
        ("en", "de_DE", ("Usage statement", "26 Nov 2026", "€1,234.50")),
        ("en", "nonsense", ("Usage statement", "26 Nov 2026", "€1,234.50")),
    ],
)
def test_a_page_is_written_as_its_reader_writes(language: Language, locale: str | None, told: tuple[str, ...]) -> None:
    """The customer's language where it is one of ours, else the batch's; numbers and days as there."""
    text = text_of(contract(), language, locale).replace("’", "'").replace("\xa0", " ")
    assert [one for one in told if one not in text] == []


def test_letters_of_many_alphabets_are_there() -> None:
    """Latin with all its accents, Greek and Cyrillic are embedded; a letter of another script is shown as ◊."""
    name = "Łódź Ωμέγα Ёлка ấ ğ 漢"
    assert "Łódź Ωμέγα Ёлка ấ ğ ◊" in text_of(contract(customer=name)), text_of(contract(customer=name))


@pytest.mark.parametrize("lines", [1, 2, 5, 30])
def test_it_stays_one_page_whatever_it_has_to_tell(lines: int) -> None:
    """Names without an end are cut, sums never; what there is no room for is counted."""
    facts: dict[str, Any] = {"customer": "Lange GmbH " * 40, "code": "X" * 64}
    many = [line(f"P{number:02}-" + "Y" * 60, first_number=1 + 100 * number, adjusted=True) for number in range(lines)]
    text = text_of(contract(many, **facts))
    assert "Lange GmbH Lange GmbH" in text and "…" in text
    assert ("more statements: all of them are in the contract's workbook" in text) == (lines > 2)
    assert ("more products are in the contract's workbook" in text) == (lines > 6)


def test_huge_sums_are_shown_whole() -> None:
    """A figure that is too wide is written smaller."""
    made = contract([line(used=2_000_000_000, growth_a_month=0)])
    assert f"€{made.owed('open')['EUR']:,.2f}" in text_of(made)


def test_a_line_that_was_never_used_has_a_page_too() -> None:
    """Nothing is used, nothing owed, no currency: the page says so."""
    text = text_of(contract([line(quantity=0, used=0, growth_a_month=0, currency=None, report_days=1)]))
    assert "nothing" in text and "none" in text


def test_the_same_content_gives_the_same_bytes() -> None:
    """Also in another process, and for a second page of the same process."""
    first = page(contract(), Writing("en"), issuer="V")
    page(contract(customer="Other"), Writing("it"), issuer="V")
    assert page(contract(), Writing("en"), issuer="V") == first
    code = (
        "import sys; from tests.exporters.reported import contract; from exporters.statement_pages import page;"
        "from exporters.statement_words import Writing;"
        "sys.stdout.buffer.write(page(contract(), Writing('en'), issuer='V'))"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert other.stdout == first


def test_what_is_over_is_red_where_it_counts() -> None:
    """Days above what is allowed are red; of an average only in a period that is over as a whole."""
    usage: dict[str, Any] = {"used": 85, "growth_a_month": 2}  # September is over, the average of its quarter is not
    peak, average = line(**usage), line(**usage, metric="average")
    assert peak.entries[2].over and not average.entries[2].over and average.entries[3].over
    assert _red(contract([line(used=50)])) == 0
    assert 0 < _red(contract([average])) < _red(contract([peak]))


def _red(made: ReportedContract) -> int:
    """How many points of the charts' part of the page are red."""
    document = pypdfium2.PdfDocument(page(made, Writing("en"), issuer="V"))
    picture = document[0].render(scale=2).to_pil().convert("RGB")
    document.close()
    width, height = picture.size
    colors = picture.crop((0, int(height * 0.29), width, int(height * 0.48))).getcolors(maxcolors=1 << 20) or []
    return sum(count for count, (red, green, blue) in colors if red > 150 and green < 90 and blue < 90)
