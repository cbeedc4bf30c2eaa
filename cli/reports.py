"""A batch's report for a person: where it stands, what its rows got, problems with their cells, what to do next."""

from __future__ import annotations

from typing import Any, Literal

from cli.output import Output

OUTCOME_WORDS: dict[str, tuple[str, str, str]] = {
    "issued": ("issued", "emesse", "green"),
    "unchanged": ("unchanged", "invariate", "blue"),
    "accepted": ("accepted", "accettate", "green"),
    "rejected": ("rejected", "respinte", "red"),
    "skipped": ("skipped", "saltate", "yellow"),
}


def tell(report: dict[str, Any], output: Output) -> None:
    """Everything about a batch that a person wants to know."""
    number, rows = report["batch"], report["rows"]
    output.say(
        f"Batch {number} ({report['kind']}, {report['file']}): {report['state']}"
        + ("" if rows is None else f", {rows:,} rows"),
        f"Lotto {number} ({report['kind']}, {report['file']}): {report['state']}"
        + ("" if rows is None else f", {rows:,} righe"),
    )
    if report["reason"]:
        output.line(report["reason"]["sentence"])
    _tell_progress(report, output)
    _tell_reading(report, output)
    _tell_outcomes(report, output)
    for parked in report["parked"]:
        first, last = parked["rows"]
        output.say(
            f"Set aside after three attempts: {parked['stage']}, rows {first}-{last}: {parked['reason']}",
            f"Messo da parte dopo tre tentativi: {parked['stage']}, righe {first}-{last}: {parked['reason']}",
        )
    _tell_files(report, output)
    _tell_what_next(report, output)


def _tell_progress(report: dict[str, Any], output: Output) -> None:
    """How far a batch is that somebody works on."""
    progress = report["progress"]
    if report["state"] in ("reading", "running", "exporting") and progress["of"]:
        output.line(f"{progress['stage']}: {progress['done']:,} / {progress['of']:,}")


def _tell_reading(report: dict[str, Any], output: Output) -> None:
    """Which column was taken for what: its letter, its own header where that is another one, what it means."""
    reading = report["reading"]
    if not reading:
        return
    parts = []
    for name, matched in reading["matched"].items():
        index = reading["columns"][name]
        header = reading["titles"][index] if index < len(reading["titles"]) else ""
        own = f" {header}" if header and header != matched["title"] else ""
        parts.append(f"{matched['column']}{own} = {matched['title']}")
    parts += [f"{name} = {value!r}" for name, value in report["options"].get("given", {}).items()]
    output.say(f"Columns: {', '.join(parts)}", f"Colonne: {', '.join(parts)}")


def _tell_outcomes(report: dict[str, Any], output: Output) -> None:
    """What the rows got or would get, what they were refused for, and apart from that the warnings."""
    is_preview = report["state"] == "previewed"
    counts = report["preview"] if is_preview else report
    if any(counts["outcomes"].values()):
        if is_preview:
            output.say("Each row would get:", "Ogni riga otterrebbe:")
        outcome_table(counts["outcomes"], counts["codes"], output)
    problem_table(report["problems"], output)
    warnings = [*(report["reading"] or {}).get("warnings", ()), *report["warnings"]]
    if warnings:
        output.say("Warnings:", "Avvertenze:")
        problem_table(warnings, output)
    if count := report["differs_from_preview"]:
        output.say(f"{count:,} rows differ from their preview.", f"{count:,} righe differiscono dall'anteprima.")


def _tell_files(report: dict[str, Any], output: Output) -> None:
    from rich.filesize import decimal

    for file in (report["results"] or {}).get("files", ()):
        output.line(f"  {file['file']}  {decimal(file['size'])}")


