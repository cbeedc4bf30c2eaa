"""The files of the demo: an OEM's lists with good rows and with every kind of bad one, and the answers they deserve."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from exporters.delimited import Delimited
from exporters.pieces import Head
from exporters.xlsx import Xlsx

ENGLISH = ("Voucher code", "Company", "E-mail", "Country", "Host ID", "Reference", "Note")
ITALIAN = ("Codice voucher", "Ragione sociale", "E-mail", "Paese", "ID host", "Riferimento", "Note")
COMPANIES = (
    ("Officine Meccaniche Röggla S.p.A.", "IT"),
    ("Caffè Nuvola S.r.l.", "IT"),
    ("Müller & Söhne GmbH", "DE"),
    ('"Quoted" Systems, Inc.', "US"),
    ("=Formula(1+1) Ltd", "GB"),  # looks like one, and must come back as it is
    ("Łódź Robotics", "PL"),
)
A_FEW = 5  # bad rows of each sort


@dataclass(frozen=True, slots=True)
class Stock:
    """The voucher codes that the demo minted, by what will become of them."""

    good: Sequence[str]
    expired: Sequence[str]
    of_another: Sequence[str]


@dataclass
class List:
    """A conversion list: its rows, and how many of them deserve each code."""

    rows: list[list[str]] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)

    def add(self, code: str, answer: str, *, company: str | None = None, reference: str = "") -> None:
        """One more row."""
        number = len(self.rows)
        name, country = COMPANIES[number % len(COMPANIES)]
        mail = f"licenses{number % 97}@customer.example"
        host = f"{number * 2654435761 % 2**48:012X}"
        self.rows.append([code, name if company is None else company, mail, country, host, reference, "kept"])
        self.expected[answer] += 1

    def repeat(self, index: int, answer: str, *, company: str | None = None) -> None:
        """A row of above once more, for another company perhaps."""
        row = list(self.rows[index])
        if company is not None:
            row[1] = company
        self.rows.append(row)
        self.expected[answer] += 1


def conversion_list(stock: Stock) -> List:
    """Good rows, and among them repeated, mistyped, expired, foreign and incomplete ones."""
    made = List()
    for number, code in enumerate(stock.good):
        made.add(code, "issued", reference=f"PO-{number:05d}")
    for code in stock.good[:A_FEW]:
        made.add(mistyped(code), "mistyped_code")
        made.add(code, "missing_value", company="")
    for code in stock.expired[:A_FEW]:
        made.add(code, "voucher_expired")
    for code in stock.of_another[:A_FEW]:
        made.add(code, "unknown_voucher")
    for index in range(A_FEW):
        made.repeat(index, "already_issued")
        made.repeat(index, "already_redeemed", company="Somebody Else Ltd")
    return made


def mistyped(code: str) -> str:
    """The code with one symbol wrong."""
    return code[:-3] + ("X" if code[-3] != "X" else "Y") + code[-2:]


def as_xlsx(made: List) -> bytes:
    """The list as a workbook with English titles."""
    piece = Xlsx().piece(((list(row), ()) for row in made.rows), len(ENGLISH))
    return b"".join(Xlsx().assemble(Head(ENGLISH, sheet="Vouchers"), [(piece.facts, [piece.data])], len(ENGLISH)))


def as_italian_csv(made: List) -> bytes:
    """The list as Italian Excel saves it: semicolons, and an encoding in which the Polish name does not exist."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(ITALIAN)
    writer.writerows(made.rows)
    return text.getvalue().encode("cp1252", "replace")


def as_csv(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A plain table for the vendor's own batches."""
    piece = Delimited().piece(((list(row), ()) for row in rows), len(titles))
    return b"".join(Delimited().assemble(Head(tuple(titles)), [(piece.facts, [piece.data])], len(titles)))
