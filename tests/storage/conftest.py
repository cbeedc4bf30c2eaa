"""Stores to test: a folder, S3 over HTTP against a server process, and whatever endpoint the environment names."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from storage.objects import ObjectStore, open_store

ENDPOINT = os.environ.get("KEYMILL_TEST_S3_URL", "")  # s3://bucket/prefix, with AWS_* variables for the rest
OpenStore = Callable[..., ObjectStore]


@pytest.fixture
def open_on_server(monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """Call it with the URL of an S3 server for a store in a new bucket there."""

    def open_it(url: str, **options: str) -> ObjectStore:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        bucket = f"keymill-{secrets.token_hex(6)}"
        with urlopen(Request(f"{url}/{bucket}", method="PUT"), timeout=10):  # the server asks for no signature
            pass
        return open_store(f"s3://{bucket}/deep/prefix", **options)

    return open_it


@pytest.fixture(params=["folder", "s3", *(["endpoint"] if ENDPOINT else [])])
def store(request: pytest.FixtureRequest, tmp_path: Path, open_on_server: OpenStore) -> Iterator[ObjectStore]:
    """Each kind of store, empty."""
    if request.param == "folder":
        yield open_store((tmp_path / "store folder").as_uri())
    elif request.param == "s3":
        yield open_on_server(request.getfixturevalue("s3_server"))
    else:
        found = open_store(f"{ENDPOINT.rstrip('/')}/{secrets.token_hex(6)}")
        yield found
        found.delete(list(found.list()))
