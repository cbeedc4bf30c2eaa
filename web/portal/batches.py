"""Batches: the list, and one page that follows a batch from its preview to its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from jobs import answers, approving, control, status
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from licensing.cells import column_letters
from models.batches import FINAL, State
from web import auditing, charts
from web.api import events
from web.api.batches import BatchNumber
from web.portal.pages import first_of, page
from web.portal.visitors import Sent, Signed, Visitor, nothing_here
from web.problems import NotAnswered

router = APIRouter(prefix="/batches")
PAGE = 25
SHOWN_ROWS = 20
_SHOWN_CELLS = 12  # columns, beside those with faults


@router.get("")
def listed(
    request: Request,
    me: Signed,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    kind: Annotated[str, Query(max_length=64)] = "",
    state: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The newest batches first, of the account; of all for the vendor."""
    found = status.latest(me.seen, None, PAGE + 1, before=before, kind=kind or None, state=state or None)
    kinds = sorted(k.name for k in KINDS.values() if me.is_vendor or me.account_type in k.senders)
    shown, more = first_of(found, PAGE, "batch")
    return page(
        request,
        me.reader,
        "batches.html",
        batches=shown,
        next=more,
        kinds=kinds,
        states=get_args(State),
        kind=kind,
        state=state,
        is_filtered=bool(kind or state or before),
    )


@router.get("/{batch}")
def show(
    request: Request, batch: BatchNumber, me: Signed, after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> Response:
    """Where a batch stands and what there is to do about it."""
    return _show(request, batch, me, after, None)


def _show(request: Request, batch: int, me: Visitor, after: int, refused: str | None) -> Response:
    report = status.of_batch(me.seen, batch, me.language)
    is_previewed = report["progress"]["stage"] == "previewed"
    counts = report["preview"] if is_previewed else report
    faulty = []
    if counts["outcomes"]["rejected"] + counts["outcomes"]["skipped"] and (is_previewed or report["state"] in FINAL):
        outcomes = ("rejected", "skipped")
        faulty = answers.page(
            me.seen, batch, after=after, limit=SHOWN_ROWS + 1, language=me.language, outcomes=outcomes,
            previewed=is_previewed,
        )  # fmt: skip
    reading = report["reading"] or {"width": 0, "titles": []}
    shown = [_marked(row, reading["width"]) for row in faulty[:SHOWN_ROWS]]
    return page(
        request,
        me.reader,
        "batch.html",
        422 if refused else 200,
        batch=report,
        outcomes=counts["outcomes"],
        chart=charts.outcome_bar(counts["outcomes"], me.language),
        faulty=shown,
        columns=_shown_columns(shown, reading["titles"]),
        answers_apart=any(row["elsewhere"] for row in shown),
        next=faulty[SHOWN_ROWS - 1]["row"] if len(faulty) > SHOWN_ROWS else None,
        is_over=report["state"] in FINAL,
        is_working=report["state"] not in FINAL and not is_previewed,
        is_previewed=is_previewed,
        is_own=report["account"] == me.account,
        approval=approving.of_batch(me.seen, batch),
        needs_approval=is_previewed and approving.is_needed(me.seen, batch),
        refused=refused,
    )


def _marked(row: dict[str, Any], width: int) -> dict[str, Any]:
    """A row for a table: its cells as texts, each with what is wrong with it, and what is said of no cell."""
    faults: dict[str, list[str]] = {}
    for fault in row["faults"]:
        faults.setdefault(fault["column"], []).append(fault["sentence"])
    values = [_text(cell["value"]) for cell in row["cells"]]
    values += [""] * (width - len(values))  # rows end with their last cell that is not blank
    cells = [{"value": value, "faults": faults.pop(column_letters(place), [])} for place, value in enumerate(values)]
    elsewhere = [sentence for found in faults.values() for sentence in found]
    if not any(row["sentence"] in cell["faults"] for cell in cells):
        elsewhere.insert(0, row["sentence"])
    return row | {"cells": cells, "elsewhere": list(dict.fromkeys(elsewhere))}


def _shown_columns(marked: list[dict[str, Any]], titles: list[str | None]) -> list[tuple[int, str, str]]:
    """(place, letters, title) of the columns that a table shows: the first ones, and those with faults."""
    width = max((len(row["cells"]) for row in marked), default=0)
    faulty = {place for row in marked for place, cell in enumerate(row["cells"]) if cell["faults"]}
    return [
        (place, column_letters(place), (titles[place] if place < len(titles) else "") or "")
        for place in range(width)
        if place < _SHOWN_CELLS or place in faulty
    ]


def _text(value: Any) -> str:
    """A cell as text."""
    if isinstance(value, dict):
        return str(next(iter(value.values()), ""))
    return "" if value is None else str(value)


@router.get("/{batch}/events")
async def follow(
    batch: BatchNumber, me: Signed, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> StreamingResponse:
    """Live progress, for the page's script."""
    return await events.follow(batch, me, last_event_id)


@router.post("/{batch}/confirm")
def confirm(request: Request, batch: BatchNumber, me: Signed, sent: Sent) -> Response:
    """Let a previewed batch run."""
    me.require("submit")
    if status.line_of(me.seen, batch)["account"] != me.account:  # operators see it, and do not decide for its sender
        raise NotAnswered(
            "not_permitted",
            "Only the account that sent a batch can confirm it.",
            "Solo l'account che ha inviato un lotto può confermarlo.",
        )
    try:
        control.confirm(me.app, batch, actor=me.actor, exact=bool(sent.get("exact")))
    except Refused as refused:
        return _show(request, batch, me, 0, refused.sentence(me.language))
    return RedirectResponse(f"/batches/{batch}", 303)


@router.post("/{batch}/cancel")
def cancel(request: Request, batch: BatchNumber, me: Signed, _sent: Sent) -> Response:
    """Stop a batch: what is done stays."""
    me.require("submit")
    status.line_of(me.seen, batch)
    try:
        control.cancel(me.app, batch, actor=me.actor)
    except Refused as refused:
        return _show(request, batch, me, 0, refused.sentence(me.language))
    return RedirectResponse(f"/batches/{batch}", 303)


@router.get("/{batch}/files/{role}")
def fetch(batch: BatchNumber, role: str, me: Signed) -> Response:
    """A result file. It may hold keys, so that it is written into the audit log."""
    results = status.of_batch(me.seen, batch, me.language)["results"] or {}
    file = next((one for one in results.get("files", ()) if one["role"] == role), None)
    if file is None:
        raise nothing_here()
    auditing.saw_keys(me, "file.fetched", f"batch {batch}", file=file["file"])
    return attachment(me.app.store.get(file["name"]), file["file"], size=file["size"])


def attachment(blocks: Iterator[bytes], filename: str, *, size: int | None = None) -> StreamingResponse:
    """A file to be saved under a name."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}"}
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(blocks, media_type="application/octet-stream", headers=headers)
