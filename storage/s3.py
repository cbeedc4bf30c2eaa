"""The object store on any S3-compatible server, through boto3.

Streamed: a large object goes up in parts, and becomes visible only when the last step names them all. What the server
holds is compared with what was sent (size and MD5-style ETag, else read back): docs/decisions/0007-object-stores.md.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.objects import (
    BLOCK,
    MissingObject,
    Stored,
    StoreUnavailable,
    WrongDigest,
    checked_name,
    file_blocks,
    write_checked,
)
from storage.uploads import PART, Digests, parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Together they let an outage be told within 20 seconds: two attempts, then one to clear up.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 8, 2
CLEARING_SECONDS = 2
_LONGEST_LINK_SECONDS = 7 * 24 * 3600
_NOT_FOUND = {"404", "NoSuchKey", "NotFound"}


def _client(session: boto3.session.Session, attempts: int, connect_seconds: float, read_seconds: float) -> S3Client:
    """A client that gives up early: the caller tries again later, and a worker must not hang on a dead store."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return session.client(
        "s3",
        endpoint_url=endpoint,
        region_name=session.region_name or "us-east-1",
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # An older compatible server answers 501 to the checksum trailers that boto3 would send by itself.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
        ),
    )


@contextmanager
def _outages(name: str = "") -> Iterator[None]:
    """What boto3 raises, in our words."""
    try:
        yield
    except ClientError as error:
        if name and error.response.get("Error", {}).get("Code") in _NOT_FOUND:
            raise MissingObject(name) from error
        raise StoreUnavailable(str(error)) from error
    except BotoCoreError as error:
        raise StoreUnavailable(str(error)) from error


class S3Store:
    """Objects of one bucket below a prefix."""

    def __init__(self, bucket: str, prefix: str = "", *, sse: str | None = None, sse_key: str | None = None) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self._encryption: dict[str, Any] = {"ServerSideEncryption": sse} if sse else {}
        if sse_key:
            self._encryption["SSEKMSKeyId"] = sse_key
        with _outages():
            session = boto3.session.Session()
            self._s3 = _client(session, ATTEMPTS, CONNECT_SECONDS, READ_SECONDS)
            self._hasty = _client(session, 1, CLEARING_SECONDS, CLEARING_SECONDS)  # for clearing up after a failure

    def put(
        self,
        name: str,
        blocks: Iterable[bytes],
        *,
        media_type: str = "application/octet-stream",
        expected_sha256: str | None = None,
    ) -> Stored:
        """Store what the blocks say: at once if they fit into one part, else in parts."""
        digests = Digests()
        coming = parts(blocks, digests)
        first = next(coming)
        target = self._target(name) | {"ContentType": media_type} | self._encryption
        in_parts = len(first) == PART
        if in_parts:
            coming = chain([first], coming)
            del first  # or it would be held for the whole upload
            self._put_parts(name, target, coming, digests, expected_sha256)
        else:
            _compare(name, digests, expected_sha256)
            with _outages():
                self._s3.put_object(**target, Body=first)
        self._compare_with_server(name, digests, digests.etag(in_parts=in_parts))
        return Stored(name, digests.size, digests.sha256)

    def _put_parts(
        self, name: str, target: dict[str, Any], coming: Iterator[bytes], digests: Digests, expected: str | None
    ) -> None:
        """Upload in parts; whatever goes wrong (in the blocks, too), nothing becomes visible, the parts are dropped."""
        place = self._target(name)
        with _outages():
            upload = self._s3.create_multipart_upload(**target)["UploadId"]
        try:
            listed: list[Any] = []
            for number, part in enumerate(coming, 1):
                with _outages():
                    answer = self._s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
                listed.append({"PartNumber": number, "ETag": answer["ETag"]})
            _compare(name, digests, expected)
            self._complete(place, upload, listed)
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self._hasty.abort_multipart_upload(**place, UploadId=upload)
            raise

    def _complete(self, place: dict[str, Any], upload: str, listed: list[Any]) -> None:
        with _outages():
            try:
                self._s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": listed})
            except ClientError as error:
                # The answer to a first try was lost, and boto3's second try finds it done: the comparison will tell.
                if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
                    raise

    def _compare_with_server(self, name: str, digests: Digests, etag: str) -> None:
        """Whether the server holds what was sent. A server that encrypts has other ETags: then it is read back."""
        with _outages(name):
            head = self._s3.head_object(**self._target(name))
        if head["ContentLength"] == digests.size and head["ETag"].strip('"') == etag:
            return
        held = hashlib.sha256()
        for block in self.get(name):
            held.update(block)
        if held.hexdigest() != digests.sha256:
            self.delete([name])
            raise WrongDigest(name, digests.sha256, held.hexdigest())

    def put_file(
        self,
        name: str,
        path: Path,
        *,
        media_type: str = "application/octet-stream",
        expected_sha256: str | None = None,
    ) -> Stored:
        """Store a file."""
        return self.put(name, file_blocks(path), media_type=media_type, expected_sha256=expected_sha256)

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes, some at a time; an answer that ends early is an outage."""
        with _outages(name):
            body = self._s3.get_object(**self._target(name))["Body"]
        try:
            while True:
                with _outages():
                    block = body.read(BLOCK)
                if not block:
                    return
                yield block
        finally:
            body.close()

    def fetch(self, name: str, path: Path, *, expected_sha256: str | None = None) -> Stored:
        """Bring an object into a file."""
        aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
        try:
            stored = write_checked(name, self.get(name), aside, expected_sha256)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        return stored

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        try:
            self.size(name)
        except MissingObject:
            return False
        return True

    def size(self, name: str) -> int:
        """How many bytes it has."""
        with _outages(name):
            return self._s3.head_object(**self._target(name))["ContentLength"]

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects one by one: the bulk request is not understood everywhere."""
        for name in names:
            with _outages():
                self._s3.delete_object(**self._target(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        """The names that start so, in the order of their bytes."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        with _outages():
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self.prefix)

    def link(self, name: str, seconds: int, filename: str) -> str | None:
        """A presigned URL."""
        plain = "".join(
            char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in filename
        )
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
        with _outages():
            return self._s3.generate_presigned_url(
                "get_object",
                Params={**self._target(name), "ResponseContentDisposition": disposition},
                ExpiresIn=min(seconds, _LONGEST_LINK_SECONDS),
            )

    def check(self) -> None:
        """Write, read and delete a small object."""
        name = f"check/{secrets.token_hex(8)}"
        self.put(name, [b"keymill"])
        if b"".join(self.get(name)) != b"keymill":
            raise StoreUnavailable("an object read back is not what was written")
        self.delete([name])

    def _target(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self.prefix + checked_name(name)}


def _compare(name: str, digests: Digests, expected_sha256: str | None) -> None:
    if expected_sha256 is not None and digests.sha256 != expected_sha256:
        raise WrongDigest(name, expected_sha256, digests.sha256)
