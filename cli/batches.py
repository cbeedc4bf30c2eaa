"""Files in, answers out: ``keymill submit``, ``show``, ``confirm``, ``cancel``, ``revert``, ``results`` and so on."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli import fetching, reports, sending
from cli.output import Json, Lang, Output, Refused, actor, opened_app, speak
from cli.waiting import wait_for

if TYPE_CHECKING:
    from config.wiring import App
    from jobs.intake import Accepted, Request

Batch = Annotated[int, typer.Argument(help="Number of the batch.", metavar="BATCH")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end, with a progress bar.")]
Exact = Annotated[bool, typer.Option("--exact", help="Do nothing if an answer would differ from its preview.")]
Preview = Annotated[bool, typer.Option("--preview", help="Show what each row would get, and wait.")]
Key = Annotated[str | None, typer.Option(help="Request key: the same key and request is the same batch.")]
FAILED = 1


def submit(
    file: Annotated[Path, typer.Argument(help="The file to send; - for standard input.", metavar="FILE")],
    account: Annotated[str, typer.Option(help="Account that sends.")],
    kind: Annotated[
        str | None, typer.Option(help="Batch kind, redeem-vouchers for example; default: told by the header.")
    ] = None,
    preview: Preview = False,
    wait: Wait = False,
    on_error: Annotated[
        Literal["continue", "stop"], typer.Option(help="continue, or stop: all rows or none.")
    ] = "continue",
    exact: Exact = False,
    key: Key = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="A value for the whole batch.", metavar="COLUMN=VALUE")
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Send a file as a batch. Without --preview it runs at once."""
    output = speak(as_json, lang)
    values = dict(map(_pair, given or ()))
    from jobs import guessing, intake

    with sending.local_file(file) as path, opened_app() as app:
        told = {}
        if kind is None:
            guess = guessing.guess(app, account, path, values)
            kind, told = guess.kind, {"guessed_because": guess.sentence(output.language)}
            output.say(guess.en, guess.it)
        request = intake.Request(
            account=account,
            kind=kind,
            path=path,
            filename="stdin" if file == sending.STDIN else file.name,
            request_key="",
            confirm="ask" if preview else "auto",
            on_error=on_error,
            exact=exact,
            given=values,
            language=output.language,
        )
        report = _send(app, request, key, output, preview=preview, wait=wait, told=told)
    _exit_for(report)


def revert(
    batch: Batch,
    account: Annotated[str, typer.Option(help="Account of the vendor, who alone takes batches back.")] = "VENDOR",
    preview: Preview = False,
    wait: Wait = False,
    exact: Exact = False,
    key: Key = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Take back what a batch did, as far as nothing has been built on it: a batch of its own with an answer per row."""
    output = speak(as_json, lang)
    from jobs import intake, reverting

    with tempfile.TemporaryDirectory(prefix="keymill-") as folder, opened_app() as app:
        path = Path(folder) / f"revert-{batch}.csv"
        reverting.write_file(app, batch, path, output.language)
        request = intake.Request(
            account=account,
            kind="revert-batches",
            path=path,
            filename=path.name,
            request_key="",
            confirm="ask" if preview else "auto",
            exact=exact,
            language=output.language,
        )
        report = _send(app, request, key, output, preview=preview, wait=wait)
    _exit_for(report)


def _send(
    app: App,
    request: Request,
    key: str | None,
    output: Output,
    *,
    preview: bool,
    wait: bool,
    told: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Send a request under a key that survives a crash of this call, and tell what becomes of it.

    ``told``: what the document says besides.
    """
    from jobs import intake, refusals

    asked = [request.kind, request.account, preview, request.on_error, request.exact, sorted(request.given.items())]
    kept = sending.RequestKey(key) if key else sending.kept_key(app.settings.home, request.path, asked)
    try:
        accepted = intake.accept(app, replace(request, request_key=kept.key))
    except refusals.Refused:
        kept.forget()
        raise
    _tell_accepted(accepted, output)
    if not output.as_json:  # with --json the document at the end is the answer; until then the call may be repeated
        kept.forget()
    if preview or wait:
        report = wait_for(app, accepted.batch_id, output, stop_at_preview=preview)
        reports.tell(report, output)
    else:
        report = _tell_number(accepted, output)
    output.document(report | dict(told or {}))
    kept.forget()
    return report


def _tell_number(accepted: Accepted, output: Output) -> dict[str, Any]:
    """What is told of a batch that nobody waits for."""
    number = accepted.batch_id
    output.say(f"Follow it: keymill show {number}", f"Seguirlo: keymill show {number}")
    return {"batch": number, "new": accepted.is_new, "same_bytes_as": accepted.same_bytes_as}


def _tell_accepted(accepted: Accepted, output: Output) -> None:
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


def _wait_and_tell(app: App, batch_id: int, output: Output) -> dict[str, Any]:
    report = wait_for(app, batch_id, output)
    reports.tell(report, output)
    output.document(report)
    return report


def _exit_for(report: dict[str, Any]) -> None:
    if report.get("state") == "failed":
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
    reports.batch_table(found, output)
    output.document(found)


def show(batch: Batch, as_json: Json = False, lang: Lang = None) -> None:
    """Show a batch: where it stands, what its rows got, problems with their cells, results, what to do next."""
    output = speak(as_json, lang)
    from jobs import status

    with opened_app() as app:
        report = status.of_batch(app, batch, output.language)
    reports.tell(report, output)
    output.document(report)


def confirm(
    batch: Batch,
    exact: Exact = False,
    wait: Wait = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Let a previewed batch run."""
    output = speak(as_json, lang)
    from jobs import control

    with opened_app() as app:
        control.confirm(app, batch, actor=actor(), exact=exact)
        output.say(f"Batch {batch} is confirmed.", f"Il lotto {batch} è confermato.")
        if wait:
            _exit_for(_wait_and_tell(app, batch, output))
        else:
            output.document({"batch": batch, "confirmed": True})


def cancel(batch: Batch, as_json: Json = False, lang: Lang = None) -> None:
    """Stop a batch: what is done stays, the rest is skipped."""
    output = speak(as_json, lang)
    from jobs import control

    with opened_app() as app:
        control.cancel(app, batch, actor=actor())
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
    force: Annotated[bool, typer.Option("--force", help="Write over other files of the same names.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Fetch the files of a finished batch, checked against their digests."""
    output = speak(as_json, lang)
    from jobs import refusals, status

    with opened_app() as app:
        report = status.of_batch(app, batch, output.language)
        if report["content"] != "kept":
            raise refusals.emptied(batch)
        if not report["results"]:
            raise Refused(
                "no_results",
                f"Batch {batch} is {report['state']} and has no result files (yet).",
                f"Il lotto {batch} è nello stato {report['state']} e non ha (ancora) file di risultato.",
            )
        files = report["results"]["files"]
        fetched = fetching.fetch_all(app, files, to, output, force=force)
        if licenses and not any(file["role"] == "licenses" for file in files):
            fetched.append(fetching.bundle(app, batch, to))
    reports.file_table(fetched, output)
    output.document({"batch": batch, "files": fetched})
