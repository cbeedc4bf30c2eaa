"""``keymill demo``: the main job from nothing, on real embedded servers, with real worker processes."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import demo_certificates, demo_contracts, reports, serving
from cli.demo_certificates import DISTRIBUTOR
from cli.demo_desk import VENDOR, Desk, check, failed
from cli.output import Json, Lang, Output, Refused, speak

if TYPE_CHECKING:
    from rich.table import Table

    from cli.demo_files import Stock

OEM, OTHER = "DEMO-OEM", "OTHER-OEM"
SKU = "MILL-PRO"
SPARE = 10  # codes of each sort that cannot be redeemed


def demo(
    rows: Annotated[int, typer.Option(help="Good rows in each of the two files.", min=10, max=100_000)] = 1_500,
    keep: Annotated[Path | None, typer.Option(help="Folder for everything; default: a new temporary one.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Redeem vouchers, order by serial number, upgrade, move hosts, and verify every key, on an embedded stack."""
    output = speak(as_json, lang)
    from config import logging
    from config.settings import Settings
    from config.wiring import open_app

    start = time.perf_counter()
    folder = _folder(keep)
    settings = Settings(home=folder / "home", database_url="", redis_url="", store_url="", log_level="warning")
    logging.configure(settings)
    output.say(f"Everything goes to {folder}", f"Tutto va in {folder}")
    with open_app(settings) as app, serving.processes(app, app.settings.workers):
        told = _run(Desk(app, folder, output), rows)
    seconds = round(time.perf_counter() - start, 1)
    _tell_the_end(folder, told, seconds, output)
    output.document(told | {"folder": str(folder), "seconds": seconds})


