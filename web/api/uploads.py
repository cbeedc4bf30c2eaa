"""Uploads in pieces, for large files and bad lines."""

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

router = APIRouter(prefix="/uploads", tags=["uploads"])
UploadId = Annotated[str, Path(max_length=100)]
PIECE = ("application/octet-stream",)


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
    expires: datetime


def _shown(upload: Stored) -> Upload:
    return Upload(
        upload=upload.id,
        filename=upload.filename,
        size=upload.size,
        offset=upload.offset,
        sha256=upload.sha256,
        expires=upload.expires_at,
    )


@router.post("", operation_id="start_upload", status_code=201)
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
    """Send the next piece: at least 1 MiB, but for the last one. A piece that breaks off leaves nothing."""
    found = await run_in_threadpool(uploads.find, caller.seen, upload)
    async with bodies.received(request, max(found.size - found.offset, 0), PIECE) as body:
        await run_in_threadpool(uploads.extend, caller.app, found, upload_offset, body.path)
    return _shown(await run_in_threadpool(uploads.find, caller.seen, upload))


@router.delete("/{upload}", operation_id="drop_upload", status_code=204, response_class=Response)
def drop(upload: UploadId, caller: Sender) -> None:
    """Give an upload up."""
    uploads.forget(caller.app, uploads.find(caller.seen, upload))
