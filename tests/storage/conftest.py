"""Stores to test: a folder, S3 over HTTP against a server process, and whatever endpoint the environment names."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.objects import ObjectStore
from storage.opening import open_store

ENDPOINT = os.environ.get("KEYMILL_TEST_S3_URL", "")  # s3://bucket/prefix, with AWS_* variables for the rest
OpenStore = Callable[..., ObjectStore]


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