def _folder(keep: Path | None) -> Path:
    """A new folder that PostgreSQL's own user may enter."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="keymill-demo-"))
        folder.chmod(0o755)
        return folder
    if keep.exists() and any(keep.iterdir()):
        raise Refused("folder_in_use", f"{keep} is not empty.", f"{keep} non è vuota.")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def _run(desk: Desk, rows: int) -> dict[str, Any]:
    """All that the demo does: answers by file, and how many keys were found valid or replaced."""
    _load(desk)
    files = _vouchers(desk, rows)
    ordered, customer = demo_certificates.run(desk, SKU, max(20, rows // 10))
    contracted, statements = demo_contracts.run(desk, SKU)
    files |= ordered | contracted
    results = [desk.fetch(report) for report in files.values()]
    ended = desk.revocation_list()
    verified = desk.verify(results, ended)
    issued = sum(report["outcomes"]["issued"] for report in files.values())
    replaced = ended.counts["superseded"] + ended.counts["rehosted"]
    if verified.total() != issued or verified.total() - verified["valid"] > replaced:
        told = dict(verified)
        raise failed(f"{issued} keys were issued, and the result files have {told}", f"{issued} chiavi, ma {told}")
    return {
        "files": {name: report["codes"] for name, report in files.items()},
        "verified": dict(verified),
        "customer": customer,
        "statements": [line._asdict() for line in statements],
    }


def _load(desk: Desk) -> None:
    from cli.demo_files import as_csv

    accounts = as_csv(
        ("account", "name", "type", "country"),
        [(OEM, "Demo OEM", "oem", "IT"), (OTHER, "Other", "oem", "DE"), (DISTRIBUTOR, "Demo", "distributor", "IT")],
    )
    today = datetime.now(UTC).date().isoformat()
    products = as_csv(
        ("product", "name", "version", "release date", "term", "upgrade from"),
        [(SKU, "Mill Pro", "3.1", "2026-01-15", "24", ""), (SKU, "Mill Pro", "4.0", today, "24", f"{SKU}@3.1")],
    )
    for name, content in (("accounts.csv", accounts), ("products.csv", products)):
        desk.send(name, content, "load-" + name.removesuffix(".csv"), VENDOR)


def _vouchers(desk: Desk, rows: int) -> dict[str, dict[str, Any]]:
    """An OEM redeems two lists of vouchers with mistakes in them: the reports by file."""
    from cli import demo_files

    stock = _mint(desk, rows)
    half = demo_files.Stock(stock.good[:rows], stock.expired[:SPARE], stock.of_another[:SPARE])
    rest = demo_files.Stock(stock.good[rows:], stock.expired[SPARE:], stock.of_another[SPARE:])
    workbook, italian = demo_files.conversion_list(half), demo_files.conversion_list(rest)
    lists = {
        "vouchers.xlsx": (workbook, demo_files.as_xlsx(workbook)),
        "voucher-italia.csv": (italian, demo_files.as_italian_csv(italian)),
    }
    reports = {}
    for name, (made, content) in lists.items():
        count = len(made.rows)
        title = desk.output.pick(f"{name}: {count:,} rows", f"{name}: {count:,} righe")
        reports[name] = desk.send(name, content, "redeem-vouchers", OEM, title)
        check(name, made.expected, reports[name])
    return reports


def _mint(desk: Desk, rows: int) -> Stock:
    """Order codes for two OEMs, some of them expired already; the codes by what will become of them."""
    from cli.demo_files import Stock, as_csv

    orders = [(OEM, SKU, str(2 * rows), ""), (OEM, SKU, str(2 * SPARE), "2026-01-31"), (OTHER, SKU, str(2 * SPARE), "")]
    content = as_csv(("oem", "product", "count", "expires"), orders)
    count = 2 * rows + 4 * SPARE
    title = desk.output.pick(f"minting {count:,} vouchers", f"{count:,} voucher generati")
    minted = desk.listed(desk.send("orders.csv", content, "mint-vouchers", VENDOR, title), "codes")
    return Stock(
        [row[0] for row in minted if row[2] == OEM and not row[3]],
        [row[0] for row in minted if row[2] == OEM and row[3]],
        [row[0] for row in minted if row[2] == OTHER],
    )


def _tell_the_end(folder: Path, told: dict[str, Any], seconds: float, output: Output) -> None:
    _summary(told["files"], output)
    _statements(told["statements"], output)
    verified = told["verified"]
    total, valid = sum(verified.values()), verified["valid"]
    output.say(
        f"{total:,} license keys issued, all verified offline with the public keys: {valid:,} valid, {total - valid:,} "
        f"replaced since, as the signed revocation list says. {seconds} s.",
        f"{total:,} chiavi di licenza emesse e verificate offline con le chiavi pubbliche: {valid:,} valide, "
        f"{total - valid:,} poi sostituite, come dice l'elenco di revoche firmato. {seconds} s.",
    )
    results = folder / "results"
    output.say("\nLook at:", "\nDa vedere:")
    for path in sorted(results.rglob("*")):
        if path.is_file():
            output.line(f"  {path}")
    archive = next(results.rglob("*-licenses.zip"), None) or next(results.rglob("*-result.csv"))
    output.say("\nTry next:", "\nPoi provare:")
    keys, ended = results / "keys.json", results / "revocations.jwt"
    output.line(f"  keymill verify {archive} --jwks {keys} --revocations {ended}")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill batches")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill show 4")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill licenses --customer {told['customer']} --state active")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill statement {demo_contracts.TRUE_UP} --format pdf --to .")
    output.line("  keymill template redeem-vouchers -o redeem-vouchers.xlsx")


def _summary(files: dict[str, dict[str, int]], output: Output) -> None:
    """How many rows of each file got which answer: a table each for vouchers, certificates and contracts."""
    if output.as_json:
        return
    from rich.console import Console

    names = list(files)
    Console().print()
    for some in (names[:2], names[2:5], names[5:]):
        Console().print(_table({name: files[name] for name in some}, output))
        Console().print()


def _statements(lines: list[dict[str, Any]], output: Output) -> None:
    """What the reconciliation says of each line of the contracts."""
    titles = {
        "contract": ("Contract", "Contratto"),
        "product": ("Product", "Prodotto"),
        "statements": ("Statements", "Estratti"),
        "committed": ("Committed", "Impegnato"),
        "peak": ("Peak", "Massimo"),
        "owed": ("Owed", "Dovuto"),
        "missing_days": ("Days not reported", "Giorni senza rapporto"),
    }
    output.table(
        [output.pick(*title) for title in titles.values()], [[str(line[key]) for key in titles] for line in lines]
    )
    output.line("")


def _table(files: dict[str, dict[str, int]], output: Output) -> Table:
    from rich.table import Table
    from rich.text import Text

    from licensing.outcomes import CODES

    table = Table(box=None, padding=(0, 2), title_justify="left")
    table.add_column(output.pick("Outcome", "Esito"))
    table.add_column(output.pick("Code", "Codice"), min_width=20)
    for name in files:
        table.add_column(name, justify="right")
    met = {code for counts in files.values() for code in counts}
    for outcome, (en, it, colour) in reports.OUTCOME_WORDS.items():
        for code in sorted(code for code in met if CODES[code].outcome == outcome):
            numbers = [f"{counts[code]:,}" if code in counts else "-" for counts in files.values()]
            table.add_row(Text(output.pick(en, it), style=colour), code, *numbers)
    table.add_section()
    table.add_row(output.pick("Rows", "Righe"), "", *(f"{sum(counts.values()):,}" for counts in files.values()))
    return table
