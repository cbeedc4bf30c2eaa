"""What only the S3 store must do, over HTTP against server processes: outages, lost parts, encryption, links."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.request import urlopen

import boto3
import pytest

from storage import s3
from storage.objects import ObjectStore, StoreUnavailable, WrongDigest
from storage.opening import open_store
from storage.s3 import S3Store

BLOCK = bytes(range(256)) * 4096  # 1 MB


OpenStore = Callable[..., S3Store]


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An S3 server of the test's own, to be killed; it lists ten names a page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": "10"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            with urlopen(url, timeout=5):
                break
        except OSError:
            time.sleep(0.1)
    yield process, url
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def client(s3_server: str) -> Any:
    """A plain client, to look at the server from beside the store."""
    return boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def test_a_server_that_dies_in_an_upload_is_an_outage(
    server: tuple[subprocess.Popen[bytes], str], open_on_server: OpenStore
) -> None:
    """Killed between two parts: the upload ends as StoreUnavailable, for small objects and reads, too."""
    process, url = server
    store = open_on_server(url)
    store.put("small", [b"x"])

    def blocks() -> Iterator[bytes]:
        for number in range(40):
            if number == 20:
                process.kill()
                process.wait()
            yield BLOCK

    with pytest.raises(StoreUnavailable):
        store.put("large", blocks())
    for attempt in (
        lambda: store.put("b", [b"y"]), lambda: list(store.get("small")), lambda: store.exists("small"),
        lambda: store.delete(["small"]), lambda: list(store.list()), store.check,
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            attempt()


def test_a_server_that_hangs_is_an_outage_and_not_a_hang(
    server: tuple[subprocess.Popen[bytes], str], open_on_server: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is stopped (SIGSTOP) accepts connections and never answers: the limits of the client end that."""
    process, url = server
    monkeypatch.setattr(s3, "READ_SECONDS", 1)
    store = open_on_server(url)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(StoreUnavailable):
        store.put("a", [b"x"])
    os.kill(process.pid, signal.SIGCONT)


def test_the_client_gives_up_within_twenty_seconds() -> None:
    """Attempts times limits, a second between two attempts and the clearing up stay below the promise."""
    waiting = s3.ATTEMPTS * max(s3.CONNECT_SECONDS, s3.READ_SECONDS) + (s3.ATTEMPTS - 1)
    assert waiting + s3.CLEARING_SECONDS < 20


def test_a_failed_upload_leaves_no_parts(s3_server: str, open_on_server: OpenStore, client: Any) -> None:
    """Parts of an upload that failed are dropped on the server: they would cost money for ever."""
    store = open_on_server(s3_server)
    with pytest.raises(WrongDigest):
        store.put("large", iter([BLOCK] * 9), expected_sha256="0" * 64)
    assert client.list_multipart_uploads(Bucket=store.bucket).get("Uploads", []) == []


@pytest.mark.parametrize("count", [1, 9])
def test_objects_are_encrypted_and_typed_as_asked(
    s3_server: str, open_on_server: OpenStore, client: Any, count: int
) -> None:
    """Server-side encryption with a key id and the media type are set on small and on large objects."""
    store = open_on_server(s3_server, sse="aws:kms", sse_key="alias/keymill")
    stored = store.put("a", [BLOCK] * count, media_type="text/csv")
    head = client.head_object(Bucket=store.bucket, Key="deep/prefix/a")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/keymill")
    assert (head["ContentType"], head["ContentLength"]) == ("text/csv", stored.size)


def test_a_link_saves_under_the_name_given_and_ends(s3_server: str, open_on_server: OpenStore) -> None:
    """The presigned link names the file for the browser, and a link that was tampered with in its name does not."""
    store = open_on_server(s3_server)
    store.put("a", [b"x"])
    link = store.link("a", 10**9, 'risultato "è".xlsx')
    assert link is not None
    assert "X-Amz-Expires=604800" in link
    with urlopen(link, timeout=10) as answer:
        assert answer.headers["Content-Disposition"] == (
            "attachment; filename=\"risultato ___.xlsx\"; filename*=UTF-8''risultato%20%22%C3%A8%22.xlsx"
        )


