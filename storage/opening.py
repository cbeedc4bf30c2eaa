"""The object store that a URL names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.folder import FolderStore
from storage.objects import ObjectStore


def open_store(url: str, *, sse: str | None = None, sse_key: str | None = None) -> ObjectStore:
    """The store of a URL: ``file:///folder`` or ``s3://bucket/prefix``. ``sse`` is ``AES256`` or ``aws:kms``.

    Nothing is connected yet (a missing folder is made). Raises ``ValueError`` for another URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        from storage.s3 import S3Store  # boto3 takes a third of a second to import: only who needs it pays

        return S3Store(parts.netloc, unquote(parts.path).strip("/"), sse=sse, sse_key=sse_key)
    raise ValueError(f"not the URL of an object store: {url!r} (file:///folder or s3://bucket/prefix)")
