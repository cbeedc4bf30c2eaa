"""``keymill template``: an empty file for a batch kind, ready to be filled in and sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import Json, Lang, speak, write_file

FileFormat = Literal["xlsx", "csv"]


def template(
    kind: Annotated[str, typer.Argument(help="Batch kind, such as redeem-vouchers.", show_default=False)],
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="Default: by the file's name, else xlsx.")
    ] = None,
    to: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; default: KIND.xlsx.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Write a template for a batch kind, with notes, drop-downs and an example, in English or Italian."""
    from jobs.kinds.registry import KINDS

    out = speak(as_json, lang)
    if kind not in KINDS:
        raise typer.BadParameter(f"there is no kind {kind!r}; kinds: {', '.join(KINDS)}", param_hint="KIND")
    from exporters.templates import template as rendered

    chosen = file_format or ("csv" if to is not None and to.suffix.lower() == ".csv" else "xlsx")
    target = to or Path(f"{kind}.{chosen}")
    write_file(target, rendered(KINDS[kind].fields, kind, out.language, chosen), force=force)
    out.say(f"The template is in {target}", f"Il modello è in {target}")
    out.document({"file": target, "kind": kind, "format": chosen, "language": out.language})
