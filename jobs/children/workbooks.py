"""The child that writes workbooks a person opens and looks at: ``python -m jobs.children.workbooks``, one request.

``{"task": "outcomes", "source", "target", "answers", "sheet", "header_row", "first_column", "titles"}``: the source
workbook with outcome columns. ``answers`` is a file of JSON lines, ``[row, [outcome cells]]``.

``{"task": "rejected", "source" (or null), "target", "answers", "sheet", "header_row", "titles", "width",
"reason_title"}``: the rejected rows, marked. Lines are ``[row, [cells], sentence, [[column or null, sentence], ...]]``.

Rows and ``header_row`` count from 1 (0: no header), columns from 0. The result is ``{"rows", "first_column", "lost"}``;
``{"refused": {"code": "cannot_mark", ...}}`` asks for a plain file instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.children import Write, serve


def write_workbook(request: dict[str, Any], write: Write) -> dict[str, Any]:
    """Write one workbook. Imports come late, so that the limits hold for them too."""
    from dataclasses import asdict

    from exporters.rejected_workbooks import mark_rejected
    from exporters.source_workbooks import add_outcomes

    target, answers = Path(request["target"]), _lines(Path(request["answers"]))
    source = Path(request["source"]) if request["source"] else None
    common = {name: request[name] for name in ("sheet", "header_row", "titles")}
    if request["task"] == "rejected":
        width, reason_title = request["width"], request["reason_title"]
        marked = mark_rejected(source, target, width=width, reason_title=reason_title, answers=answers, **common)
    else:
        assert source is not None
        marked = add_outcomes(source, target, first_column=request["first_column"], answers=answers, **common)
    return asdict(marked)


def _lines(path: Path) -> Iterator[Any]:
    """The answers, one at a time."""
    import orjson

    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


if __name__ == "__main__":
    serve(write_workbook)
