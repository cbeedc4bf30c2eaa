"""``keymill statement``, a contract's report, and ``keymill explain``, where the figures of a statement come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.output import Json, Lang, Output, Refused, opened_app, speak, write_file

Form = Literal["pdf", "xlsx", "json"]


def statement(
    contracts: Annotated[list[str] | None, typer.Argument(help="Contracts.", metavar="[CONTRACT]...")] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Contracts whose statements this batch wrote last.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="Folder to put the files in.", file_okay=False)] = Path(),
    form: Annotated[Form, typer.Option("--format", help="A page, a workbook with charts, or data.")] = "pdf",
    force: Annotated[bool, typer.Option("--force", help="Write over other files of the same names.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Make the reports of contracts, as their statements stand now."""
    out = speak(as_json, lang)
    from jobs import statements

    made = []
    with opened_app() as app:
        wanted = [*(contracts or ()), *(statements.contracts_of_batch(app, batch) if batch is not None else ())]
        if not wanted:
            raise Refused(
                "nothing_named",
                "Name contracts, or with --batch a batch that wrote statements.",
                "Indicare contratti, o con --batch un lotto che ha scritto estratti.",
            )
        to.mkdir(parents=True, exist_ok=True)
        for name, content in statements.reports(app, wanted, form, out.language):
            write_file(to / name, content, force=force)
            out.line(str(to / name))
            made.append({"path": str(to / name), "size": len(content)})
    out.document({"files": made})


def explain(
    statement: Annotated[int, typer.Argument(help="Number of the statement.", metavar="STATEMENT")],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Explain a statement: its figures, and the batch and row of everything that they were made of."""
    out = speak(as_json, lang)
    from jobs import explaining

    with opened_app() as app:
        found = explaining.explain(app, statement)
    _tell_figures(found, out)
    for name, titles in _PARTS.items():
        if found[name]:
            out.say(*(f"\n{title}:" for title in titles))
            columns = [column for column in found[name][0] if any(one[column] not in (None, "") for one in found[name])]
            out.table([out.pick(*_COLUMNS[column]) for column in columns], _lines(found[name], columns, out))
    out.document(found)


def _lines(rows: list[dict[str, Any]], columns: list[str], out: Output) -> list[list[str]]:
    from licensing.parsing import printable

    def shown(value: object) -> str:
        if isinstance(value, bool):
            return out.pick("yes", "sì") if value else out.pick("no, corrected", "no, corretto")
        return "" if value is None else printable(str(value))

    return [[shown(one[column]) for column in columns] for one in rows]


def _tell_figures(found: dict[str, Any], out: Output) -> None:
    currency = found["currency"] or ""
    out.say(
        f"Statement {found['statement']}: {found['contract']}, {found['product']}, {found['starts']} to "
        f"{found['ends']} ({found['state']}, counted to {found['until']})",
        f"Estratto {found['statement']}: {found['contract']}, {found['product']}, dal {found['starts']} al "
        f"{found['ends']} ({found['state']}, contato fino al {found['until']})",
    )
    out.say(
        f"Committed {found['committed']}, drawn {found['drawn']}, used {found['used']} ({found['metric']}), "
        f"peak {found['peak']} on {found['peak_day'] or '-'}",
        f"Impegnate {found['committed']}, prelevate {found['drawn']}, usate {found['used']} ({found['metric']}), "
        f"massimo {found['peak']} il {found['peak_day'] or '-'}",
    )
    out.say(
        f"Over {found['over']}{' (tolerated)' if found['is_tolerated'] else ''}, unused {found['unused']}, owed "
        f"{found['owed']} {currency} ({found['policy']}{_since(found, 'from')}); {found['missing_days']} days unknown",
        f"Oltre {found['over']}{' (tollerate)' if found['is_tolerated'] else ''}, non usate {found['unused']}, dovuto "
        f"{found['owed']} {currency} ({found['policy']}{_since(found, 'dal')}); {found['missing_days']} giorni ignoti",
    )
    if found["causes"]:
        late = ", ".join(f"{batch} / {row}" for batch, row in found["causes"])
        out.say(f"Adjusted for what came late (batch / row): {late}", f"Rettifica per ritardi (lotto / riga): {late}")


def _since(found: dict[str, Any], word: str) -> str:
    return f", {word} {found['owed_from']}" if found["owed_from"] else ""


_PARTS = {
    "commitments": ("Committed", "Impegnato"),
    "drawn_by": ("Drawn and given back", "Prelevato e restituito"),
    "reports": ("Reported", "Comunicato"),
}
_COLUMNS = {
    "since": ("From", "Dal"),
    "day": ("Day", "Giorno"),
    "quantity": ("Quantity", "Quantità"),
    "price": ("Unit price", "Prezzo unitario"),
    "license": ("License", "Licenza"),
    "reference": ("Reference", "Riferimento"),
    "cost_center": ("Cost center", "Centro di costo"),
    "host": ("Host", "Host"),
    "counts": ("Counts", "Conta"),
    "batch": ("Batch", "Lotto"),
    "row": ("Row", "Riga"),
}
