"""``keymill bench``: each benchmark prints one JSON line; what is compared is measured in the same run."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Annotated

import typer

from cli.output import Lang, speak

# Name -> rows when nothing is said: enough to be telling, and all of them together in a few minutes.
BENCHES = {
    "redeem-vouchers": 100_000,
    "small-beside-big": 200_000,
    "mint": 500_000,
    "serials": 50_000,
    "read": 200_000,
    "write": 100_000,
    "sign": 50_000,
    "uploads": 20_000,
}


def bench(
    name: Annotated[str | None, typer.Argument(help="One of them; default: all.", metavar="[NAME]")] = None,
    rows: Annotated[int | None, typer.Option(help="How many rows.", min=100)] = None,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 2,
    lang: Lang = None,
) -> None:
    """Measure: redeem-vouchers, small-beside-big, mint, serials, read, write, sign, uploads. One JSON line each."""
    output = speak(as_json=False, lang=lang)
    if name is not None and name not in BENCHES:
        raise typer.BadParameter(", ".join(BENCHES), param_hint="NAME")
    from config import logging
    from config.settings import Settings

    logging.configure(Settings(log_level="error"))
    for one in BENCHES if name is None else [name]:
        count = rows or BENCHES[one]
        typer.echo(output.pick(f"{one}: {count:,} rows …", f"{one}: {count:,} righe …"), err=True)
        module = import_module(f"cli.benches.{one.replace('-', '_')}")
        typer.echo(json.dumps(module.bench(count, workers)))