def _tell_what_next(report: dict[str, Any], output: Output) -> None:
    number, state = report["batch"], report["state"]
    if state == "previewed":
        output.say(
            f"Next: keymill confirm {number} --wait   (or: keymill cancel {number})",
            f"Ora: keymill confirm {number} --wait   (oppure: keymill cancel {number})",
        )
    elif report["content"] != "kept":
        output.say(
            "Its rows and files were deleted because of their age; the counts and what it did stay.",
            "Le righe e i file sono stati eliminati per la loro età; i conteggi e ciò che ha fatto restano.",
        )
    elif report["results"]:
        output.say(f"Next: keymill results {number} --to FOLDER", f"Ora: keymill results {number} --to CARTELLA")
    elif state == "failed":
        output.say("Next: mend the file and submit it again.", "Ora: correggere il file e inviarlo di nuovo.")
    elif state != "cancelled":
        output.say(
            f"It goes on while workers run (keymill up). Look again: keymill show {number}",
            f"Prosegue finché ci sono worker attivi (keymill up). Per rivederlo: keymill show {number}",
        )


def batch_table(found: list[dict[str, Any]], output: Output) -> None:
    """A line for each batch; where the terminal is narrow, file names are cut and nothing else."""
    if not found:
        output.say("There are no batches yet.", "Non ci sono ancora lotti.")
    if output.as_json or not found:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1))
    for titles, side in _COLUMNS:
        is_file = titles[0] == "File"
        table.add_column(output.pick(*titles), justify=side, no_wrap=not is_file, overflow="ellipsis")
    for entry in found:
        rows, outcomes = entry["rows"], entry["outcomes"]
        numbers = ["" if rows is None else f"{rows:,}", f"{outcomes['rejected']:,}" if outcomes["rejected"] else ""]
        received = entry["received"][:16].replace("T", " ")
        words = [str(entry["batch"]), entry["account"], entry["kind"], entry["file"], entry["state"]]
        table.add_row(*map(Text, [*words, *numbers, received]))
    Console().print(table)


_COLUMNS: tuple[tuple[tuple[str, str], Literal["left", "right"]], ...] = (
    (("Batch", "Lotto"), "right"),
    (("Account", "Account"), "left"),
    (("Kind", "Tipo"), "left"),
    (("File", "File"), "left"),
    (("State", "Stato"), "left"),
    (("Rows", "Righe"), "right"),
    (("Rejected", "Respinte"), "right"),
    (("Received", "Ricevuto"), "left"),
)


def file_table(files: list[dict[str, Any]], output: Output) -> None:
    """Files that were fetched: where they lie, what they are, how long."""
    from rich.filesize import decimal

    titles = [output.pick(*pair) for pair in (("File", "File"), ("What", "Che cosa"), ("Rows", "Righe"))]
    rows = [
        (file["path"], file["role"], f"{file['rows']:,}" if file["rows"] else "", decimal(file["size"]))
        for file in files
    ]
    output.table([*titles, output.pick("Size", "Dimensione")], rows)


def outcome_table(counts: dict[str, int], codes: dict[str, int], output: Output) -> None:
    """How many rows got what, by outcome and code."""
    if output.as_json:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from licensing.outcomes import CODES

    table = Table(box=None, padding=(0, 2))
    for title, side in ((output.pick("Outcome", "Esito"), "left"), (output.pick("Rows", "Righe"), "right")):
        table.add_column(title, justify=side)  # type: ignore[arg-type]
    table.add_column(output.pick("Code", "Codice"))
    table.add_column(output.pick("Of these", "Di cui"), justify="right")
    for outcome, (en, it, colour) in OUTCOME_WORDS.items():
        if not counts.get(outcome):
            continue
        first = (Text(output.pick(en, it), style=colour), Text(f"{counts[outcome]:,}", style=colour))
        for code, count in sorted(codes.items(), key=lambda item: -item[1]):
            if CODES[code].outcome == outcome:
                table.add_row(*first, code, f"{count:,}")
                first = (Text(), Text())
    Console().print(table)


def problem_table(problems: list[dict[str, Any]], output: Output) -> None:
    """What rows were refused for, or warned about, with the first few cells."""
    if output.as_json or not problems:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2))
    for title in (output.pick("Rows", "Righe"), output.pick("Cells", "Celle"), output.pick("What", "Che cosa")):
        table.add_column(title)
    for problem in problems:
        more = " …" if problem["count"] > len(problem["cells"]) else ""
        cells = ", ".join(map(str, problem["cells"])) + more
        table.add_row(f"{problem['count']:,}", Text(cells), Text(problem["sentence"]))
    Console().print(table)
