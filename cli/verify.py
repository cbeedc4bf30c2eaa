"""``keymill verify``: checks license keys offline, with nothing but the public key set."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import typer

from cli.output import Json, Lang, Output, Refused, read_file, speak

if TYPE_CHECKING:
    from signing.key_sets import KeySet
    from signing.verification import Verdict

KEY_SET_NAMES = ("keys.json", "jwks.json")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


def verify(
    sources: Annotated[
        list[str], typer.Argument(metavar="FILE|KEY...", help="License files, ZIPs of them, any text, keys; - is stdin.")
    ],
    jwks: Annotated[Path | None, typer.Option("--jwks", help="Public key set; default: see the guide.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Name only what is not valid, and the totals.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Verify license keys offline: .lic files, keys, ZIPs of license files, result files in CSV or any other text."""
    out = speak(as_json, lang)
    counts: Counter[str] = Counter()
    told: list[dict[str, Any]] = []
    last: Verdict | None = None
    for name, last in verdicts(sources, jwks):
        counts[last.code] += 1
        if quiet and last.valid:
            continue
        if as_json:
            told.append(_facts(name, last, out))
        elif last.valid or len(sources) > 1 or counts.total() > 1:
            typer.echo(_line(name, last, out))
    ...
