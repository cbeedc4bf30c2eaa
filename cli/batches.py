"""``keymill submit``, ``batches``, ``show``, ``confirm``, ``cancel``, ``results``: files in, answers out."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import progress, serving
from cli.output import Json, Lang, Output, Refused, opened_app, speak

if TYPE_CHECKING:
    from config.wiring import App

Batch = Annotated[int, typer.Argument(help="Number of the batch.", metavar="BATCH")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end, with a progress bar.")]
Exact = Annotated[bool, typer.Option("--exact", help="Do nothing if an answer would differ from its preview.")]
Licenses = Annotated[bool, typer.Option("--licenses", help="Also a ZIP of all license files, however many.")]
ALIVE_SECONDS = 15  # a worker without a sign of life for longer does not count
FAILED = 1


def submit(
    file: Annotated[Path, typer.Argument(help="The file to send; - for standard input.", metavar="FILE")],
    kind: Annotated[str, typer.Option(help="Batch kind, redeem-vouchers for example.")],
    account: Annotated[str, typer.Option(help="Account that sends.")],
    preview: Annotated[bool, typer.Option("--preview", help="Show what each row would get, and wait.")] = False,
    wait: Wait = False,
    on_error: Annotated[str, typer.Option(help="continue, or stop: all rows or none.")] = "continue",
    exact: Annotated[
        bool, typer.Option("--exact", help="Do nothing if an answer would differ from its preview.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="Request key: the same key and request is the same batch.")] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="A value for the whole batch.", metavar="COLUMN=VALUE")
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Send a file as a batch. Without --preview it runs at once."""
    output = speak(as_json, lang)
    if on_error not in ("continue", "stop"):
        raise typer.BadParameter("continue or stop", param_hint="--on-error")
    from jobs import intake

    with opened_app() as app, _local(file) as path:
        values = dict(map(_pair, given or ()))
        asked = [
            str(path if file.name == "-" else file),
            kind,
            account,
            preview,
            on_error,
            exact,
            sorted(values.items()),
        ]
        with _request_key(app, path, asked, key) as request_key:
            accepted = intake.accept(
                app,
                intake.Request(
                    account=account,
                    kind=kind,
                    path=path,
                    filename="stdin" if file.name == "-" else file.name,
                    request_key=request_key,
                    confirm="ask" if preview else "auto",
                    on_error="stop" if on_error == "stop" else "continue",
                    exact=exact,
                    given=values,
                    language=output.language,
                ),
            )
        _tell_accepted(accepted, output)
        if preview or wait:
            _wait_and_tell(app, accepted.batch_id, output, stop_at_preview=preview)
        else:
            output.say(f"Follow it: keymill show {accepted.batch_id}", f"Seguirlo: keymill show {accepted.batch_id}")
            output.document({"batch": accepted.batch_id, "new": accepted.is_new})


def _tell_accepted(accepted: Any, output: Output) -> None:
    number = accepted.batch_id
    if not accepted.is_new:
        output.say(f"This request was sent before: batch {number}.", f"Richiesta già inviata: lotto {number}.")
    else:
        output.say(f"Batch {number}.", f"Lotto {number}.")
    if (twin := accepted.same_bytes_as) is not None:
        output.say(
            f"Note: the same bytes were sent before as batch {twin}.",
            f"Nota: gli stessi byte sono già stati inviati come lotto {twin}.",
        )


