"""The child that reads an upload: ``python -m jobs.children.reading``, one request, then rows as COPY lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.children import Write, serve


def read(request: dict[str, Any], write: Write) -> dict[str, Any]:
    """Read one file. Imports come late, so that the limits hold for them too."""
    from importers.reading import Limits, Wanted, read_file

    wanted, limits = Wanted.from_json(request["wanted"]), Limits(**request["limits"])
    return read_file(Path(request["path"]), wanted, limits, write, prefix=request["prefix"]).to_json()


if __name__ == "__main__":
    serve(read)
