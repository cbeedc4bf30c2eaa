"""``keymill licenses`` and ``keymill license``: what there is, and everything about one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from cli.output import Json, Lang, Output, opened_app, speak

State = Literal["active", "superseded", "rehosted", "revoked", "expired"]


def licenses(
    customer: Annotated[str | None, typer.Option(help="Only those of one customer, by its number.")] = None,
    product: Annotated[str | None, typer.Option(help="Only those of one product.")] = None,
    host: Annotated[str | None, typer.Option(help="Only those bound to one host.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those in one state.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="User-defined data, cost center: NAME=VALUE (* for anything), NAME>VALUE and so on.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Look licenses up."""
    out = speak(as_json, lang)
    from jobs import searching

    given = {"customer": customer, "product": product, "host": host, "state": state}
    filters = {name: value for name, value in given.items() if value is not None}
    with opened_app() as app:
        found = searching.licenses(app, filters, where or (), limit)
    if found:
        out.table([out.pick(*titles) for titles in _LISTED], [_line(one) for one in found])
    else:
        out.say("No license fits.", "Nessuna licenza corrisponde.")
    out.document(found)


def _line(one: dict[str, Any]) -> list[str]:
    what = f"{_shown(one['product'])} {_shown(one['version'])} × {one['quantity']}"
    return [one["number"], what, _shown(one["company"]), _shown(one["host"]), one["state"]]


def license(
    number: Annotated[str, typer.Argument(help="Number of the license.", metavar="NUMBER")],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Show a license: its state, maintenance, shares, data, and the chain of licenses that it stands in."""
    out = speak(as_json, lang)
    from jobs import searching

    with opened_app() as app:
        found = searching.license(app, number)
    for name, titles in _TITLES.items():
        if found.get(name) is not None:
            out.line(f"{out.pick(*titles)}: {_shown(found[name])}")
    for name, titles in _PARTS.items():
        for one in found[name]:
            out.line(f"{out.pick(*titles)}: " + "  ".join(_shown(value) for value in one.values() if value is not None))
    if not as_json and len(found["chain"]) > 1:
        _print_chain(found, out)
    out.document(found)


def _print_chain(found: dict[str, Any], out: Output) -> None:
    """The licenses that came of the same purchase, as a tree."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    def line(one: dict[str, Any]) -> Text:
        cause = out.pick(*_CAUSES[one["cause"]]) + " " if one["cause"] else ""
        host = f" @ {one['host']}" if one["host"] else ""
        text = f"{cause}{one['number']}  {one['product']} {one['version']} × {one['quantity']}{host}  {one['state']}"
        return Text(text, style="bold" if one["number"] == found["number"] else "")

    below: dict[str | None, list[dict[str, Any]]] = {}
    numbers = {one["number"] for one in found["chain"]}
    for one in found["chain"]:
        below.setdefault(one["parent"] if one["parent"] in numbers else None, []).append(one)

    def grow(tree: Tree, number: str | None) -> None:
        for one in below.get(number, ()):
            grow(tree.add(line(one)), one["number"])

    tree = Tree(out.pick("Chain", "Catena"))
    grow(tree, None)
    Console().print(tree)


def _shown(value: object) -> str:
    """A value without characters that would steer the terminal."""
    from licensing.parsing import printable

    return printable(f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else "" if value is None else str(value))


_LISTED = (
    ("License", "Licenza"),
    ("Product", "Prodotto"),
    ("Customer", "Cliente"),
    ("Host", "Host"),
    ("State", "Stato"),
)
_TITLES = {
    "number": ("License", "Licenza"),
    "state": ("State", "Stato"),
    "end_reason": ("Reason", "Motivo"),
    "customer": ("Customer", "Cliente"),
    "company": ("Company", "Ragione sociale"),
    "product": ("Product", "Prodotto"),
    "version": ("Version", "Versione"),
    "quantity": ("Quantity", "Quantità"),
    "host": ("Host", "Host"),
    "valid_until": ("Valid until", "Valida fino al"),
    "issued_at": ("Issued", "Emessa"),
    "ended_at": ("Ended", "Terminata"),
    "voucher": ("Voucher", "Voucher"),
    "serial": ("Serial", "Numero di serie"),
    "batch": ("Batch", "Lotto"),
    "reference": ("Reference", "Riferimento"),
    "cost_center": ("Cost center", "Centro di costo"),
    "key": ("Key", "Chiave"),
}
_PARTS = {
    "maintenance": ("Maintenance", "Manutenzione"),
    "shares": ("Shared with", "Condivisa con"),
    "data": ("Data", "Dati"),
    "notifications": ("Upgrade", "Aggiornamento"),
}
_CAUSES = {
    "rehost": ("moved:", "spostata:"),
    "upgrade": ("upgraded:", "aggiornata:"),
    "split": ("left:", "rimasta:"),
}