def test_names_are_listed_beyond_one_page(
    server: tuple[subprocess.Popen[bytes], str], open_on_server: OpenStore
) -> None:
    """A server gives some names a page; all are listed."""
    store = open_on_server(server[1])
    names = [f"many/{number:02}" for number in range(25)]
    for name in names:
        store.put(name, [b""])
    assert list(store.list("many/")) == names
    page = store._s3.list_objects_v2(Bucket=store.bucket)
    assert page["IsTruncated"]
    assert len(page["Contents"]) == 10


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on to the real server and spoils what the test says."""

    target = ""
    seen: ClassVar[list[tuple[str, str, dict[str, str]]]] = []
    spoil = ""

    def pass_on(self) -> None:
        """One request and its answer, spoiled or not."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Proxy.seen.append((self.command, self.path, dict(self.headers)))
        if Proxy.spoil == "body" and self.command == "PUT" and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        connection = HTTPConnection(Proxy.target, timeout=20)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("expect", "content-length")}
        connection.request(self.command, self.path, body or None, kept)
        answer = connection.getresponse()
        given = answer.read()
        if Proxy.spoil == "cut" and self.command == "GET":
            given = given[: len(given) // 2]
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, '"not-an-md5"' if name.lower() == "etag" and Proxy.spoil == "etag" else value)
        self.end_headers()
        self.wfile.write(given)
        connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def proxy(s3_server: str, open_on_server: OpenStore) -> Iterator[ObjectStore]:
    """A store that reaches the server through a proxy which can spoil things."""
    Proxy.target, Proxy.spoil = s3_server.removeprefix("http://"), ""
    Proxy.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = False  # joined at the end, so that no socket is left open
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield open_on_server(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("count", [1, 9])
def test_bytes_that_changed_on_the_way_are_noticed(proxy: ObjectStore, count: int) -> None:
    """A bit that flips between us and the server: the object is taken away again and the digest is told."""
    Proxy.spoil = "body"
    with pytest.raises(WrongDigest):
        proxy.put("a", [BLOCK] * count)
    assert not proxy.exists("a")


def test_a_server_with_other_etags_is_read_back(proxy: ObjectStore) -> None:
    """Where the ETag tells nothing (KMS encryption), the bytes themselves are compared; where it does, they are not."""
    proxy.put("plain", [BLOCK])
    assert [method for method, path, _ in Proxy.seen if "plain" in path] == ["PUT", "HEAD"]
    Proxy.spoil = "etag"
    proxy.put("other", [BLOCK])
    assert [method for method, path, _ in Proxy.seen if "other" in path] == ["PUT", "HEAD", "GET"]


def test_an_answer_that_ends_early_is_an_outage(proxy: ObjectStore, tmp_path: Path) -> None:
    """A connection that breaks in the middle of an object never gives half a file."""
    proxy.put("a", [BLOCK] * 3)
    Proxy.spoil = "cut"
    with pytest.raises(StoreUnavailable):
        proxy.fetch("a", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_sent_that_older_servers_refuse(proxy: ObjectStore) -> None:
    """No checksum trailers, no conditional requests, no bulk delete."""
    proxy.put("a", [BLOCK])
    proxy.put("b", [BLOCK] * 9)
    list(proxy.get("a"))
    proxy.delete(["a", "b"])
    assert {method for method, _, _ in Proxy.seen} == {"PUT", "POST", "HEAD", "GET", "DELETE"}
    for _, path, headers in Proxy.seen:
        assert not re.search(r"[?&]delete\b", path)
        names = {name.lower() for name in headers}
        assert not names & {"x-amz-trailer", "if-none-match", "if-match", "x-amz-sdk-checksum-algorithm"}
        assert not any(name.startswith("x-amz-checksum-") for name in names)


def test_a_lost_answer_to_the_last_step_is_no_failure(
    s3_server: str, open_on_server: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload was completed and the answer lost: the second try says NoSuchUpload, and the comparison tells."""
    store = open_on_server(s3_server)
    complete = store._s3.complete_multipart_upload

    def twice(**request: Any) -> Any:
        complete(**request)
        return complete(**request)

    monkeypatch.setattr(store._s3, "complete_multipart_upload", twice)
    assert store.put("a", [BLOCK] * 9).size == store.size("a") == 9 << 20


def test_missing_credentials_and_buckets_are_told(
    s3_server: str, open_on_server: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that is not there fails the start-up check with a sentence."""
    store = open_on_server(s3_server)
    with pytest.raises(StoreUnavailable, match="bucket"):
        open_store("s3://no-such-bucket/x").check()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreUnavailable, match="credentials"):
        open_store(f"s3://{store.bucket}/x").check()
