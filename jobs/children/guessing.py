"""The child that looks at an upload's header: ``python -m jobs.children.guessing``, one request, one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.children import Write, serve


def guess(request: dict[str, Any], _write: Write) -> dict[str, Any]:
    """Hold one file against kinds. Imports come late, so that the limits hold for them too."""
    from importers.contracts import Limits, Wanted
    from importers.guessing import Candidate, fits, titles_of

    candidates = [
        Candidate(one["kind"], Wanted.from_json(one["wanted"]), one["takes_any_column"])
        for one in request["candidates"]
    ]
    path, limits = Path(request["path"]), Limits(**request["limits"])
    found = fits(path, candidates, limits)
    return {"fits": [fit.to_json() for fit in found], "titles": titles_of(path, candidates, limits)}


if __name__ == "__main__":
    serve(guess)
