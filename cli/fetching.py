"""Result files brought from the store into a folder: checked against their digests, with a progress bar."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import Output, Refused

if TYPE_CHECKING:
    from rich.progress import Progress

    from config.wiring import App


def fetch_all(
    app: App, files: Iterable[dict[str, Any]], folder: Path, output: Output, *, force: bool = False
) -> list[dict[str, Any]]:
    """Fetch files of a batch's results; each with its ``path``. What is there already is left as it is.

    Nothing is fetched where another file of the same name would be lost. Raises :class:`Refused`.
    """
    wanted = [(file, folder / file["file"]) for file in files]
    missing = [(file, path) for file, path in wanted if not _is_there(path, file["sha256"])]
    taken = [path for _, path in missing if path.exists()]
    if taken and not force:
        raise Refused(
            "file_exists",
            f"{taken[0]} exists already and is another file. Name another folder, or write over it with --force.",
            f"{taken[0]} esiste già ed è un altro file. Indicare un'altra cartella, o sovrascriverlo con --force.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with _bar(output) as bar:
        task = bar.add_task(output.pick("Fetching", "Scaricamento"), total=sum(file["size"] for file, _ in missing))
        for file, path in missing:
            _fetch(app, file, path, lambda size: bar.advance(task, size))
    return [file | {"path": str(path)} for file, path in wanted]


def bundle(app: App, batch_id: int, folder: Path) -> dict[str, Any]:
    """All license files of a batch as one archive, made now."""
    from exporters import license_bundles
    from jobs.results import license_files
    from models.database import transaction

    path, count = folder / f"batch-{batch_id}-licenses.zip", 0

    def counted(found: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        nonlocal count
        for file in found:
            count += 1
            yield file

    folder.mkdir(parents=True, exist_ok=True)
    with transaction(app.engine) as connection:
        _write(path, license_bundles.bundle(counted(license_files(connection, batch_id))))
    return {"file": path.name, "path": str(path), "role": "licenses", "size": path.stat().st_size, "rows": count}


def _is_there(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _fetch(app: App, file: dict[str, Any], path: Path, advance: Callable[[int], None]) -> None:
    def blocks() -> Iterator[bytes]:
        for block in app.store.get(file["name"]):
            advance(len(block))
            yield block

    _write(path, blocks(), file["name"], file["sha256"])


def _write(path: Path, blocks: Iterable[bytes], name: str = "", sha256: str | None = None) -> None:
    """Write a file that is there whole and right, or not at all."""
    from storage.objects import write_checked

    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        write_checked(name, blocks, aside, sha256)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _bar(output: Output) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=32),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=output.as_json or not console.is_terminal,
    )
