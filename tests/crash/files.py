"""The files of a crash run: what is sent, by whom and in which order, all of it drawn from the seed."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import xlsxwriter

from licensing import codes
from tests.crash import pools
from tests.crash.pools import CUSTOMER, Pool

VENDOR = "VENDOR"
OEMS = ("OEM-A", "OEM-B", "OEM-C")
DISTRIBUTOR = "DIST"
PRODUCTS = ("SKU-1", "SKU-2", "SKU-HOST")  # perpetual, a year, bound to a host
COUNTRIES = ("IT", "DE", "FR", "US", "")
EXPIRED = date(2020, 12, 31)
REDEEM_HEADERS = {
    "xlsx": ("Voucher code", "Company", "E-mail", "Country", "Host ID", "Reference", "Region"),
    "csv": ("Codice voucher", "Ragione sociale", "E-mail", "Paese", "ID host", "Riferimento", "Zona"),
}
MINT_HEADER = ("OEM", "Product", "Count", "Reference", "Remark")
REGISTER_HEADER = ("Serial", "Company", "E-mail", "Host ID", "Quantity", "Remark")
REHOST_HEADER = ("License", "New host ID", "Quantity", "Remark")
LARGE_ORDER = 60_000  # codes: more than one transaction makes


@dataclass(slots=True)
class Upload:
    """One file. ``after``: the file whose end is awaited first; ``behind``: the one that is confirmed first.

    ``names``: the file in whose answers the licenses stand that the rows name, ``@ROW`` each: known only in a run.
    ``is_race``: another account's file asks for the same at the same time; who gets it is up to the machine.
    """

    number: int
    account: str
    kind: str
    form: str
    header: Sequence[str]
    rows: list[tuple[str, ...]]
    confirm: str = "auto"
    on_error: str = "continue"
    after: int | None = None
    behind: int | None = None
    names: int | None = None
    is_race: bool = False

    @property
    def name(self) -> str:
        """The file's name; also its request key."""
        return f"{self.number:04d}-{self.kind}.{self.form}"

    def named(self, licenses: Sequence[str | None]) -> list[tuple[str, ...]]:
        """The rows, with the licenses that another file was answered with."""
        if self.names is None:
            return self.rows
        known = {f"@{place}": number or f"NONE-{place}" for place, number in enumerate(licenses)}
        return [tuple(known.get(cell, cell) for cell in row) for row in self.rows]

    def write(self, path: Path, rows: Sequence[tuple[str, ...]]) -> None:
        """Write the file; a semicolon separates the columns of a CSV."""
        (_write_xlsx if self.form == "xlsx" else _write_csv)(path, [self.header, *rows])


@dataclass(slots=True)
class Stock:
    """A voucher that is there before the run starts."""

    code: str
    oem: str
    sku: str
    expires: date | None


@dataclass
class Plan:
    """Every file of a run, and what they name: vouchers, certificates with their quantities, pools of contracts."""

    uploads: list[Upload] = field(default_factory=list)
    stock: list[Stock] = field(default_factory=list)
    certificates: dict[str, int] = field(default_factory=dict)
    pools: list[Pool] = field(default_factory=list)


