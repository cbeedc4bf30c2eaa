"""Links and uploads in pieces on an S3 server, where the store has addresses of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from config.wiring import App
from jobs import links, uploads
from jobs.refusals import Refused
from storage.objects import ObjectStore
from tests.tenants import id_of


@pytest.fixture
def on_s3(app: App, s3_server: str, open_on_server: Callable[..., ObjectStore]) -> App:
    """An app whose store is a bucket."""
    return replace(app, store=open_on_server(s3_server))


def test_a_link_is_the_stores_own(on_s3: App, s3_server: str):
    """It is presigned by the store, and needs nothing of ours."""
    on_s3.store.put("results/1/a.csv", [b"content"])
    url, _ = links.link(on_s3, "results/1/a.csv", "a.csv")
    assert url.startswith(s3_server)
    with urlopen(url, timeout=30) as answer:
        assert answer.read() == b"content"


def test_pieces_are_put_together(on_s3: App, tmp_path: Path):
    """What came in pieces is what was announced; nothing of it is left once it is given up."""
    content = b"x" * uploads.LEAST_PIECE + b"the end"
    digest = hashlib.sha256(content).hexdigest()
    upload = uploads.start(on_s3, id_of(on_s3, "VENDOR"), "a.csv", len(content), digest)
    piece = tmp_path / "piece"
    for start, end in ((0, uploads.LEAST_PIECE), (uploads.LEAST_PIECE, len(content))):
        piece.write_bytes(content[start:end])
        assert uploads.extend(on_s3, uploads.find(on_s3, upload.id), start, piece) == end
    whole = tmp_path / "whole"
    uploads.assemble(on_s3, uploads.find(on_s3, upload.id), whole)
    assert whole.read_bytes() == content
    uploads.forget(on_s3, uploads.find(on_s3, upload.id))
    assert list(on_s3.store.list("pieces/")) == []
    with pytest.raises(Refused, match="no such upload"):
        uploads.find(on_s3, upload.id)


def test_two_pieces_for_one_place(app: App, tmp_path: Path):
    """Of two that come at once the first is taken; the other is told where to go on."""
    upload = uploads.start(app, id_of(app, "VENDOR"), "a.csv", 8, "0" * 64)
    piece = tmp_path / "piece"
    piece.write_bytes(b"8 bytes.")
    uploads.extend(app, upload, 0, piece)
    with pytest.raises(Refused) as refused:
        uploads.extend(app, upload, 0, piece)  # it knows the upload as it was before
    assert refused.value.code == "wrong_offset"
