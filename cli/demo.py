"""``keymill demo``: the main job from nothing, on real embedded servers, with real worker processes."""

from __future__ import annotations

import csv
import io
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import ZipFile

import typer

from cli import fetching, progress, reports, serving
from cli.output import Json, Lang, Output, Refused, speak

if TYPE_CHECKING:
    from cli.demo_files import List
    from config.wiring import App

OEM, OTHER, VENDOR = "DEMO-OEM", "OTHER-OEM", "VENDOR"
SKU = "MILL-PRO"
SPARE = 10  # codes of each sort that cannot be redeemed


def demo(
    rows: Annotated[int, typer.Option(help="Good rows in each of the two files.", min=10, max=100_000)] = 1_500,
    keep: Annotated[Path | None, typer.Option(help="Folder for everything; default: a new temporary one.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Mint vouchers, redeem two lists with mistakes in them, and verify every key, on an embedded stack."""
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
        told = _run(app, folder, rows, output)
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


def _run(app: App, folder: Path, rows: int, output: Output) -> dict[str, Any]:
    from cli import demo_files

    _load(app, folder, output)
    stock = _mint(app, folder, rows, output)
    half = demo_files.Stock(stock.good[:rows], stock.expired[:SPARE], stock.of_another[:SPARE])
    rest = demo_files.Stock(stock.good[rows:], stock.expired[SPARE:], stock.of_another[SPARE:])
    workbook, italian = demo_files.conversion_list(half), demo_files.conversion_list(rest)
    lists = {
        "vouchers.xlsx": (workbook, demo_files.as_xlsx(workbook)),
        "voucher-italia.csv": (italian, demo_files.as_italian_csv(italian)),
    }
    reports = {}
    for name, (made, content) in lists.items():
        title = output.pick(f"{name}: {len(made.rows):,} rows", f"{name}: {len(made.rows):,} righe")
        reports[name] = _send(app, folder, name, content, "redeem-vouchers", OEM, output, title)
        _check(name, made, reports[name])
    issued = sum(report["outcomes"]["issued"] for report in reports.values())
    verified = _verify(app, folder, [_fetch(app, folder, report, output) for report in reports.values()])
    if verified != Counter(valid=issued):
        told = dict(verified)
        raise _failed(f"{issued} keys were issued, and the result files have {told}", f"{issued} chiavi, ma {told}")
    return {"files": {name: report["codes"] for name, report in reports.items()}, "verified": issued}


def _failed(en: str, it: str) -> Refused:
    """What the demo found is not what the files were made for: a fault of ours."""
    return Refused("demo_failed", f"The demo failed. {en}.", f"La demo non è riuscita. {it}.")


def _load(app: App, folder: Path, output: Output) -> None:
    from cli.demo_files import as_csv

    accounts = as_csv(
        ("account", "name", "type", "country"), [(OEM, "Demo OEM", "oem", "IT"), (OTHER, "Other", "oem", "DE")]
    )
    products = as_csv(
        ("product", "name", "version", "release date", "term"), [(SKU, "Mill Pro", "3.1", "2026-01-15", "24")]
    )
    for name, content in (("accounts.csv", accounts), ("products.csv", products)):
        _send(app, folder, name, content, "load-" + name.removesuffix(".csv"), VENDOR, output, name)


def _mint(app: App, folder: Path, rows: int, output: Output) -> Any:
    """Order codes for two OEMs, some of them expired already; the codes by what will become of them."""
    from cli.demo_files import Stock, as_csv

    orders = [(OEM, SKU, str(2 * rows), ""), (OEM, SKU, str(2 * SPARE), "2026-01-31"), (OTHER, SKU, str(2 * SPARE), "")]
    content = as_csv(("oem", "product", "count", "expires"), orders)
    title = output.pick(f"minting {2 * rows + 4 * SPARE:,} vouchers", f"{2 * rows + 4 * SPARE:,} voucher generati")
    report = _send(app, folder, "orders.csv", content, "mint-vouchers", VENDOR, output, title)
    codes = next(file for file in report["results"]["files"] if file["role"] == "codes")
    text = b"".join(app.store.get(codes["name"])).decode("utf-8-sig")
    minted = list(csv.reader(io.StringIO(text)))[1:]
    return Stock(
        [row[0] for row in minted if row[2] == OEM and not row[3]],
        [row[0] for row in minted if row[2] == OEM and row[3]],
        [row[0] for row in minted if row[2] == OTHER],
    )


def _send(
    app: App, folder: Path, name: str, content: bytes, kind: str, account: str, output: Output, title: str
) -> dict[str, Any]:
    """Send a file as its account would, and wait for its end."""
    from jobs import intake

    path = folder / "sent" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    output.line(f"{account} → {kind}: {title}")
    request = intake.Request(account, kind, path, name, secrets.token_hex(8), "auto", language=output.language)
    report = progress.follow(app, intake.accept(app, request).batch_id, output)
    if report["state"] != "done" or (account == VENDOR and report["outcomes"]["rejected"]):
        why = report["reason"] or report["problems"]
        raise _failed(f"{name} ended as {report['state']}: {why}", f"{name}: {report['state']}: {why}")
    return report


def _check(name: str, made: List, report: dict[str, Any]) -> None:
    """The demo made the file, so it knows what every row deserves."""
    found, expected = report["codes"], dict(made.expected)
    if found != expected:
        raise _failed(f"{name} got {found} instead of {expected}", f"{name}: {found} invece di {expected}")


def _fetch(app: App, folder: Path, report: dict[str, Any], output: Output) -> Path:
    """Fetch the results of a batch; the path of the result file."""
    target = folder / "results" / f"batch-{report['batch']}"
    files = fetching.fetch_all(app, report["results"]["files"], target, output)
    return Path(next(file["path"] for file in files if file["role"] == "result"))


def _verify(app: App, folder: Path, results: Sequence[Path]) -> Counter[str]:
    """Check every key in the result files with nothing but the public keys in a file; how many got which verdict."""
    from jobs import keys
    from signing.key_sets import parse_key_set
    from signing.verification import verify

    key_set = folder / "results" / "keys.json"
    key_set.write_text(keys.public_key_set(app.engine))
    public_keys = parse_key_set(key_set.read_bytes())
    found = {key for path in results for key in _keys_in(path)}
    return Counter(verify(key, public_keys, now=time.time()).code for key in found)


def _keys_in(path: Path) -> Iterator[str]:
    """The license keys in a result file: a CSV, or a workbook, which is a ZIP of XML parts."""
    from signing.license_texts import license_texts

    contents = [path.read_bytes()]
    if path.suffix == ".xlsx":
        with ZipFile(path) as workbook:
            contents = [workbook.read(name).replace(b"<", b"\n<") for name in workbook.namelist()]
    for content in contents:
        yield from (found.text for found in license_texts(io.BytesIO(content)))


def _tell_the_end(folder: Path, told: dict[str, Any], seconds: float, output: Output) -> None:
    _summary(told["files"], output)
    output.say(
        f"{told['verified']:,} license keys issued, all verified offline with the public keys. {seconds} s.",
        f"{told['verified']:,} chiavi di licenza emesse e verificate offline con le chiavi pubbliche. {seconds} s.",
    )
    results = folder / "results"
    output.say("\nLook at:", "\nDa vedere:")
    for path in sorted(results.rglob("*")):
        if path.is_file():
            output.line(f"  {path}")
    archive = next(results.rglob("*-licenses.zip"), None) or next(results.rglob("*-result.csv"))
    output.say("\nTry next:", "\nPoi provare:")
    output.line(f"  keymill verify {archive} --jwks {results / 'keys.json'}")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill batches")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill show 4")
    output.line("  keymill template redeem-vouchers -o redeem-vouchers.xlsx")


def _summary(files: dict[str, dict[str, int]], output: Output) -> None:
    """How many rows of each file got which answer."""
    if output.as_json:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from licensing.outcomes import CODES

    table = Table(box=None, padding=(0, 2), title_justify="left")
    table.add_column(output.pick("Outcome", "Esito"))
    table.add_column(output.pick("Code", "Codice"))
    for name in files:
        table.add_column(name, justify="right")
    met = {code for counts in files.values() for code in counts}
    for outcome, (en, it, colour) in reports.OUTCOME_WORDS.items():
        for code in sorted(code for code in met if CODES[code].outcome == outcome):
            numbers = [f"{counts.get(code, 0):,}" for counts in files.values()]
            table.add_row(Text(output.pick(en, it), style=colour), code, *numbers)
    table.add_section()
    table.add_row(output.pick("Rows", "Righe"), "", *(f"{sum(counts.values()):,}" for counts in files.values()))
    Console().print()
    Console().print(table)
    Console().print()
