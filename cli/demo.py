"""``keymill demo``: the main job from nothing, on real embedded servers, with real worker processes."""

from __future__ import annotations

import csv
import io
import secrets
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import progress, serving
from cli.output import Json, Lang, Output, Refused, speak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.demo_files import List
    from config.wiring import App

OEM, OTHER, VENDOR = "DEMO-OEM", "OTHER-OEM", "VENDOR"
SKU = "MILL-PRO"
SPARE = 10  # codes of each sort that cannot be redeemed


def demo(
    rows: Annotated[int, typer.Option(help="Good rows in each of the two files.", min=10, max=500_000)] = 1_500,
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
    files = [_fetch(app, folder, report) for report in reports.values()]
    verified = _verify(app, folder, files)
    issued = sum(report["outcomes"]["issued"] for report in reports.values())
    if verified != Counter(valid=issued):
        raise Refused("demo_failed", f"Keys verified: {verified}, issued: {issued}.", f"Chiavi: {verified}, {issued}.")
    return {"files": {name: report["codes"] for name, report in reports.items()}, "verified": issued}


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
    output.line(f"\n{account} → {kind}  {title}")
    request = intake.Request(account, kind, path, name, secrets.token_hex(8), "auto", language=output.language)
    batch_id = intake.accept(app, request).batch_id
    report = progress.follow(app, batch_id, output, stop_at_preview=False)
    if report["state"] != "done":
        raise Refused("demo_failed", f"{name}: {report['state']} {report['reason']}", f"{name}: {report['state']}")
    return report


def _check(name: str, made: List, report: dict[str, Any]) -> None:
    """The demo made the file, so it knows what every row deserves."""
    if report["codes"] != dict(made.expected):
        found, expected = report["codes"], dict(made.expected)
        raise Refused("demo_failed", f"{name}: {found} instead of {expected}", f"{name}: {found} invece di {expected}")


def _fetch(app: App, folder: Path, report: dict[str, Any]) -> list[Path]:
    target = folder / "results" / f"batch-{report['batch']}"
    target.mkdir(parents=True)
    paths = []
    for file in report["results"]["files"]:
        app.store.fetch(file["name"], target / file["file"], expected_sha256=file["sha256"])
        paths.append(target / file["file"])
    return paths


def _verify(app: App, folder: Path, files: Sequence[Sequence[Path]]) -> Counter[str]:
    """Check every license file of the results with nothing but the public keys; how many got which verdict."""
    from exporters.license_bundles import bundle
    from jobs import keys
    from jobs.results import license_files
    from models.database import transaction
    from signing.key_sets import parse_key_set
    from signing.license_texts import license_texts
    from signing.verification import verify

    key_set = folder / "results" / "keys.json"
    key_set.write_text(keys.public_key_set(app.engine))
    public_keys, verdicts = parse_key_set(key_set.read_bytes()), Counter[str]()
    for paths in files:
        archive = next((path for path in paths if path.suffix == ".zip"), None)
        if archive is None:  # more than are bundled unasked
            archive = paths[0].parent / "licenses.zip"
            with archive.open("wb") as target, transaction(app.engine) as connection:
                target.writelines(bundle(license_files(connection, int(paths[0].parent.name.removeprefix("batch-")))))
        with archive.open("rb") as opened:
            verdicts.update(verify(found.text, public_keys, now=time.time()).code for found in license_texts(opened))
    return verdicts


def _tell_the_end(folder: Path, told: dict[str, Any], seconds: float, output: Output) -> None:
    totals: Counter[str] = Counter()
    for name, codes in told["files"].items():
        output.line(f"\n{name}")
        counts = _by_outcome(codes)
        progress.outcome_table(counts, codes, output)
        totals.update(counts)
    output.say(
        f"\n{told['verified']:,} license keys issued and verified offline with the public keys, {seconds} s.",
        f"\n{told['verified']:,} chiavi di licenza emesse e verificate offline con le chiavi pubbliche, {seconds} s.",
    )
    results = folder / "results"
    output.say("\nLook at:", "\nDa vedere:")
    for path in sorted(results.rglob("*")):
        if path.is_file():
            output.line(f"  {path}")
    bundle = next(results.rglob("*licenses.zip"))
    output.say("\nTry next:", "\nPoi provare:")
    output.line(f"  keymill verify {bundle} --jwks {results / 'keys.json'}")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill batches")
    output.line(f"  KEYMILL_HOME={folder / 'home'} keymill show 4")
    output.line("  keymill template redeem-vouchers -o redeem-vouchers.xlsx")


def _by_outcome(codes: dict[str, int]) -> dict[str, int]:
    from licensing.outcomes import CODES

    counts: Counter[str] = Counter()
    for code, count in codes.items():
        counts[CODES[code].outcome] += count
    return dict(counts)
