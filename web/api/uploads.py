"""Uploads in pieces, for large files and bad lines.

The document alone must be enough to write a client, breaks of the line included (tests/web/test_openapi.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from jobs import uploads
from models.uploads import Upload as Stored
from web import bodies
from web.callers import Sender
from web.problems import problem_response

router = APIRouter(prefix="/uploads", tags=["uploads"])
UploadId = Annotated[str, Path(max_length=100)]
PIECE = ("application/octet-stream",)
TAG = {
    "name": "uploads",
    "description": "A file of more than 100 MB, or a bad line: announce it (`start_upload`), send its pieces one after "
    "the other (`send_piece`), each from the `offset` of the last answer on, until `offset` is `size`, then hand it in "
    "(`send_batch` with `upload` and no body). After a broken connection, an answer that was lost or a 409, ask where "
    "it stands (`show_upload`) and go on at its `offset`: a piece is there as a whole or not at all. Any server takes "
    "the next piece.",
}
_NEXT = {
    name: {"operationId": name, "parameters": {f"{place}.upload": "$response.body#/upload"}, "description": told}
    for name, place, told in (
        ("send_piece", "path", "The next piece, from `offset` on."),
        ("show_upload", "path", "After a break: where to go on."),
        ("drop_upload", "path", "Give it up."),
        ("send_batch", "query", "Hand the file in, once `offset` is `size`."),
    )
}


class Announced(BaseModel):
    """A file that is to come."""

    filename: str = Field(min_length=1, max_length=255)
    size: int = Field(ge=1, le=2**53, description="Bytes of the whole file.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 digest of the whole file.")


class Upload(BaseModel):
    """How far an upload has come."""

    upload: str
    filename: str
    size: int
    offset: int = Field(description="Bytes that are here: the next piece starts there.")
    sha256: str
    expires: datetime = Field(description="Then it is forgotten; announce it again.")
    least_piece: int = Field(description="Bytes that every piece but the last one has at least.")


def _shown(upload: Stored) -> Upload:
    return Upload(
        upload=upload.id,
        filename=upload.filename,
        size=upload.size,
        offset=upload.offset,
        sha256=upload.sha256,
        expires=upload.expires_at,
        least_piece=uploads.LEAST_PIECE,
    )


@router.post("", operation_id="start_upload", status_code=201, responses={201: {"links": _NEXT}})
def start(announced: Announced, caller: Sender) -> Upload:
    """Announce a file. Then send its pieces, and name the upload in `POST /batches?upload=`."""
    name = bodies.file_name(announced.filename, "upload")
    return _shown(uploads.start(caller.app, caller.account_id, name, announced.size, announced.sha256))


@router.get("/{upload}", operation_id="show_upload")
def show(upload: UploadId, caller: Sender) -> Upload:
    """How far an upload has come: after a break, go on at `offset`."""
    return _shown(uploads.find(caller.seen, upload))


@router.patch(
    "/{upload}",
    operation_id="send_piece",
    responses={
        200: {"links": _NEXT},
        409: problem_response("`wrong_offset`: the upload stands elsewhere. Ask where, and go on from there."),
        413: problem_response("`file_too_large`: the piece goes beyond the announced size."),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def send(
    request: Request,
    upload: UploadId,
    caller: Sender,
    upload_offset: Annotated[int, Header(alias="Upload-Offset", ge=0, le=2**53, description="Where the piece starts.")],
) -> Upload:
    """Send the next piece: as many bytes as you like, at least `least_piece` of them but for the last one.

    A piece that breaks off leaves nothing: ask where the upload stands, and send it again from there.
    """
    found = await run_in_threadpool(uploads.find, caller.seen, upload)
    most = max(found.size - upload_offset, 0)  # of a piece that was sent before, too: it is told where to go on
    async with bodies.received(request, most, PIECE) as body:
        await run_in_threadpool(uploads.extend, caller.app, found, upload_offset, body.path)
    return _shown(await run_in_threadpool(uploads.find, caller.seen, upload))


@router.delete("/{upload}", operation_id="drop_upload", status_code=204, response_class=Response)
def drop(upload: UploadId, caller: Sender) -> None:
    """Give an upload up."""
    uploads.forget(caller.app, uploads.find(caller.seen, upload))