def _pair(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not COLUMN=VALUE", param_hint="--set")
    return column.strip().lower().replace("-", "_").replace(" ", "_"), value


@contextmanager
def _local(file: Path) -> Iterator[Path]:
    """The file to send, standard input brought into a file. Raises :class:`Refused`."""
    if file.name != "-":
        if not file.is_file():
            raise Refused("no_file", f"There is no file {file}.", f"Il file {file} non esiste.")
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="keymill-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


@contextmanager
def _request_key(app: App, path: Path, asked: Sequence[Any], given: str | None) -> Iterator[str]:
    """The request's key, on disk before the file is sent: a call that died and is made again sends the same one.

    Once the answer is there the note is taken away, so that the next call is a new order.
    """
    if given:
        yield given
        return
    with path.open("rb") as content:
        name = hashlib.file_digest(content, "sha256").hexdigest()
    name = hashlib.sha256(json.dumps([name, *asked]).encode()).hexdigest()
    note = app.settings.home / "requests" / name
    note.parent.mkdir(parents=True, exist_ok=True)
    if not note.exists():
        new = note.with_suffix(f".{os.getpid()}")
        new.write_text(secrets.token_urlsafe(16))
        new.replace(note)
    yield note.read_text()
    note.unlink(missing_ok=True)


@contextmanager
def workers_at_work(app: App, output: Output) -> Iterator[None]:
    """Somebody to do the work: those that are alive or, on an embedded stack without any, some for this command."""
    from models import workers

    with app.engine.connect() as connection:
        are_there = bool(workers.alive(connection, "worker", ALIVE_SECONDS))
    needed = not are_there and _is_embedded()
    if needed:
        count = app.settings.workers
        output.say(
            f"No worker is running; {count} are started for this command.",
            f"Nessun worker attivo; {count} vengono avviati per questo comando.",
        )
    elif not are_there:
        output.say(
            "No worker is running: start one with: keymill worker",
            "Nessun worker attivo: avviarne uno con: keymill worker",
        )
    with serving.processes(app, app.settings.workers) if needed else nullcontext():
        yield


def _is_embedded() -> bool:
    return not os.environ.get("KEYMILL_DATABASE_URL")


def _wait_and_tell(app: App, batch_id: int, output: Output, *, stop_at_preview: bool) -> None:
    with workers_at_work(app, output):
        report = progress.follow(app, batch_id, output, stop_at_preview=stop_at_preview)
    tell(report, output)
    output.document(report)
    if report["state"] == "failed":
        raise typer.Exit(FAILED)


def batches(
    account: Annotated[str | None, typer.Option(help="Only those of one account.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """List the newest batches."""
    output = speak(as_json, lang)
    from jobs import status

    with opened_app() as app:
        found = status.latest(app, account, limit)
    titles = [output.pick(*pair) for pair in _COLUMNS]
    output.table(titles, [_row(entry) for entry in found])
    output.document(found)


_COLUMNS = (
    ("Batch", "Lotto"),
    ("Account", "Account"),
    ("Kind", "Tipo"),
    ("File", "File"),
    ("State", "Stato"),
    ("Rows", "Righe"),
    ("Rejected", "Respinte"),
    ("Received", "Ricevuto"),
)


def _row(entry: dict[str, Any]) -> list[str]:
    rows, rejected = entry["rows"], entry["outcomes"]["rejected"]
    return [
        str(entry["batch"]),
        entry["account"],
        entry["kind"],
        entry["file"],
        entry["state"],
        "" if rows is None else f"{rows:,}",
        f"{rejected:,}" if rejected else "",
        entry["received"][:16].replace("T", " "),
    ]


def show(batch: Batch, as_json: Json = False, lang: Lang = None) -> None:
    """Show a batch: where it stands, what its rows got, problems with their cells, results, what to do next."""
    output = speak(as_json, lang)
    from jobs import status

    with opened_app() as app:
        report = status.of_batch(app, batch, output.language)
    tell(report, output)
    output.document(report)


def confirm(
    batch: Batch,
    exact: Annotated[
        bool, typer.Option("--exact", help="Do nothing if an answer would differ from its preview.")
    ] = False,
    wait: Wait = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Let a previewed batch run."""
    output = speak(as_json, lang)
    from jobs import control

    with opened_app() as app:
        control.confirm(app, batch, actor="operator", exact=exact)
        output.say(f"Batch {batch} is confirmed.", f"Il lotto {batch} è confermato.")
        if wait:
            _wait_and_tell(app, batch, output, stop_at_preview=False)
        else:
            output.document({"batch": batch, "confirmed": True})


def cancel(batch: Batch, as_json: Json = False, lang: Lang = None) -> None:
    """Stop a batch: what is done stays, the rest is skipped."""
    output = speak(as_json, lang)
    from jobs import control

    with opened_app() as app:
        control.cancel(app, batch, actor="operator")
    output.say(
        f"Batch {batch} is being cancelled: what is done stays, the rest is skipped.",
        f"Il lotto {batch} viene annullato: ciò che è fatto resta, il resto viene saltato.",
    )
    output.document({"batch": batch, "cancelled": True})


def results(
    batch: Batch,
    to: Annotated[Path, typer.Option("--to", help="Folder to put the files in.", file_okay=False)],
    licenses: Annotated[
        bool, typer.Option("--licenses", help="Also a ZIP of all license files, however many.")
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Fetch the files of a finished batch, checked against their digests."""
    output = speak(as_json, lang)
    from jobs import status

    with opened_app() as app:
        report = status.of_batch(app, batch, output.language)
        if not report["results"]:
            raise Refused(
                "no_results",
                f"Batch {batch} is {report['state']} and has no result files (yet).",
                f"Il lotto {batch} è nello stato {report['state']} e non ha (ancora) file di risultato.",
            )
        to.mkdir(parents=True, exist_ok=True)
        fetched = [_fetched(app, file, to) for file in report["results"]["files"]]
        if licenses and not any(file["role"] == "licenses" for file in report["results"]["files"]):
            fetched.append(_bundle(app, batch, to))
    output.table(
        [output.pick("File", "File"), output.pick("What", "Che cosa"), output.pick("Rows", "Righe"), "MB"],
        [[f["path"], f["role"], f"{f['rows']:,}" if f["rows"] else "", f"{f['size'] / 1e6:.2f}"] for f in fetched],
    )
    output.document({"batch": batch, "files": fetched})


def _fetched(app: App, file: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / file["file"]
    app.store.fetch(file["name"], path, expected_sha256=file["sha256"])
    return file | {"path": str(path)}


def _bundle(app: App, batch_id: int, folder: Path) -> dict[str, Any]:
    """All license files of a batch as one archive, made now."""
    from exporters.license_bundles import bundle
    from jobs.results import license_files
    from models.database import transaction

    path, count = folder / f"batch-{batch_id}-licenses.zip", 0
    with path.open("wb") as archive, transaction(app.engine) as connection:
        for block in bundle(license_files(connection, batch_id)):
            archive.write(block)
            count += 1
    return {"file": path.name, "path": str(path), "role": "licenses", "size": path.stat().st_size, "rows": count - 1}


def tell(report: dict[str, Any], output: Output) -> None:
    """A batch's report for a person."""
    number, rows = report["batch"], report["rows"]
    output.say(
        f"Batch {number} ({report['kind']}, {report['file']}): {report['state']}"
        + ("" if rows is None else f", {rows:,} rows"),
        f"Lotto {number} ({report['kind']}, {report['file']}): {report['state']}"
        + ("" if rows is None else f", {rows:,} righe"),
    )
    if report["reason"]:
        output.line(report["reason"]["sentence"])
    if report["reading"]:
        matched = ", ".join(f"{m['column']} = {m['title']}" for m in report["reading"]["matched"].values())
        output.say(f"Columns: {matched}", f"Colonne: {matched}")
    is_preview = report["state"] == "previewed"
    counts = report["preview"] if is_preview else report
    if any(counts["outcomes"].values()):
        if is_preview:
            output.say("Each row would get:", "Ogni riga otterrebbe:")
        progress.outcome_table(counts["outcomes"], counts["codes"], output)
    progress.problem_table(report["problems"], output)
    warnings = [*(report["reading"] or {}).get("warnings", ()), *report["warnings"]]
    if warnings:
        output.say("Warnings:", "Avvertenze:")
        progress.problem_table(warnings, output)
    if report["differs_from_preview"]:
        count = report["differs_from_preview"]
        output.say(f"{count:,} rows differ from their preview.", f"{count:,} righe differiscono dall'anteprima.")
    for parked in report["parked"]:
        first, last = parked["rows"]
        output.say(
            f"Set aside after three attempts: {parked['stage']}, rows {first}-{last}: {parked['reason']}",
            f"Messo da parte dopo tre tentativi: {parked['stage']}, righe {first}-{last}: {parked['reason']}",
        )
    _tell_what_next(report, output)


def _tell_what_next(report: dict[str, Any], output: Output) -> None:
    number = report["batch"]
    if report["state"] == "previewed":
        output.say(
            f"Next: keymill confirm {number} --wait   (or: keymill cancel {number})",
            f"Ora: keymill confirm {number} --wait   (oppure: keymill cancel {number})",
        )
    elif report["results"]:
        output.say(f"Next: keymill results {number} --to FOLDER", f"Ora: keymill results {number} --to CARTELLA")
