"""The files that a batch left, as links that work for some time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import StreamingResponse

from jobs import links, status
from jobs.refusals import Refused
from models import audit
from models.database import transaction
from web import auditing
from web.api.batches import BatchNumber, ResultFile
from web.callers import Reader, address_of, opened

router = APIRouter(tags=["results"])
files = APIRouter(tags=["results"])


class LinkedFile(ResultFile):
    """A file and where to fetch it."""

    link: str = Field(description="Good without a token, for whoever has it.")
    expires: datetime


@router.get("/batches/{batch}/results", operation_id="list_results")
def results(batch: BatchNumber, caller: Reader) -> list[LinkedFile]:
    """The result files of a batch that is over. They hold keys, so that links are written into the audit log."""
    report = status.of_batch(caller.seen, batch, caller.language)
    if not report["results"]:
        raise Refused(
            "no_results",
            f"Batch {batch} is {report['state']} and has no result files (yet).",
            f"Il lotto {batch} è nello stato {report['state']} e non ha (ancora) file di risultato.",
        )
    found = report["results"]["files"]
    auditing.saw_keys(caller, "results.linked", f"batch {batch}", files=[file["file"] for file in found])
    linked = []
    for file in found:
        url, until = links.link(caller.app, file["name"], file["file"])
        linked.append(LinkedFile(**file, link=url, expires=datetime.fromtimestamp(until, UTC)))
    return linked


@files.get(
    "/files/{token}/{filename}",
    operation_id="fetch_file",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def fetch(
    request: Request,
    token: Annotated[str, Path(max_length=2000)],
    filename: Annotated[str, Path(max_length=300, description="Only for people: the link itself knows it.")],
) -> StreamingResponse:
    """A file of the store through a link that was given for it. S3 stores have links of their own."""
    app = opened(request)
    linked = links.opened(app, token)
    size = app.store.size(linked.name)
    with transaction(app.engine) as connection:
        audit.record(connection, "link", "file.fetched", linked.name, address=address_of(request))
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(linked.filename, safe='')}",
        "Content-Length": str(size),
    }
    return StreamingResponse(app.store.get(linked.name), media_type="application/octet-stream", headers=headers)
