"""The child that reads an upload: ``python -m jobs.children.reading``, one request, then rows as COPY lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.children import Write, serve
from importers.contracts import Limits, Wanted
from importers.reading import read_file


def read(request: dict[str, Any], write: Write) -> dict[str, Any]:
    """Read one file."""
    wanted, limits = Wanted.from_json(request["wanted"]), Limits(**request["limits"])
    reading = read_file(Path(request["path"]), wanted, limits, write, prefix=request["prefix"])
    return reading.to_json()


if __name__ == "__main__":
    serve(read)