def _write_csv(path: Path, lines: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows(lines)


def _write_xlsx(path: Path, lines: Sequence[Sequence[str]]) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Orders")
        for number, line in enumerate(lines):
            for column, text in enumerate(line):
                sheet.write_string(number, column, text) if text else None


def draw(seed: int, batches: int, rows: int) -> Plan:
    """The plan of a seed: number 0 redeems what later files meet as redeemed, before any fault."""
    return _Drawer(random.Random(f"files {seed}"), rows).draw(batches)


class _Drawer:
    """Draws one file after the other; the later ones name vouchers of the earlier ones."""

    def __init__(self, rng: random.Random, rows: int) -> None:
        self.rng, self.row_count, self.plan = rng, rows, Plan()
        self.old: list[tuple[str, ...]] = []  # rows of number 0: redeemed before the run

    def draw(self, batches: int) -> Plan:
        self.old = [self._order(code) for code in self._mint(OEMS[0], 300)]
        self._add(Upload(0, OEMS[0], "redeem-vouchers", "csv", REDEEM_HEADERS["csv"], list(self.old)))
        self.drawn = pools.some_pools(self.rng, PRODUCTS, self.row_count)
        self.plan.pools += self.drawn
        self._race()
        self._draws()
        self._nights()
        self._draws()
        while len(self.plan.uploads) <= batches:
            draw = self.rng.random()
            if draw < 0.15:
                self._add(self._mint_orders())
            elif draw < 0.25:
                self._send_again()
            elif draw < 0.35:
                self._rivals()
            elif draw < 0.43:
                self._all_or_nothing()
            elif draw < 0.55:
                self._add(self._registrations())
            elif draw < 0.65:
                self._moves()
            elif draw < 0.75:
                self._draws()
            elif draw < 0.78:
                self._race()
            elif draw < 0.84:
                self._nights()
            else:
                self._add(self._redemptions())
        del self.plan.uploads[batches + 1 :]
        return self.plan

    def _add(self, upload: Upload) -> Upload:
        upload.number = len(self.plan.uploads)
        self.plan.uploads.append(upload)
        return upload

    def _mint(self, oem: str, count: int, expires: date | None = None) -> list[str]:
        fresh = codes.voucher_codes(self.rng.randbytes(codes.VOUCHER.random_symbols * count), count)
        self.plan.stock += [Stock(code, oem, self.rng.choice(PRODUCTS), expires) for code in fresh]
        return fresh

    def _order(self, code: str) -> tuple[str, ...]:
        rng = self.rng
        company = f"Customer {rng.randrange(400):03d} S.p.A."
        host, reference = f"{rng.getrandbits(48):012X}H", f"PO-{rng.getrandbits(32):08x}"
        return (code, company, f"mail{rng.randrange(99)}@customer.example", rng.choice(COUNTRIES), host, reference, "x")

    def _redemptions(self, confirm: str | None = None, oem: str | None = None) -> Upload:
        oem = oem or self.rng.choice(OEMS)
        form = self.rng.choice(("xlsx", "csv"))
        confirm = confirm or ("ask" if self.rng.random() < 0.3 else "auto")
        rows = list(self._mixed_rows(oem))
        return Upload(0, oem, "redeem-vouchers", form, REDEEM_HEADERS[form], rows, confirm)

    def _mixed_rows(self, oem: str) -> Iterator[tuple[str, ...]]:
        """Mostly vouchers that can be redeemed, and some of everything that can be wrong with a row."""
        count, rng = self.row_count, self.rng
        fresh, expired = self._mint(oem, count), self._mint(oem, count // 40 + 1, EXPIRED)
        strangers = self._mint(rng.choice([other for other in OEMS if other != oem]), count // 60 + 1)
        given: list[tuple[str, ...]] = []
        for number, code in enumerate(fresh):
            row, draw = self._order(code), rng.random()
            if draw < 0.04 and given:
                row = rng.choice(given)  # the same row again
            elif draw < 0.08 and given:
                row = (rng.choice(given)[0], "Somebody Else GmbH", *row[2:])
            elif draw < 0.1:
                row = (_mistyped(code, rng), *row[1:])
            elif draw < 0.12:
                row = (f"ACME-{rng.getrandbits(40):010x}", *row[1:])
            elif draw < 0.14:
                row = (expired[number % len(expired)], *row[1:])
            elif draw < 0.15:
                row = (strangers[number % len(strangers)], *row[1:])
            elif draw < 0.16:
                row = (code, "", *row[2:])
            elif draw < 0.17:
                row = (*row[:4], "", *row[5:])  # no host
            elif draw < 0.2:
                earlier = rng.choice(self.old)  # redeemed before, by OEM-A
                row = earlier if draw < 0.185 else (earlier[0], "Quite Another Ltd", *row[2:])
            else:
                given.append(row)
            yield row

    def _registrations(self) -> Upload:
        """Certificates in parts, again, beyond what is left, by somebody else, unknown; some are in two files."""
        rng, number = self.rng, len(self.plan.uploads)
        known = list(self.plan.certificates)
        fresh = {f"CERT-{number:04d}-{n:05d}": rng.randrange(1, 5) for n in range(self.row_count // 2)}
        self.plan.certificates |= fresh
        wanted = [*fresh, *rng.sample(known, min(len(known), 20))]
        rows: list[tuple[str, ...]] = []
        for _ in range(self.row_count):
            serial = rng.choice(wanted) if rng.random() < 0.97 else f"CERT-NONE-{rng.randrange(999)}"
            # A customer for each certificate, in every file: who comes first must not be up to the machine.
            company = "Somebody Else" if rng.random() < 0.02 else f"Buyer {sum(map(ord, serial)) % 9}"
            quantity = rng.choice(("", "1", "1", "2"))
            rows.append((serial, company, "buyer@customer.example", f"H{rng.randrange(3)}", quantity, "x"))
        upload = Upload(0, DISTRIBUTOR, "register-serials", rng.choice(("xlsx", "csv")), REGISTER_HEADER, rows)
        earlier = [one.number for one in self.plan.uploads if one.kind == upload.kind]
        upload.after = earlier[-1] if earlier else None  # they compete for certificates
        return upload

    def _moves(self) -> None:
        """Licenses of a file of certificates move to other hosts, in whole and in parts, once and again."""
        made = [one for one in self.plan.uploads if one.kind == "register-serials"]
        if not made:
            return
        rng, source = self.rng, self.rng.choice(made)
        rows: list[tuple[str, ...]] = [
            (f"@{rng.randrange(len(source.rows))}", f"N{rng.randrange(4)}", rng.choice(("", "1", "1", "2")), "x")
            for _ in range(self.row_count // 2)
        ]
        upload = Upload(0, DISTRIBUTOR, "rehost-licenses", rng.choice(("xlsx", "csv")), REHOST_HEADER, rows)
        rivals = [one.number for one in self.plan.uploads if one.kind == upload.kind and one.names == source.number]
        upload.names, upload.after = source.number, rivals[-1] if rivals else source.number
        self._add(upload)

    def _last(self, *kinds: str) -> int | None:
        """The last file of some kinds so far that is no race."""
        found = [one.number for one in self.plan.uploads if one.kind in kinds and not one.is_race]
        return found[-1] if found else None

    def _draws(self) -> None:
        """Two files that draw from the same pools: who is confirmed first goes first; the first gives back, too."""
        earlier, file = self._last("draw-down"), len(self.plan.uploads)
        known = [] if earlier is None else self.plan.uploads[earlier].rows
        rows = pools.draws(self.rng, self.drawn, self.row_count, file, known)
        first = Upload(0, CUSTOMER, "draw-down", self.rng.choice(("xlsx", "csv")), pools.DRAW_HEADER, rows, "ask")
        first.after = first.names = earlier
        rows = pools.draws(self.rng, self.drawn, self.row_count // 2, file + 1, [])
        second = Upload(0, CUSTOMER, "draw-down", "csv", pools.DRAW_HEADER, rows, "ask")
        second.after, second.behind = earlier, self._add(first).number
        self._add(second)

    def _race(self) -> None:
        """A pool with a hard stop that a customer and its distributor empty at the same time."""
        number = len(self.plan.uploads)
        pool = Pool(f"RACE-{number}", PRODUCTS[0], "hard_stop", self.row_count)
        self.plan.pools.append(pool)
        for account in (CUSTOMER, DISTRIBUTOR):
            rows = pools.race(pool, self.row_count, len(self.plan.uploads))
            upload = Upload(0, account, "draw-down", "csv", pools.DRAW_HEADER, rows)
            upload.is_race = True
            self._add(upload)

    def _nights(self) -> None:
        """Usage is reported, and the nights up to some days are reconciled: late reports adjust what is closed."""
        told = pools.reports(self.rng, self.drawn, self.row_count)
        for account, kind, header, rows in (
            (CUSTOMER, "report-usage", pools.REPORT_HEADER, told),
            (VENDOR, "reconcile-contracts", pools.NIGHT_HEADER, pools.nights(self.rng, self.drawn)),
        ):
            upload = Upload(0, account, kind, self.rng.choice(("xlsx", "csv")), header, rows)
            upload.after = self._last("report-usage", "reconcile-contracts")
            self._add(upload)

    def _send_again(self) -> None:
        """An earlier file under a new request key, once the first answer is there."""
        known = [upload for upload in self.plan.uploads if upload.kind == "redeem-vouchers" and upload.after is None]
        first = self.rng.choice(known)
        again = Upload(0, first.account, first.kind, first.form, first.header, first.rows, "auto")
        again.after = first.number
        self._add(again)

    def _rivals(self) -> None:
        """Two files that name the same vouchers for different customers: who is confirmed first gets them."""
        first = self._add(self._redemptions(confirm="ask"))
        second = self._redemptions(confirm="ask", oem=first.account)
        shared = self.rng.sample(first.rows, len(first.rows) // 3)
        second.rows[: len(shared)] = [(row[0], "Rival Ltd", *row[2:]) for row in shared]
        self._add(second).behind = first.number

    def _all_or_nothing(self) -> None:
        """A file that is taken whole or not at all: half of them have a row that is refused."""
        upload = self._redemptions(confirm="auto")
        if self.rng.random() < 0.5:
            upload.rows = [self._order(code) for code in self._mint(upload.account, self.row_count)]
        upload.on_error = "stop"
        self._add(upload)

    def _mint_orders(self) -> Upload:
        rng = self.rng
        rows: list[tuple[str, ...]] = []
        for number in range(rng.randrange(3, 9)):
            reference = f"ORDER-{len(self.plan.uploads)}-{number}" if rng.random() < 0.6 else ""
            rows.append((rng.choice(OEMS), rng.choice(PRODUCTS), str(rng.randrange(1, 300)), reference, "r"))
        if rng.random() < 0.25:
            rows.append((rng.choice(OEMS), PRODUCTS[0], str(LARGE_ORDER), "", "large"))
        rows.append((OEMS[0], "NO-SUCH-SKU", "5", "", ""))
        rows.append(("NOBODY", PRODUCTS[0], "5", "", ""))
        if rows[0][3]:
            rows.append(rows[0])  # the same order again
            rows.append((*rows[0][:2], "7777", *rows[0][3:]))  # its reference for another one
        form = rng.choice(("xlsx", "csv"))
        return Upload(0, VENDOR, "mint-vouchers", form, MINT_HEADER, rows, rng.choice(("auto", "ask")))


def _mistyped(code: str, rng: random.Random) -> str:
    place = rng.randrange(4, len(code))
    while code[place] == "-":
        place = rng.randrange(4, len(code))
    other = rng.choice([symbol for symbol in codes.ALPHABET if symbol != code[place]])
    return code[:place] + other + code[place + 1 :]
