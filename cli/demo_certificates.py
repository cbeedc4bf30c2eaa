"""The demo's second part: a distributor orders keys for certificates, upgrades some of them and moves others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cli.demo_desk import VENDOR, Desk, check

DISTRIBUTOR = "DEMO-DIST"
MOST = 5  # of a certificate
A_FEW = 5  # bad rows of each sort
_NOTIFICATION, _LICENSE = 0, 3  # where they stand in the list of notifications


def run(desk: Desk, sku: str, count: int) -> tuple[dict[str, dict[str, Any]], str]:
    """So many certificates from the printer to keys, of which a third is upgraded and a third moved.

    The reports by file, and the number of a customer.
    """
    from cli.demo_files import as_csv

    quantities = [1 + number % MOST for number in range(count)]
    serials = [f"CERT-2026-{number:05d}" for number in range(count)]
    rows = [(serial, sku, "3.1", str(q), "12") for serial, q in zip(serials, quantities, strict=True)]
    titles = ("serial", "product", "version", "quantity", "maintenance (months)")
    desk.send("certificates.csv", as_csv(titles, rows), "load-serials", VENDOR)
    reports = {"serials.csv": _register(desk, serials)}
    licenses = _licenses(desk, count)
    notices = desk.send("release.csv", as_csv(("product", "release"), [(sku, "4.0")]), "notify-upgrades", VENDOR)
    ids = {row[_LICENSE]: row[_NOTIFICATION] for row in desk.listed(notices, "notifications")}
    third = count // 3
    upgrades = [(ids[number], q) for number, q in zip(licenses[:third], quantities[:third], strict=True)]
    reports["upgrades.csv"] = _upgrade(desk, sku, upgrades)
    moves = list(zip(licenses[third : 2 * third], quantities[third : 2 * third], strict=True))
    reports["hosts.csv"] = _rehost(desk, moves, licenses[:A_FEW], quantities[:A_FEW])
    return reports, _customer(desk)


def _register(desk: Desk, serials: Sequence[str]) -> dict[str, Any]:
    """A bulk order: a key for each certificate, and rows that get none."""
    from cli.demo_files import COMPANIES, as_csv

    rows, expected = [], Counter[str]()

    def add(serial: str, answer: str, place: int, *, mail: str = "buyer@customer.example", quantity: str = "") -> None:
        company, country = COMPANIES[place % len(COMPANIES)]
        rows.append((serial, company, country, mail, f"H-{place:05d}", quantity))
        expected[answer] += 1

    for place, serial in enumerate(serials):
        if place < A_FEW:
            add(serial, "quantity_not_left", place, quantity=str(MOST + 1))
            add(serial, "missing_value", place, mail="")
        add(serial, "issued", place)
    for place in range(A_FEW):
        add(serials[place], "already_issued", place)
        add(serials[place], "already_registered", place + 1)
        add(f"CERT-2026-9999{place}", "unknown_serial", place)
    titles = ("Serial number", "Company", "Country", "E-mail", "Host ID", "Quantity")
    report = desk.send("serials.csv", as_csv(titles, rows), "register-serials", DISTRIBUTOR)
    check("serials.csv", expected, report)
    return report


def _licenses(desk: Desk, count: int) -> list[str]:
    """The licenses of the certificates, in their order."""
    from jobs import searching

    found = searching.licenses(desk.app, {}, (), 10 * count)
    by_host = {one["host"]: one["number"] for one in found if (one["host"] or "").startswith("H-")}
    return [by_host[f"H-{place:05d}"] for place in range(count)]


def _upgrade(desk: Desk, sku: str, wanted: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Upgrades of all of a license or of a part of it, and rows that get none."""
    from cli.demo_files import as_csv, mistyped

    rows, expected = [], Counter[str]()
    for place, (notification, quantity) in enumerate(wanted):
        taken = quantity if place % 2 else 1
        rows.append((notification, sku, str(taken)))
        expected["issued" if taken == quantity else "issued_in_part"] += 1
        if place < A_FEW:
            rows += [(mistyped(notification), sku, "1"), (notification, sku, "99"), (notification, "OTHER", "1")]
            whole = taken == quantity
            expected.update(["mistyped_code", *(["notification_used"] * 2 if whole else _TOO_MUCH)])
    report = desk.send(
        "upgrades.csv",
        as_csv(("Notification ID", "Product", "Quantity"), rows),
        "upgrade-licenses",
        DISTRIBUTOR,
    )
    check("upgrades.csv", expected, report)
    return report


_TOO_MUCH = ["quantity_not_left", "product_not_offered"]


def _rehost(
    desk: Desk, wanted: Sequence[tuple[str, int]], upgraded: Sequence[str], quantities: Sequence[int]
) -> dict[str, Any]:
    """Moves of all of a license or of a part of it, and rows that move nothing."""
    from cli.demo_files import as_csv, mistyped

    rows, expected = [], Counter[str]()
    for place, (license, quantity) in enumerate(wanted):
        taken = quantity if place % 2 else 1
        rows.append((license, f"NEW-{place:05d}", str(taken)))
        expected["issued" if taken == quantity else "issued_in_part"] += 1
        if place < A_FEW:
            rows.append((mistyped(license), "NEW-X", "1"))
            expected["mistyped_code"] += 1
    for place, (license, quantity) in enumerate(zip(upgraded, quantities, strict=True)):
        whole = place % 2 or quantity == 1
        rows.append((license, f"NEW-U{place}", "" if whole else "99"))
        expected["license_not_active" if whole else "quantity_not_left"] += 1
    report = desk.send(
        "hosts.csv", as_csv(("License", "New host ID", "Quantity"), rows), "rehost-licenses", DISTRIBUTOR
    )
    check("hosts.csv", expected, report)
    return report


def _customer(desk: Desk) -> str:
    """One of the distributor's customers."""
    from jobs import searching

    return str(searching.licenses(desk.app, {}, (), 1)[0]["customer"])
