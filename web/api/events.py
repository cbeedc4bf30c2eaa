"""Live progress of a batch as server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from jobs import status
from models import batches
from web.api.batches import BatchNumber
from web.callers import Caller, Reader

router = APIRouter(prefix="/batches/{batch}/events", tags=["batches"])
LOOK_SECONDS = 1.0  # how often the database is asked
BEAT_SECONDS = 15.0  # a sign of life for whatever stands between
LONGEST_SECONDS = 300.0  # then the client connects again, with a token that is still good


@router.get(
    "",
    operation_id="follow_batch",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `progress` with a batch in a line as JSON; the last one is called `end`",
            "content": {"text/event-stream": {}},
        }
    },
)
async def follow(
    batch: BatchNumber,
    caller: Reader,
    last_seen: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=100, description="What was seen last.")
    ] = None,
) -> StreamingResponse:
    """Follow a batch to its end. Each event says all that there is to say, so that none needs to be caught up with."""
    first = await run_in_threadpool(_look, caller, batch)
    return StreamingResponse(
        _events(caller, batch, first, last_seen),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _look(caller: Caller, batch: int) -> tuple[str, bool]:
    """The batch in a line as JSON, and whether it is over."""
    line = status.line_of(caller.seen, batch)
    return json.dumps(line), line["state"] in batches.FINAL


async def _events(caller: Caller, batch: int, first: tuple[str, bool], last_seen: str | None) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    limit, beat = time.monotonic() + LONGEST_SECONDS, time.monotonic()
    line, is_over = first
    while True:
        number = hashlib.sha256(line.encode()).hexdigest()[:16]
        if number != last_seen or is_over:
            yield f"id: {number}\nevent: {'end' if is_over else 'progress'}\ndata: {line}\n\n"
            last_seen, beat = number, time.monotonic()
        elif time.monotonic() - beat >= BEAT_SECONDS:
            yield ": still here\n\n"
            beat = time.monotonic()
        if is_over or time.monotonic() >= limit:
            return
        await asyncio.sleep(LOOK_SECONDS)
        line, is_over = await run_in_threadpool(_look, caller, batch)
